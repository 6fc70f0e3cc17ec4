"""The cache: its limit, what it forgets, and what it can't do."""

import errno
import os

import pytest

from harness.training import cache
from zoo import UserError


def test_a_full_cache_forgets_what_was_used_longest_ago(tmp_path) -> None:
    store = cache.Cache(tmp_path, 3000)
    for i in range(3):
        store.path(f"{i}").parent.mkdir(exist_ok=True)
        store.path(f"{i}").write_bytes(bytes(1000))
        os.utime(store.path(f"{i}"), (i, i))
    store.find("0")
    store.make_room(900, set())
    assert [store.find(k) is not None for k in "012"] == [True, False, True]


def test_a_run_that_can_not_fit_is_told_so(tmp_path) -> None:
    with pytest.raises(UserError, match="HARNESS_CACHE_LIMIT"):
        cache.Cache(tmp_path, 1000).make_room(2000, set())


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e300", "0", "-3", "many"])
def test_a_limit_that_is_no_size_is_told_so(monkeypatch, text) -> None:
    monkeypatch.setenv(cache.LIMIT, text)
    with pytest.raises(UserError, match="number of gigabytes above 0, not"):
        cache.default()


def test_a_cache_that_may_only_be_read_is_read_and_told_of(tmp_path, monkeypatch) -> None:
    def refused(path, *args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    store = cache.Cache(tmp_path, 1000)
    store.path("a").write_bytes(bytes(900))
    for name in ("utime", "unlink"):
        monkeypatch.setattr(os, name, refused)
    assert store.find("a") == store.path("a")
    assert store.find("b") is None
    with pytest.raises(UserError, match="HARNESS_CACHE_LIMIT"):
        store.make_room(500, set())
    with pytest.raises(UserError, match="Read-only"):
        store.clear()
