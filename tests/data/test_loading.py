"""`load_enwiki8_dataset` from files: which one it takes, what it refuses, and that it says why."""

import builtins
import copy
import gzip
import io
import os
import pickle
import sys
from pathlib import Path

import pytest

from mamba_edu import _corpus, data, load_enwiki8_dataset
from mamba_edu.data import DataError, EnwikSplits, cache_folder


@pytest.mark.parametrize("name", ["enwik8", "enwik8-first.gz", "enwik8.zip"])
def test_splits_are_disjoint_and_join_up_to_the_file(name, packed, little, write):
    file = write(name, packed[name])
    splits = load_enwiki8_dataset(file)
    train, valid, test = splits
    assert train + valid + test == little
    assert (len(train), len(valid), len(test)) == (180_002, 10_000, 10_001)
    assert splits.name == "little"
    assert file.read_bytes() == packed[name]


@pytest.mark.parametrize("length", [20, 21, 39, 99, 101, 1_000_003])
def test_every_length_splits_without_loss(length, write):
    text = bytes(k * k % 251 for k in range(length))
    splits = load_enwiki8_dataset(write("mine.txt", text), verify=False)
    assert b"".join(splits) == text
    assert all(splits)
    assert abs(len(splits.train) - 0.9 * length) <= 1 and abs(len(splits.test) - 0.05 * length) <= 1
    assert splits.name == "your text"


def test_a_hundred_million_bytes_split_90_5_5():
    parts = data._split(memoryview(bytes(100_000_000)), "enwik8")  # a view: slicing it copies nothing
    assert [len(part) for part in parts] == [90_000_000, 5_000_000, 5_000_000]


def test_real_bytes(real_bytes):
    splits = load_enwiki8_dataset(real_bytes)
    assert splits.name.startswith("enwik8")
    assert splits.train.startswith(b'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.3/"')
    assert [20 * len(part) // sum(map(len, splits)) for part in splits] == [18, 1, 1]


def test_splits_carry_their_name_and_show_no_bytes():
    splits = EnwikSplits(b"x" * 1800, b"y" * 100, b"z" * 100, "pocket")
    assert repr(splits) == "EnwikSplits('pocket', train: 1,800 bytes, valid: 100 bytes, test: 100 bytes)"
    for twin in (pickle.loads(pickle.dumps(splits)), copy.copy(splits), copy.deepcopy(splits)):
        assert twin == splits and twin.name == "pocket"


# Which source


def test_order_of_the_sources(monkeypatch, packed, little, write, tmp_path, capsys):
    with pytest.raises(DataError):  # nothing anywhere, no network
        load_enwiki8_dataset()
    pocket = load_enwiki8_dataset(fallback="pocket")
    assert pocket.name == "pocket"

    cached = write("cache/enwik8.zip", packed["enwik8.zip"])
    assert load_enwiki8_dataset(fallback="pocket").name == "little"

    monkeypatch.setenv("MAMBA_EDU_DATA", str(write("a/mine.txt", b"from the variable " * 9)))
    assert load_enwiki8_dataset(fallback="pocket", verify=False).train.startswith(b"from the variable")

    mine = write("b/mine.txt", b"from the argument " * 9)
    assert load_enwiki8_dataset(mine, verify=False).train.startswith(b"from the argument")
    assert load_enwiki8_dataset(str(mine), verify=False).train.startswith(b"from the argument")
    assert cached.read_bytes() == packed["enwik8.zip"]


def test_folder_with_one_corpus(monkeypatch, packed, little, write, tmp_path):
    write("folder/README.md", b"about these bytes")
    write("folder/.enwik8.gz", b"hidden")
    write("folder/enwik8.zip.part", b"half")
    write("folder/enwik8-first.gz", packed["enwik8-first.gz"])
    assert b"".join(load_enwiki8_dataset(tmp_path / "folder")) == little
    monkeypatch.setenv("MAMBA_EDU_DATA", str(tmp_path / "folder"))
    assert b"".join(load_enwiki8_dataset()) == little


def test_home_is_understood(monkeypatch, packed, little, write, tmp_path):
    write("home/enwik8", packed["enwik8"])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert b"".join(load_enwiki8_dataset("~/enwik8")) == little


def test_empty_variable_counts_as_unset(monkeypatch, capsys):
    monkeypatch.setenv("MAMBA_EDU_DATA", "")
    assert load_enwiki8_dataset(fallback="pocket").name == "pocket"


def test_known_text_keeps_its_name_without_verification(packed, little, write):
    assert load_enwiki8_dataset(write("enwik8.zip", packed["enwik8.zip"]), verify=False).name == "little"


def test_pocket_is_announced_in_one_line(capsys):
    load_enwiki8_dataset(fallback="pocket")
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1 and "pocket" in printed and "not enwik8" in printed
    assert "load_enwiki8_dataset()" in printed and "MAMBA_EDU_DATA" in printed


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ".cache/mamba_edu"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/mamba_edu"),
        ("darwin", {}, "Library/Caches/mamba_edu"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/mamba_edu/Cache"),
        ("linux", {"XDG_CACHE_HOME": "xdg", "MAMBA_EDU_CACHE": "mine"}, "mine"),
    ],
)
def test_cache_folder(monkeypatch, tmp_path, platform, variables, expected):
    for name in ("MAMBA_EDU_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in variables.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == tmp_path / expected


# What is refused


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


BAD = {
    "truncated": ("enwik8", lambda p: p["enwik8"][:-1], "200,002 bytes, expected 200,003"),
    "longer": ("enwik8", lambda p: p["enwik8"] + b"\n", "more than 200,003 bytes"),
    "flipped": ("enwik8", lambda p: flipped(p["enwik8"], 77_777), "length of little but not its bytes"),
    "empty": ("enwik8", lambda p: b"", "is empty"),
    "wrong": ("notes.txt", lambda p: b"shopping list " * 50, "700 bytes, expected 200,003"),
    "gz truncated": ("e.gz", lambda p: p["enwik8-first.gz"][:-3000], "no whole .gz file"),
    "gz without its end": ("e.gz", lambda p: p["enwik8-first.gz"][:-4], "no whole .gz file"),
    "gz flipped": ("e.gz", lambda p: flipped(p["enwik8-first.gz"], 50_000), "e.gz"),
    "gz flipped in its CRC": ("e.gz", lambda p: flipped(p["enwik8-first.gz"], -8 % len(p["enwik8-first.gz"])), "CRC"),
    "gz rotten": ("e.gz", lambda p: b"not a gzip file at all", "no whole .gz file"),
    "gz empty": ("e.gz", lambda p: b"", "is empty"),
    "gz of nothing": ("e.gz", lambda p: gzip.compress(b""), "is empty"),
    "gz of another text": ("e.gz", lambda p: gzip.compress(b"shopping list " * 50), "700 bytes, expected 200,003"),
    "zip truncated": ("enwik8.zip", lambda p: p["enwik8.zip"][:-3000], "no whole .zip file"),
    "zip flipped": ("enwik8.zip", lambda p: flipped(p["enwik8.zip"], 50_000), "enwik8.zip"),
    "zip rotten": ("enwik8.zip", lambda p: b"PK\x03\x04 and then nothing", "no whole .zip file"),
    "zip empty": ("enwik8.zip", lambda p: b"", "no whole .zip file"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("way", ["path", "MAMBA_EDU_DATA"])
def test_bad_file_is_one_error_that_names_it_also_beside_fallback(way, kind, packed, write, monkeypatch):
    name, spoil, expected = BAD[kind]
    content = spoil(packed)
    file = write(name, content)
    if way == "MAMBA_EDU_DATA":
        monkeypatch.setenv(way, str(file))
    with pytest.raises(DataError) as caught:
        load_enwiki8_dataset(file if way == "path" else None, fallback="pocket")
    message = str(caught.value)
    assert message.startswith(f"{way}: {file}") and expected in message
    assert "Give a whole enwik8" in message and "verify=False" in message
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert file.read_bytes() == content


@pytest.mark.parametrize("members", [0, 2])
def test_zip_must_hold_one_file(members, little, zipped, write):
    with pytest.raises(DataError, match=rf"enwik8\.zip must hold one file, holds {members}"):
        load_enwiki8_dataset(write("enwik8.zip", zipped(*[little] * members)))


def test_encrypted_zip(packed, write):
    locked = bytearray(packed["enwik8.zip"])
    locked[6] |= 1  # the "encrypted" flag of the member, and its copy in the directory
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match=r"enwik8\.zip is no whole \.zip file.*encrypted"):
        load_enwiki8_dataset(write("enwik8.zip", bytes(locked)))


def test_folders_that_do_not_say_which(packed, write, tmp_path):
    write("none/readme.txt", b"nothing here")
    with pytest.raises(DataError, match=r"none must hold one enwik8\*, \*\.gz or \*\.zip, holds none"):
        load_enwiki8_dataset(tmp_path / "none")
    for name, content in packed.items():
        write(f"several/{name}", content)
    with pytest.raises(DataError, match=r"holds enwik8, enwik8-first\.gz, enwik8\.zip"):
        load_enwiki8_dataset(tmp_path / "several")


def test_what_is_not_there_or_no_file(tmp_path):
    with pytest.raises(DataError, match=r"path: .*missing\.gz does not exist"):
        load_enwiki8_dataset(tmp_path / "missing.gz", fallback="pocket")
    pipe = tmp_path / "pipe"
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        with pytest.raises(DataError, match="pipe is no regular file"):
            load_enwiki8_dataset(pipe)


@pytest.mark.parametrize("name", ["enwik8", "e.gz", "enwik8.zip"])
def test_unreadable(name, write, monkeypatch):
    file = write(name, b"x" * 100)
    genuine = builtins.open

    def refuse(target, *args, **kwargs):
        if str(target) == str(file):
            raise PermissionError(13, "Permission denied", str(target))
        return genuine(target, *args, **kwargs)

    for home in (builtins, io, _corpus):
        monkeypatch.setattr(home, "open", refuse, raising=False)
    with pytest.raises(DataError, match=rf"path: .*{name} can't be read \(Permission denied\)"):
        load_enwiki8_dataset(file)


def test_rotten_cache_says_delete_it(packed, write):
    file = write("cache/enwik8.zip", packed["enwik8.zip"][:-2000])
    with pytest.raises(DataError, match=r"in the cache, .*enwik8\.zip is no whole .*Delete it"):
        load_enwiki8_dataset(fallback="pocket")
    assert file.exists()


@pytest.mark.parametrize("name", ["bomb.gz", "bomb.zip", "raw"])
@pytest.mark.parametrize("verify", [True, False])
def test_overlong_stream_is_left_after_one_byte_too_many(name, verify, little, zipped, write, monkeypatch):
    content = bytes(40_000_000)
    content = {"bomb.gz": gzip.compress(content), "bomb.zip": zipped(content), "raw": content}[name]
    file = write(name, content)
    read, genuine = [], _corpus._read_at_most
    monkeypatch.setattr(_corpus, "_read_at_most", lambda s, n: [t := genuine(s, n), read.append(len(t))][0])
    monkeypatch.setattr(data, "_OWN_TEXT_LIMIT", 300_000)
    limit = 200_003 if verify else 300_000
    with pytest.raises(DataError, match=f"holds more than {limit:,} bytes"):
        load_enwiki8_dataset(file, verify=verify)
    assert read == [limit + 1]


def test_too_short_to_split(write):
    with pytest.raises(DataError, match=r"mine\.txt holds 19 bytes, too few to split"):
        load_enwiki8_dataset(write("mine.txt", b"x" * 19), verify=False)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"fallback": "pockets"}, ValueError, "fallback must be one of None, 'pocket', got 'pockets'"),
        ({"verify": 1}, TypeError, "verify must be True or False, got 1"),
        ({"path": 3}, TypeError, "path must be the path of a file or folder, got 3"),
        ({"path": ""}, TypeError, "path must be the path of a file or folder, got ''"),
        ({"path": b"enwik8"}, TypeError, "path must be the path"),
    ],
)
def test_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        load_enwiki8_dataset(**arguments)
