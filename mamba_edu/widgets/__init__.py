"""The live figures: one Python and one JavaScript file each, and what they share.

    from mamba_edu import widgets
    fig = widgets.Selection()      # as the last line of a cell, it shows itself
    fig.selective = True           # what is on the screen follows, and the other way round
    fig.data()["left"]             # what is drawn, computed by the package

The names load on first use: a figure needs anywidget and, for its still picture, matplotlib.
"""

from importlib import import_module

_HOME = {
    "Selection": "selection",
    "HalfLife": "half_life",
    "Cover": "cover",
    "BlockDataflow": "block_dataflow",
    "BitsPerByte": "bits_per_byte",
    "HippoMemory": "hippo_memory",
    "TrainingCurves": "training_curves",
    "Discretisation": "discretisation",
    "CostOfContext": "cost_of_context",
    "ThreeViews": "three_views",
    "GradientThroughTime": "gradient_through_time",
}

__all__ = [*_HOME, "figure_class"]


def figure_class(name):
    """The class of a figure by its short name, the one in `data-figure`: "selection" -> `Selection`.

    A figure's name may have a hyphen where its files have an underscore: "block-dataflow" is in block_dataflow.py.

    Raises ValueError, naming those that exist, where there is none of that name.
    """
    for cls_name, module in _HOME.items():
        if module == name.replace("-", "_"):
            return __getattr__(cls_name)
    known = ", ".join(repr(module.replace("_", "-")) for module in _HOME.values())
    raise ValueError(f"figure must be one of {known}, got {name!r}")


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'mamba_edu.widgets' has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
