"""S4D and S4: the layers, and the steps that lead to their kernels."""

from .kernels import (
    cauchy_kernel,
    diagonal_kernel,
    dplr_kernel,
    generating_function,
    kernel_by_powers,
    kernel_from_spectrum,
    real_system,
    roots_of_unity,
    truncate,
    woodbury,
)
from .layers import S4, S4D

__all__ = [
    "S4",
    "S4D",
    "cauchy_kernel",
    "diagonal_kernel",
    "dplr_kernel",
    "generating_function",
    "kernel_by_powers",
    "kernel_from_spectrum",
    "real_system",
    "roots_of_unity",
    "truncate",
    "woodbury",
]
