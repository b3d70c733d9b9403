"""A little corpus that stands in for enwik8, files made of it, and a server that can be told to misbehave."""

import gzip
import hashlib
import io
import os
import random
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mamba_edu import _corpus, _download, data

REAL = os.environ.get("MAMBA_EDU_DATA")  # read before the tests below hide it from the code


def _zipped(*texts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, text in enumerate(texts):
            archive.writestr(f"member{i}", text)
    return out.getvalue()


@pytest.fixture
def zipped():
    """zipped(text, ...): the bytes of a .zip file that holds these texts."""
    return _zipped


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No corpus from the outside: no variable, an empty cache, and a network that would be noticed."""
    for name in ("MAMBA_EDU_DATA", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAMBA_EDU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "ENWIK8_URL", "http://127.0.0.1:9/enwik8.zip")  # the discard port: refused at once
    monkeypatch.setattr(_download, "TIMEOUT", 0.4)


@pytest.fixture
def real_bytes():
    if not REAL:
        pytest.skip("needs the real bytes: set MAMBA_EDU_DATA")
    return REAL


@pytest.fixture
def little(monkeypatch):
    """200,003 bytes that the loader takes for enwik8, by length and digest; random, so that a zip stays large."""
    text = bytes(random.Random(8).choices(b"[]' etaoinshrdlu<>=\n", k=200_003))
    known = _corpus.Known("little", len(text), "sha1", hashlib.sha1(text).hexdigest())
    monkeypatch.setattr(_corpus, "KNOWN", (known,))
    return text


@pytest.fixture
def write(tmp_path):
    """write(name, content): the path of a new file in the test's folder."""

    def write(name, content):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    return write


class Server(ThreadingHTTPServer):
    """Serves `body`. Switches: status, ranges, cut (bytes a reply may send before it breaks off), stall (bytes after
    which it falls silent), length (whether it says how much comes), shift (where it resumes wrongly)."""

    daemon_threads = True
    body, status, ranges, cut, stall, length, shift = b"", 200, True, None, None, True, 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.release = [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/enwik8.zip"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server, wanted = self.server, re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(wanted[1]) if wanted else 0
        server.asked.append(begin)
        if server.status != 200:
            return self.send_error(server.status)
        resume = bool(wanted) and server.ranges
        if resume and begin >= len(server.body):
            return self.send_error(416)
        begin = begin + server.shift if resume else 0
        self.send_response(206 if resume else 200)
        if resume:
            self.send_header("Content-Range", f"bytes {begin}-{len(server.body) - 1}/{len(server.body)}")
        if server.length:
            self.send_header("Content-Length", str(len(server.body) - begin))
        self.end_headers()
        reply = server.body[begin:]
        stops = [stop for stop in (server.cut, server.stall) if stop is not None]
        self.wfile.write(reply[: min(stops)] if stops else reply)
        if server.stall is not None:
            self.wfile.flush()
            server.release.wait(20)


@pytest.fixture
def server(monkeypatch, little):
    with Server() as server:
        server.body = _zipped(little)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        monkeypatch.setattr(data, "ENWIK8_URL", server.url)
        yield server
        server.release.set()
        server.shutdown()


@pytest.fixture
def packed(little):
    """The little corpus in each form that the loader takes: {file name: content}."""
    return {"enwik8": little, "enwik8-first.gz": gzip.compress(little, mtime=0), "enwik8.zip": _zipped(little)}
