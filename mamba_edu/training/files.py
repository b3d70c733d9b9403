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


def write_json(path, value, indent=1):
    """Write `value` as JSON, atomically, readable unless indent is None.

    Raises ValueError for NaN and infinity, which JSON doesn't have.
    """
    write_atomically(path, (json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False) + "\n").encode())


def sync_folder(path):
    """Have the disk know the names in the folder `path`, too; where the system can't, do nothing."""
    if os.name == "nt":  # a folder can't be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rows_of(path, kind):
    """The rows of one kind in a file of JSON lines, in order, without their kind."""
    rows = map(json.loads, Path(path).read_bytes().splitlines())
    return [{key: value for key, value in row.items() if key != "kind"} for row in rows if row["kind"] == kind]


class JsonLines:
    """A file of one JSON object a line, on disk as soon as it is written: a run, up to where it stopped.

    keep: how many bytes of the file that is there belong to the run; what comes after them is cut off. Raises
    ValueError when there are fewer, OSError when the disk doesn't take a line; of that line, then, nothing stays.
    """

    def __init__(self, path, keep=0):
        self.path = Path(path)
        there = self.path.stat().st_size if self.path.exists() else 0
        if there < keep:
            raise ValueError(f"{path} must hold the {keep} bytes of the run so far, holds {there}")
        self.file = open(path, "ab", buffering=0)
        self.file.truncate(keep)
        self.size = keep  # bytes

    def write(self, row):
        line = memoryview((json.dumps(row, allow_nan=False) + "\n").encode())
        try:
            while line:
                line = line[self.file.write(line) :]
        except OSError:
            self.file.truncate(self.size)
            raise
        self.size = os.fstat(self.file.fileno()).st_size

    def sync(self):
        """Wait until the disk has all lines."""
        os.fsync(self.file.fileno())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
