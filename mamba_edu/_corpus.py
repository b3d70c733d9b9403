"""Which text is it, and is it whole? Reading a corpus from a raw, .gz or .zip file, and knowing it by its digest."""

import gzip
import hashlib
import lzma
import zipfile
import zlib
from typing import NamedTuple


class DataError(ValueError):
    """A corpus that can't be had: the message names the file, what is wrong with it, and what to do."""


class Known(NamedTuple):
    """A text that is accepted: its name, its length in bytes, and the digest that proves it."""

    name: str
    size: int
    algorithm: str
    digest: str


# Source of the lengths and of the sha1: Large Text Compression Benchmark, mattmahoney.net/dc/textdata.html
KNOWN = (
    Known("enwik8", 100_000_000, "sha1", "57b8363b814821dc9d47aa4d41f58733519076b2"),
    Known(
        "enwik8, first 4,000,000 bytes",
        4_000_000,
        "sha256",
        "9f9ca3a41e2b87a0268d00380577e2c308e07959b22a94c8d7b1e8901bdefc37",
    ),
)

_ROTTEN = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile, RuntimeError)


def digest_of(text, algorithm):
    """The hexadecimal digest of `text` (bytes) by "sha1" or "sha256"."""
    return hashlib.new(algorithm, text, usedforsecurity=False).hexdigest()


def recognise(text):
    """The name of the known text that `text` (bytes) is, or None."""
    for known in KNOWN:
        if len(text) == known.size and digest_of(text, known.algorithm) == known.digest:
            return known.name
    return None


def read_text(file, limit, kind=None):
    """The bytes that `file` (a Path) holds, unpacked by its ending: .gz, .zip, or anything else as it is.

    limit: the most bytes that may come out; a longer stream (a zip bomb, a wrong file) is left after one byte more.
    kind: take this ending instead of the file's own. Raises DataError for what can't be read or is damaged.
    """
    kind = file.suffix.lower() if kind is None else kind
    try:
        if kind == ".zip":
            with zipfile.ZipFile(file) as archive, archive.open(_only_member(file, archive)) as stream:
                text = _read_at_most(stream, limit)
        else:
            with (gzip.open if kind == ".gz" else open)(file, "rb") as stream:
                text = _read_at_most(stream, limit)
    except _ROTTEN as error:  # before OSError, whose child BadGzipFile is
        raise DataError(f"{file} is no whole {kind or 'raw'} file ({error or type(error).__name__})") from None
    except OSError as error:
        raise DataError(f"{file} can't be read ({error.strerror or error})") from None
    if not text:
        raise DataError(f"{file} is empty")
    if len(text) > limit:
        raise DataError(f"{file} holds more than {limit:,} bytes")
    return text


def _only_member(file, archive):
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) != 1:
        raise DataError(f"{file} must hold one file, holds {len(members)}")
    return members[0]


def _read_at_most(stream, limit):
    """Up to limit + 1 bytes. Reading on to the end, past the last byte, is what makes gzip and zip check their CRC."""
    chunks, room = [], limit + 1
    while room and (chunk := stream.read(min(room, 1 << 20))):
        chunks.append(chunk)
        room -= len(chunk)
    return b"".join(chunks)


def read_known(file, kind=None):
    """(bytes, name) of a file that must be one of `KNOWN`. Raises DataError that says how it differs."""
    text = read_text(file, max(known.size for known in KNOWN), kind)
    name = recognise(text)
    if name is None:
        raise DataError(f"{file} {_difference(text)}")
    return text, name


def _difference(text):
    sizes = " or ".join(f"{known.size:,}" for known in KNOWN)
    same_size = [known for known in KNOWN if known.size == len(text)]
    if not same_size:
        return f"holds {len(text):,} bytes, expected {sizes}: cut short, or another text"
    known = same_size[0]
    found = digest_of(text, known.algorithm)
    return f"has the length of {known.name} but not its bytes ({known.algorithm} {found}, expected {known.digest})"
