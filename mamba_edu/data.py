"""enwik8 as bytes, bytes as tokens, tokens as windows: what a byte-level language model reads.

enwik8 is the first 10^8 bytes of the English Wikipedia's XML dump of 3 March 2006. A token is a byte: 256 of them, no
tokeniser, nothing lost, so that a loss per token is a loss per byte and can be compared with everybody's.
"""

import gzip
import os
import sys
import zlib
from importlib import resources
from numbers import Real
from operator import index
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from mamba_edu._corpus import DataError, digest_of, read_known, read_text, recognise
from mamba_edu._download import fetch
from mamba_edu._validate import check_choice, check_flag, check_int, check_tensor, check_tokens

__all__ = [
    "DataError",
    "EnwikSplits",
    "Enwiki8Dataset",
    "cache_folder",
    "decode_dataset",
    "encode_dataset",
    "load_enwiki8_dataset",
    "pad_sequences_3d",
]

ENWIK8_URL = "http://mattmahoney.net/dc/enwik8.zip"  # 36,445,475 bytes; what it unpacks to is checked by sha1
POCKET_SHA256 = "b16376a9c8b894b8977babe055cc9f83d7e18dfc83f2e2e5919346ce893b9d54"  # written by book/tools/pocket.py

_ZIP_LIMIT = 100_000_000  # bytes: a zip larger than what it holds is another file
_OWN_TEXT_LIMIT = 1_000_000_000  # bytes: enwik9 still fits
_SHORTEST = 20  # bytes: from here on each of the three splits has at least one
_OWN_TEXT = "your text"
_HOW = (
    "Ways to the real bytes: load_enwiki8_dataset() downloads them (36 MB); download enwik8.zip elsewhere and pass its "
    "path or set MAMBA_EDU_DATA to it. Without them: fallback='pocket', this book's own text."
)


class _Three(NamedTuple):
    train: bytes
    valid: bytes
    test: bytes


class EnwikSplits(_Three):
    """train, valid, test (bytes each): the first 90 %, the next 5 % and the last 5 % of a text; unpacks as those three.

    train + valid + test is the text again, to the byte. `name` says which text: "enwik8", "enwik8, first 4,000,000
    bytes", "pocket" or "your text". A score belongs to a name: those of two texts don't compare.
    """

    name = _OWN_TEXT

    def __new__(cls, train, valid, test, name=_OWN_TEXT):
        splits = super().__new__(cls, train, valid, test)
        splits.name = name
        return splits

    def __repr__(self):  # not the bytes themselves: there may be a hundred million
        sizes = ", ".join(f"{field}: {len(part):,} bytes" for field, part in zip(self._fields, self))
        return f"EnwikSplits({self.name!r}, {sizes})"


def load_enwiki8_dataset(path=None, *, fallback=None, verify=True):
    """enwik8, or its first 4,000,000 bytes, split 90 : 5 : 5. The first of these that is there is taken:

    1. `path`: a .gz, .zip or raw file, or a folder that holds one
    2. the environment variable `MAMBA_EDU_DATA`, the same
    3. the cache (`cache_folder()`), where an earlier download lies
    4. with `fallback="pocket"`: the pocket corpus, this book's own text in enwik8's XML form, which comes with the
       package. It is taken at once, without a try at the network, and one printed line says so
    5. the download into the cache, with a progress bar; a broken one is resumed by the next call

    The text is known by its digest; verify=False takes any other text from `path` or `MAMBA_EDU_DATA`, too.
    Returns EnwikSplits(train, valid, test). Raises DataError (a ValueError), which names the file and what to do, for a
    file that is missing, unreadable, damaged, cut short or another text, also beside `fallback`, and when there is
    nothing to be had. The file itself is never changed. TypeError or ValueError for arguments of the wrong kind.
    """
    check_choice("fallback", fallback, (None, "pocket"))
    check_flag("verify", verify)
    if path is not None:
        return _load_own("path", path, verify)
    if os.environ.get("MAMBA_EDU_DATA"):
        return _load_own("MAMBA_EDU_DATA", os.environ["MAMBA_EDU_DATA"], verify)
    cached = cache_folder() / "enwik8.zip"
    if cached.exists():
        try:
            return _split(*read_known(cached))
        except DataError as error:
            raise DataError(f"in the cache, {error}. Delete it, and the next call downloads it again") from None
    if fallback == "pocket":
        return _split(_load_pocket(), "pocket")
    try:
        return _split(*fetch(ENWIK8_URL, cached, lambda file: read_known(file, ".zip"), _ZIP_LIMIT))
    except DataError as error:
        raise DataError(f"no enwik8: path and MAMBA_EDU_DATA are not set, and {error}. {_HOW}") from None


def cache_folder():
    """Where downloads are kept: `MAMBA_EDU_CACHE`, otherwise mamba_edu in the system's folder for caches."""
    if os.environ.get("MAMBA_EDU_CACHE"):
        return Path(os.environ["MAMBA_EDU_CACHE"]).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "mamba_edu"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "mamba_edu" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mamba_edu"
    return Path.home() / ".cache" / "mamba_edu"


def _load_own(source, path, verify):
    """The splits of a file or folder that the reader named. source: where the name came from, for the error."""
    if not isinstance(path, (str, os.PathLike)) or not path:
        raise TypeError(f"{source} must be the path of a file or folder, got {path!r}")
    try:
        file = _find_file(Path(path).expanduser())
        if verify:
            return _split(*read_known(file))
        text = read_text(file, _OWN_TEXT_LIMIT)
        return _split(text, recognise(text) or _OWN_TEXT, file)
    except DataError as error:
        other = ", or verify=False to take a text of your own as it is" if verify else ""
        raise DataError(f"{source}: {error}. Give a whole enwik8 (raw, .gz or .zip; {ENWIK8_URL}){other}") from None


def _find_file(path):
    """`path` itself, or the one corpus in it: named enwik8..., or ending in .gz or .zip."""
    try:
        if path.is_dir():
            found = sorted(child for child in path.iterdir() if _is_corpus(child))
            if len(found) != 1:
                names = ", ".join(child.name for child in found)
                raise DataError(f"the folder {path} must hold one enwik8*, *.gz or *.zip, holds {names or 'none'}")
            path = found[0]
        if not path.exists():
            raise DataError(f"{path} does not exist")
        if not path.is_file():
            raise DataError(f"{path} is no regular file")  # a pipe would wait for ever
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror or error})") from None
    return path


def _is_corpus(file):
    name = file.name.lower()
    named = name.startswith("enwik8") or name.endswith((".gz", ".zip"))
    return named and not name.startswith(".") and not name.endswith((".part", ".lock")) and file.is_file()


def _load_pocket():
    packed = resources.files("mamba_edu") / "corpus" / "pocket.xml.gz"
    try:
        text = gzip.decompress(packed.read_bytes())
    except (OSError, EOFError, zlib.error):
        text = b""
    if digest_of(text, "sha256") != POCKET_SHA256:
        raise DataError(f"{packed} is missing or damaged: install mamba_edu again")
    print(
        f"Corpus: pocket, {len(text):,} bytes of this book's own text, not enwik8. "
        "For the real bytes call load_enwiki8_dataset() once (36 MB), or set MAMBA_EDU_DATA to a file."
    )
    return text


def _split(text, name, file="the text"):
    if len(text) < _SHORTEST:
        raise DataError(f"{file} holds {len(text)} bytes, too few to split: at least {_SHORTEST} are needed")
    # whole numbers, so that no byte falls between two splits or into both
    first, second = len(text) * 90 // 100, len(text) * 95 // 100
    return EnwikSplits(text[:first], text[first:second], text[second:], name)


def encode_dataset(data):
    """The bytes of `data` as tokens: int64 (n,), each in [0, 256).

    data: bytes, bytearray or memoryview. Raises TypeError for anything else; a str is first text.encode("utf-8").
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        hint = '; encode it first: text.encode("utf-8")' if isinstance(data, str) else ""
        raise TypeError(f"data must be bytes, got {type(data).__name__}{hint}")
    if not len(data):
        return torch.empty(0, dtype=torch.int64)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).to(torch.int64)  # (n,)


def decode_dataset(tokens):
    """The bytes that `tokens` stand for; the inverse of `encode_dataset`, for every byte string.

    tokens: integer tensor (n,) on any device. Raises TypeError for another type, ValueError for another shape or a
    value outside [0, 256). What a model writes need not be valid UTF-8: show it with .decode("utf-8", "replace").
    """
    check_tokens("tokens", tokens, "(n,)", 256)
    return tokens.detach().to("cpu", torch.uint8).numpy().tobytes()


class Enwiki8Dataset(Dataset):
    """The windows of one long text: item i is (inputs, targets), int64 (l,) each, targets one byte ahead of inputs.

    tokens: integer (n,), at least 2. seqlen: l of every window but the last, which holds what is left, 1 to seqlen.
    Windows don't overlap; target i * seqlen + k is token i * seqlen + k + 1, so each token but the first is a target
    exactly once and a loss summed over all items counts each byte once. int64 tokens are not copied: items are views.
    Raises TypeError or ValueError that names `tokens` or `seqlen`, IndexError for an item that is not there.
    """

    def __init__(self, tokens, seqlen):
        (n,) = check_tensor("tokens", tokens, "(n,)", dtype="integer")
        if n < 2:
            raise ValueError(f"tokens must hold at least 2, one to read and one to predict, got {n}")
        self.tokens = tokens
        self.seqlen = check_int("seqlen", seqlen, 1)

    def __len__(self):
        return -(-(len(self.tokens) - 1) // self.seqlen)

    def __getitem__(self, i):
        i = index(i)
        if not -len(self) <= i < len(self):
            raise IndexError(f"item {i} of a dataset of {len(self)} windows")
        start = (i % len(self)) * self.seqlen
        stop = min(start + self.seqlen, len(self.tokens) - 1)
        window = self.tokens[start : stop + 1].to(torch.int64)  # (l + 1,)
        return window[:-1], window[1:]


def pad_sequences_3d(sequences, padding_value=0.0):
    """Sequences of different lengths as one batch, padded at the end, and the mask that says what is real.

    sequences: list of tensors (l_i, f), at least one, of the same f, dtype and device; l_i may be 0.
    padding_value: a number that the dtype can hold.
    Returns padded (b, l, f), l the longest, and mask (b, l), bool, True where a value is real. Gradients flow to each
    sequence. The padding is wrong data: a loss must leave it out, `loss[mask].mean()`, and a recurrent state read at
    the end of a padded row has passed through it. Raises TypeError or ValueError that names the sequence.
    """
    if not isinstance(sequences, (list, tuple)):
        raise TypeError(f"sequences must be a list of tensors (l, f), got {type(sequences).__name__}")
    if not sequences:
        raise ValueError("sequences must hold at least one tensor (l, f), got an empty list")
    first = sequences[0]
    _, f = check_tensor("sequences[0]", first, "(l, f)", dtype=None)
    for i, sequence in enumerate(sequences):
        check_tensor(f"sequences[{i}]", sequence, "(l, f)", {"f": f}, dtype=None, device=first.device)
        if sequence.dtype != first.dtype:
            raise TypeError(f"sequences[{i}] must be {first.dtype} like the first, got {sequence.dtype}")
    _check_padding_value(padding_value, first.dtype)
    lengths = [len(sequence) for sequence in sequences]
    padded = first.new_full((len(sequences), max(lengths), f), padding_value)  # (b, l, f)
    for i, sequence in enumerate(sequences):
        padded[i, : len(sequence)] = sequence
    positions = torch.arange(max(lengths), device=first.device)  # (l,)
    mask = positions < torch.tensor(lengths, device=first.device)[:, None]  # (b, l)
    return padded, mask


def _check_padding_value(value, dtype):
    if not isinstance(value, Real):
        raise TypeError(f"padding_value must be a number, got {type(value).__name__}")
    if not (dtype.is_floating_point or dtype.is_complex):
        low, high = (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
        if not (low <= value <= high and value == int(value)):  # NaN and infinity fail the first half
            raise ValueError(f"padding_value must be a whole number that {dtype} can hold, got {value!r}")
