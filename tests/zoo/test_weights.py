"""Weights: mirror folder, cache, download, against a server that can misbehave."""

import hashlib
import http.server
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from zoo import weights
from zoo.errors import UserError

NAME = "some_net_notop.h5"


def h5(path: Path, seed: int = 0) -> bytes:
    with h5py.File(path, "w") as f:
        f["layer/kernel"] = np.random.default_rng(seed).random(60_000)
    return path.read_bytes()


class Server(http.server.ThreadingHTTPServer):
    """Serves ``body``; ``cuts`` are the numbers of bytes after which answers break off."""

    body = b""
    cuts: list[int] = []
    ranges = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(asked.split("=")[1].rstrip("-")) if asked and self.server.ranges else 0
        if start and start >= len(self.server.body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(self.server.body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        rest = self.server.body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.server.cuts.pop(0)] if self.server.cuts else rest)


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv(weights.MIRROR, raising=False)
    monkeypatch.setattr(weights, "_silent", set())
    return tmp_path / "keras" / "models"


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*") if not p.name.endswith(".lock"))


@pytest.mark.parametrize("digest", [sha, md5])
def test_a_download_lands_in_keras_cache_and_is_not_asked_for_again(
        server, cache, tmp_path, digest):
    server.body = h5(tmp_path / "a.h5")
    for _ in range(2):
        path = weights.find(NAME, server.address, digest(server.body))
        assert path == cache / NAME
        assert path.read_bytes() == server.body
    assert len(server.asked) == 1
    assert leftovers(cache) == [NAME]


def test_a_dropped_connection_goes_on_where_it_broke(server, tmp_path):
    server.body = h5(tmp_path / "a.h5")
    server.cuts = [1000, 2000]
    path = weights.find(NAME, server.address, sha(server.body))
    assert path.read_bytes() == server.body
    assert server.asked == [None, "bytes=1000-", "bytes=3000-"]


def test_what_a_killed_program_had_fetched_is_used(server, cache, tmp_path):
    server.body = h5(tmp_path / "a.h5")
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(server.body[:5000])
    assert weights.find(NAME, server.address, sha(server.body)).read_bytes() == server.body
    assert server.asked == ["bytes=5000-"]


def test_a_finished_part_needs_no_more_bytes(server, cache, tmp_path):
    server.body = h5(tmp_path / "a.h5")
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(server.body)
    assert weights.find(NAME, server.address, sha(server.body)).read_bytes() == server.body


def test_a_part_longer_than_the_file_is_thrown_away(server, cache, tmp_path):
    server.body = h5(tmp_path / "a.h5")
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(server.body + b"more")
    assert weights.find(NAME, server.address, sha(server.body)).read_bytes() == server.body


def test_a_server_without_ranges_starts_from_the_beginning(server, tmp_path):
    server.body = h5(tmp_path / "a.h5")
    server.ranges = False
    server.cuts = [1000]
    assert weights.find(NAME, server.address, sha(server.body)).read_bytes() == server.body


def test_a_wrong_hash_is_refused_and_nothing_stays(server, cache, tmp_path):
    server.body = h5(tmp_path / "a.h5")
    with pytest.raises(UserError, match="hash"):
        weights.find(NAME, server.address, "0" * 64)
    assert leftovers(cache) == []


def test_without_a_stated_hash_the_download_must_be_hdf5(server, cache):
    server.body = b"<html>log in first</html>"
    with pytest.raises(UserError, match="no whole HDF5 file"):
        weights.find(NAME, server.address, "")
    assert leftovers(cache) == []


def test_a_refusal_names_file_address_and_folder(server, cache, tmp_path):
    server.status = 404
    with pytest.raises(UserError) as e:
        weights.find(NAME, server.address, "0" * 32)
    for part in (NAME, server.address + NAME, str(cache), "404"):
        assert part in str(e.value)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with pytest.raises(UserError, match=f"put the file into {mirror}"):
        weights.find(NAME, server.address, "0" * 32, mirror)


def test_a_host_that_does_not_answer_is_asked_once(monkeypatch):
    import requests

    asked = []
    real = requests.get

    def get(url, **kwargs):
        asked.append(url)
        assert kwargs["timeout"]
        return real(url, **kwargs)

    monkeypatch.setattr(requests, "get", get)
    for _ in range(3):
        with pytest.raises(UserError, match="put the file into"):
            weights.find(NAME, "http://127.0.0.1:9/", "0" * 32)
    assert len(asked) == 1


def test_the_mirror_comes_first_and_needs_no_hash(server, cache, tmp_path, monkeypatch):
    mirror, other = tmp_path / "mirror", tmp_path / "other"
    for folder, seed in ((mirror, 1), (other, 2), (cache, 3)):
        folder.mkdir(parents=True)
        h5(folder / NAME, seed)
    monkeypatch.setenv(weights.MIRROR, str(other))
    assert weights.find(NAME, server.address, "0" * 64, mirror) == mirror / NAME
    assert weights.find(NAME, server.address, "0" * 64) == other / NAME
    assert server.asked == []


def test_a_mirror_without_the_file_is_passed_over(server, tmp_path):
    server.body = h5(tmp_path / "a.h5")
    (tmp_path / "mirror").mkdir()
    found = weights.find(NAME, server.address, sha(server.body), tmp_path / "mirror")
    assert found.read_bytes() == server.body


def test_a_missing_mirror_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match="nowhere does not exist"):
        weights.find(NAME, "http://127.0.0.1:9/", "", tmp_path / "nowhere")


@pytest.mark.parametrize("spoil", [lambda b: b[:3000], lambda b: b"", lambda b: b"no" * 4000])
def test_a_damaged_mirror_file_is_named(tmp_path, spoil):
    path = tmp_path / NAME
    path.write_bytes(spoil(h5(path)))
    with pytest.raises(UserError, match=f"{NAME} is damaged"):
        weights.find(NAME, "http://127.0.0.1:9/", "", tmp_path)


def test_a_cached_file_with_another_hash_is_fetched_anew(server, cache, tmp_path):
    server.body = h5(tmp_path / "a.h5")
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(server.body[:-1])
    assert weights.find(NAME, server.address, sha(server.body)).read_bytes() == server.body


def test_any_input_size_of_mobilenet_will_do(tmp_path):
    stem = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{}_no_top.h5"
    for folder in ("exact", "other"):
        (tmp_path / folder).mkdir()
    h5(tmp_path / "exact" / stem.format(224))
    h5(tmp_path / "exact" / stem.format(96))
    h5(tmp_path / "other" / stem.format(96))
    h5(tmp_path / "other" / stem.format(96).replace("1.0", "0.5"))
    h5(tmp_path / "other" / stem.format(96).replace("_no_top", ""))
    for folder, size in (("exact", 224), ("other", 96)):
        path = weights.find(stem.format(224), "http://127.0.0.1:9/", "", tmp_path / folder)
        assert path.name == stem.format(size)


def test_the_record_holds_origin_and_hash(tmp_path):
    body = h5(tmp_path / NAME)
    assert weights.describe(tmp_path / NAME) == {
        "origin": "imagenet", "file": NAME, "sha256": sha(body)}


def test_every_row_states_a_whole_address():
    from zoo.table import ROWS

    stated = [row.pretrained for row in ROWS if row.pretrained]
    assert len(stated) >= 12
    for w in stated:
        assert w.address.startswith("https://")
        assert w.address.endswith("/")
        assert w.name.endswith(".h5")
        assert len(w.hash) in (32, 64) or (w.name.startswith("mobilenet_v2") and not w.hash)
