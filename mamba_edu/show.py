"""`show_source`: read a function where it lives, instead of a copy of it."""

import inspect

import torch


class _Source:
    """A piece of the package's source that shows itself highlighted in a notebook and plain elsewhere."""

    def __init__(self, code, where):
        self.code, self.where = code, where

    def __repr__(self):
        return f"# {self.where}\n{self.code}"

    def _repr_markdown_(self):
        return f"`{self.where}`\n\n```python\n{self.code}\n```"


def show_source(thing):
    """The source of a function, class or module of this package, from the file that runs.

    thing: a Python function, method, class or module of `mamba_edu`. Returns an object that a notebook shows as
    highlighted code under the file's name. Raises TypeError for anything else.
    """
    if isinstance(thing, torch.nn.Module):
        raise TypeError(f"thing must be a function or class, got an instance of {type(thing).__name__}: pass its class")
    module = inspect.getmodule(thing)
    if module is None or not module.__name__.split(".")[0] == "mamba_edu":
        raise TypeError(f"thing must be a function, class or module of mamba_edu, got {thing!r}")
    code = inspect.getsource(thing).rstrip()
    return _Source(code, module.__name__.replace(".", "/") + ".py")
