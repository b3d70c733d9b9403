"""Fetch one file into a cache folder: a progress bar, resuming, and no unchecked file under the final name."""

import os
from contextlib import contextmanager
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from mamba_edu._corpus import DataError

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 10  # a connection that breaks is taken up again as long as each one brought something
_CHUNK = 1 << 16


def fetch(url, target, check, limit):
    """Download `url` to `target` (a Path) and return what `check(file)` returns for it.

    check: called with the complete but not yet renamed file; raises DataError for a wrong one, which is then deleted.
    limit: the most bytes that are accepted. What arrived of a broken download stays as `target` + ".part" and is
    resumed by the next call (HTTP Range). Raises DataError when the server or the folder fails.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.with_name(target.name + ".lock")):
            return _fetch_alone(url, target, part, check, limit)
    except OSError as error:
        raise DataError(f"can't write to the cache folder {target.parent} ({error.strerror or error})") from None


def _fetch_alone(url, target, part, check, limit):
    resumed = part.exists()
    while True:
        _complete(url, part, limit)
        try:
            result = check(part)
        except DataError as error:
            part.unlink()
            if not resumed:
                raise DataError(f"what {url} sent is wrong and was deleted: {error}") from None
            resumed = False  # the old beginning may be to blame: once more, from the first byte
            continue
        os.replace(part, target)  # in one step: whoever looks sees no file or a checked one
        return result


def _complete(url, part, limit):
    """Transfer until `part` is complete, resuming broken connections that made progress."""
    for _ in range(ATTEMPTS):
        before = _size(part)
        try:
            return _transfer(url, part, limit)
        except (OSError, HTTPException) as error:
            reason = error
            if isinstance(error, HTTPError) or _size(part) <= before:
                break
    kept = f"; {_size(part):,} bytes are kept, and the next call resumes" if _size(part) else ""
    raise DataError(f"the download of {url} failed ({reason or type(reason).__name__}){kept}")


def _transfer(url, part, limit):
    """One request: append to `part` if the server resumes there, otherwise begin it anew."""
    have = _size(part)
    headers = {"User-Agent": "mamba_edu"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        reply = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        if have and error.code == 416:  # nothing lies beyond our last byte: let the check decide
            return
        raise
    with reply:
        if reply.status != 206:  # the whole file comes, whatever we asked for
            have = 0
        elif not reply.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise HTTPException(f"asked for bytes from {have} on, got {reply.headers.get('Content-Range')!r}")
        length = reply.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        with part.open("ab" if have else "wb") as out:
            _copy(reply, out, have, total, limit, part.stem)
    if total is not None and _size(part) < total:
        raise HTTPException(f"the connection closed after {_size(part):,} of {total:,} bytes")


def _copy(reply, out, have, total, limit, label):
    with tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=label) as bar:
        while chunk := reply.read1(_CHUNK):  # read1: what has arrived is written before a stall can lose it
            have += len(chunk)
            if have > limit:
                out.truncate(0)
                raise DataError(f"{reply.url} sends more than {limit:,} bytes: that is not the file")
            out.write(chunk)
            bar.update(len(chunk))


def _size(file):
    return file.stat().st_size if file.exists() else 0


@contextmanager
def _alone(lock):
    """Two downloads into one folder would write into each other's file: the second one is refused."""
    with lock.open("a") as handle:
        try:
            _lock(handle)
        except (BlockingIOError, PermissionError):
            raise DataError(f"another process is downloading into {lock.parent}: wait until it is done") from None
        except OSError:
            pass  # a file system without locks
        yield


def _lock(handle):
    """Hold `handle` until it is closed. Raises BlockingIOError or PermissionError while another process does."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
