"""Files that are either the old ones or the new ones, never half of each."""

import json
import os
import tempfile
from pathlib import Path


def write_atomically(path, data):
    """Write `data` (bytes) to `path`: first beside it, then renamed over it, so that no reader meets half a file."""
    path = Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp makes files that only their owner may read
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path, value):
    """Write `value` as readable JSON, atomically. Raises ValueError for NaN and infinity, which JSON doesn't have."""
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode())


class JsonLines:
    """A file of one JSON object a line, on disk as soon as it is written: a run, up to where it stopped."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def write(self, row):
        self.file.write(json.dumps(row, allow_nan=False) + "\n")
        self.file.flush()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
