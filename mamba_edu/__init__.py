"""mamba_edu: the code that *The Selective State* builds, chapter by chapter.

Every public name can be imported from here; each is loaded on first use, so that ``import mamba_edu`` is quick and
needs neither numba nor matplotlib nor a GPU.
"""

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

_HOME = {
    "rnn": ["rnn_step", "RNN", "LSTM", "step_jacobians", "gradient_through_time"],
    "attention": [
        "attention_weights",
        "causal_attention",
        "CausalSelfAttention",
        "TransformerConfig",
        "Transformer",
    ],
    "discretize": ["discretize_zoh", "discretize_bilinear", "discretize_euler", "discretize_mixed"],
    "lti": ["lti_recurrence", "lti_step", "lti_kernel", "fft_convolution"],
    "hippo": [
        "hippo_legs",
        "legs_basis",
        "legs_memory",
        "legs_memory_fixed",
        "legs_reconstruct",
        "legs_nplr",
        "legs_dplr",
        "s4d_lin",
        "s4d_inv",
        "s4d_real",
    ],
    "s4": [
        "S4D",
        "S4",
        "diagonal_kernel",
        "kernel_by_powers",
        "roots_of_unity",
        "generating_function",
        "kernel_from_spectrum",
        "real_system",
        "truncate",
        "cauchy_kernel",
        "woodbury",
        "dplr_kernel",
    ],
    "scan": ["selective_scan", "doubling", "blelloch"],
    "selection": ["S6"],
    "conv": ["CausalConv1d"],
    "block": ["RMSNorm", "MambaBlock"],
    "model": ["MambaConfig", "Mamba"],
    "generate": ["generate"],
    "data": [
        "load_enwiki8_dataset",
        "EnwikSplits",
        "encode_dataset",
        "decode_dataset",
        "Enwiki8Dataset",
        "pad_sequences_3d",
    ],
    "metrics": ["calculate_perplexity", "bits_per_byte"],
    "training": ["evaluate", "parameter_groups"],
    "show": ["show_source"],
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *_MODULE_OF]


def __getattr__(name):
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'mamba_edu' has no attribute {name!r}")
    value = getattr(import_module(f"mamba_edu.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))


class _Package(ModuleType):
    """`mamba_edu.generate` is the function, also after its module of the same name has been imported."""

    @property
    def generate(self):
        return import_module("mamba_edu.generate").generate

    @generate.setter
    def generate(self, module):  # the import system hands over the submodule here: keep the function
        pass


sys.modules[__name__].__class__ = _Package
