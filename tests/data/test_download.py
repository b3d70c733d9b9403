"""The download against a server of our own that serves well, stalls, truncates, lies, ignores Range, or has nothing."""

import time

import pytest

from mamba_edu import _download, data, load_enwiki8_dataset
from mamba_edu.data import DataError


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def kept(cache):
    """What lies in the cache, but for the lock: {name: content}."""
    return {file.name: file.read_bytes() for file in cache.glob("*") if not file.name.endswith(".lock")}


def test_serves_well(server, little, cache, capsys):
    splits = load_enwiki8_dataset()
    assert b"".join(splits) == little and splits.name == "little"
    assert kept(cache) == {"enwik8.zip": server.body}
    assert "enwik8.zip: 100%" in capsys.readouterr().err
    assert load_enwiki8_dataset() == splits
    assert server.asked == [0]  # the second time from the cache


def test_pocket_comes_without_a_try_at_the_network(server, capsys):
    assert load_enwiki8_dataset(fallback="pocket").name == "pocket"
    assert server.asked == []


def test_without_a_length_in_the_reply(server, little, cache):
    server.length = False
    assert b"".join(load_enwiki8_dataset()) == little


def test_truncated_replies_are_resumed_until_the_file_is_whole(server, little, cache):
    server.cut = 40_000
    assert b"".join(load_enwiki8_dataset()) == little
    assert server.asked == list(range(0, len(server.body), 40_000))
    assert kept(cache) == {"enwik8.zip": server.body}


def test_stall_times_out_keeps_the_part_and_the_next_call_resumes(server, little, cache):
    server.cut, server.stall = None, 0  # the headers come, then silence
    begun = time.monotonic()
    with pytest.raises(DataError, match="timed out") as caught:
        load_enwiki8_dataset()
    assert time.monotonic() - begun < 10
    assert kept(cache) in ({}, {"enwik8.zip.part": b""})
    assert all(way in str(caught.value) for way in ("path", "MAMBA_EDU_DATA", "fallback='pocket'", server.url))

    server.stall = 30_000  # each reply falls silent after 30,000 bytes; two replies are all we wait for
    _download.ATTEMPTS, attempts = 2, _download.ATTEMPTS
    try:
        with pytest.raises(DataError, match="60,000 bytes are kept, and the next call resumes"):
            load_enwiki8_dataset()
    finally:
        _download.ATTEMPTS = attempts
    assert kept(cache) == {"enwik8.zip.part": server.body[:60_000]}

    server.stall, server.asked = None, []
    assert b"".join(load_enwiki8_dataset()) == little
    assert server.asked == [60_000]
    assert kept(cache) == {"enwik8.zip": server.body}


def test_truncating_without_progress_gives_up(server, cache):
    server.cut = 0
    with pytest.raises(DataError, match="the connection closed after 0 of"):
        load_enwiki8_dataset()
    assert len(server.asked) == 1


@pytest.mark.parametrize("lie", ["flipped", "another text", "no zip", "cut short"])
def test_lie_about_the_content_leaves_nothing(lie, server, little, cache, zipped):
    changed = bytearray(little)
    changed[1234] ^= 1
    server.body = {
        "flipped": zipped(bytes(changed)),
        "another text": zipped(b"shopping list " * 50),
        "no zip": b"<html>Please log in to this network</html>",
        "cut short": server.body[:-500],
    }[lie]
    with pytest.raises(DataError, match=r"sent is wrong and was deleted"):
        load_enwiki8_dataset()
    assert kept(cache) == {}


def test_endless_body_is_cut_off(server, cache, monkeypatch):
    monkeypatch.setattr(data, "_ZIP_LIMIT", 50_000)
    with pytest.raises(DataError, match="sends more than 50,000 bytes"):
        load_enwiki8_dataset()
    assert not any(kept(cache).values())


def test_server_that_ignores_range_starts_over(server, little, cache):
    cache.mkdir()
    (cache / "enwik8.zip.part").write_bytes(server.body[:50_000])
    server.ranges = False
    assert b"".join(load_enwiki8_dataset()) == little
    assert server.asked == [50_000]
    assert kept(cache) == {"enwik8.zip": server.body}


def test_server_that_resumes_at_the_wrong_place_is_not_believed(server, cache):
    cache.mkdir()
    (cache / "enwik8.zip.part").write_bytes(server.body[:50_000])
    server.shift = 7
    with pytest.raises(DataError, match="asked for bytes from 50000 on, got 'bytes 50007-"):
        load_enwiki8_dataset()
    assert kept(cache) == {"enwik8.zip.part": server.body[:50_000]}


@pytest.mark.parametrize("part", ["of another file", "complete", "complete but rotten", "too long"])
def test_any_old_part_ends_in_the_right_file(part, server, little, cache):
    rotten = bytes([server.body[0] ^ 1]) + server.body[1:]
    old = {
        "of another file": b"?" * 50_000,
        "complete": server.body,
        "complete but rotten": rotten,
        "too long": server.body + b"??",
    }[part]
    cache.mkdir()
    (cache / "enwik8.zip.part").write_bytes(old)
    assert b"".join(load_enwiki8_dataset()) == little
    assert list(kept(cache)) == ["enwik8.zip"]
    asked = len(server.asked)
    assert b"".join(load_enwiki8_dataset()) == little and len(server.asked) == asked  # now from the cache


@pytest.mark.parametrize("status", [403, 404, 500])
def test_error_status(status, server, cache):
    server.status = status
    with pytest.raises(DataError, match=rf"no enwik8: .*HTTP Error {status}.*Ways to the real bytes") as caught:
        load_enwiki8_dataset()
    assert caught.value.__suppress_context__
    assert server.asked == [0] and kept(cache) == {}


def test_nobody_listens(cache):
    with pytest.raises(DataError, match=r"no enwik8: .*failed .*MAMBA_EDU_DATA"):
        load_enwiki8_dataset()
    assert kept(cache) == {}


def test_two_downloads_at_once(server, cache):
    cache.mkdir()
    with _download._alone(cache / "enwik8.zip.lock"):
        with pytest.raises(DataError, match="another process is downloading into"):
            load_enwiki8_dataset()
    assert server.asked == [] and kept(cache) == {}


def test_cache_that_can_not_be_made(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MAMBA_EDU_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="can't write to the cache folder"):
        load_enwiki8_dataset()
    assert server.asked == []
