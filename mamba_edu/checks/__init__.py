"""The graders of the exercises, a file per chapter: `checks.check_NAME(answer)` gives a `Result`."""

from importlib import import_module

from ._result import Result, grader

# each module's check_... functions are public here
_CHAPTERS = [
    "chapter01",
    "chapter02",
    "chapter03",
    "chapter04",
    "chapter05",
    "chapter06",
    "chapter07",
    "chapter12",
    "chapter13",
]

__all__ = ["Result", "grader"]


def __getattr__(name):
    if name.startswith("check_"):
        for chapter in _CHAPTERS:
            module = import_module(f"mamba_edu.checks.{chapter}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'mamba_edu.checks' has no attribute {name!r}")
