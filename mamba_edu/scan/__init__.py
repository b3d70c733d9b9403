"""The selective scan: one function, several ways to compute it.

h_t = exp(delta_t A) * h_{t-1} + delta_t B_t u_t,   y_t = C_t . h_t        (Mamba eq. 2a and 2b, A diagonal)
"""

from .api import selective_scan
from .blelloch import blelloch
from .doubling import doubling

__all__ = ["blelloch", "doubling", "selective_scan"]
