"""Results of runs that take longer than a chapter may: JSON files, each written by the command that stands in it."""

import json
from importlib import resources


def load_record(name):
    """The record called `name` (its file's name without .json) as a dict.

    Raises TypeError for a name that is no string, ValueError that lists the records there are when none is called so.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    folder = resources.files(__name__)
    names = sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".json"))
    if name not in names:
        raise ValueError(f"name must be one of {', '.join(names) or '(no records yet)'}, got {name!r}")
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
