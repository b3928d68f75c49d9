"""The quota of downloaded models: what goes, what stays, and who may not take it away."""

import errno
import fcntl
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from scoring.errors import InsufficientStorage, ModelCacheBusy
from scoring.subjects import demo_model
from scoring.subjects.cache_lock import LOCK
from scoring.subjects.model_cache import USES, Keeping, ModelCache, Revision, in_use
from scoring.subjects.sources import resolve

SIZE = 250_000
"""A little more than the demonstration model has."""


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def take(hub, tmp_path, cache):
    demo_model.build(tmp_path / "upstream")

    def take(name, revision=None, **keeping):
        if name not in hub.repositories:
            hub.add(name, _copy(tmp_path, name))
        return resolve(
            name,
            revision,
            supported={"llama"},
            model_dir=None,
            cache_dir=cache,
            endpoint=hub.url,
            keeping=Keeping(**keeping),
        ).folder

    return take


def _copy(tmp_path, name):
    """A folder whose files differ from those of every other model."""
    folder = tmp_path / name.replace("/", "-")
    folder.mkdir()
    for path in (tmp_path / "upstream").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def used_long_ago(folder, seconds):
    os.utime(folder, (time.time() - seconds, time.time() - seconds))


def blobs(cache):
    return {path for path in cache.rglob("blobs/*") if path.is_file()}


def test_the_revision_that_was_not_used_for_longest_goes_first(take, cache):
    old, middle = take("org/old"), take("org/middle")
    used_long_ago(old, 10)
    used_long_ago(middle, 20)
    n_before = len(blobs(cache))
    new = take("org/new", cache_bytes=2 * SIZE)
    assert old.is_dir()
    assert new.is_dir()
    assert not middle.exists()
    assert len(blobs(cache)) == n_before
    assert not (cache / "models--org--middle").exists()
    assert take("org/middle").is_dir(), "it can come again"


def test_asking_for_a_model_counts_as_using_it(take, cache):
    first, second = take("org/first"), take("org/second")
    for folder in (first, second):
        used_long_ago(folder, 100)
    with in_use(cache, "claim") as use_file:
        take("org/first", use_file=use_file)
    take("org/new", cache_bytes=2 * SIZE)
    assert first.is_dir()
    assert not second.exists()


def test_a_model_that_a_claim_reads_stays_and_the_other_waits(take, cache):
    with in_use(cache, "claim") as use_file:
        held = take("org/held", use_file=use_file)
        with pytest.raises(ModelCacheBusy) as caught, in_use(cache, "other") as other:
            take("org/new", cache_bytes=SIZE + 1000, use_file=other)
        assert caught.value.retryable
        assert caught.value.code == "insufficient_storage"
        assert held.is_dir()
    take("org/new", cache_bytes=SIZE + 1000)
    assert not held.exists()


def test_what_a_dead_claim_used_may_go(take, cache):
    held = take("org/held")
    (cache / USES).mkdir(exist_ok=True)
    left = cache / USES / "dead"
    left.write_text(f"models--org--held\t{held.name}\t0\n")
    take("org/new", cache_bytes=SIZE + 1000)
    assert not held.exists()
    assert not left.exists()


def test_a_model_larger_than_the_quota_is_refused_and_costs_nobody_anything(take, cache, hub):
    kept = take("org/kept")
    n_served = hub.n_weights_served
    with pytest.raises(InsufficientStorage, match=r"the model cache may hold 1000") as caught:
        take("org/new", cache_bytes=1000)
    assert not caught.value.retryable
    assert kept.is_dir()
    assert hub.n_weights_served == n_served


def test_revisions_of_one_repository_share_files_that_stay_while_one_needs_them(take, hub, tmp_path, cache):
    hub.add("org/steps", _copy(tmp_path, "org/steps"), revisions={"one": "1" * 40, "two": "2" * 40})
    one, two = take("org/steps", "one"), take("org/steps", "two")
    used_long_ago(one, 10)
    take("org/new", cache_bytes=int(1.9 * SIZE))
    assert two.is_dir()
    assert all(path.is_file() for path in two.iterdir())


def test_pieces_that_nobody_goes_on_with_go_before_models(take, cache):
    kept = take("org/kept")
    pieces = cache / "models--org--broken" / "blobs"
    pieces.mkdir(parents=True)
    (pieces / "abc.incomplete").write_bytes(bytes(SIZE))
    take("org/new", cache_bytes=2 * SIZE)
    assert kept.is_dir()
    assert not (pieces / "abc.incomplete").exists()


def test_bytes_that_others_are_bringing_count(take, cache):
    cache.mkdir()
    with in_use(cache, "other") as use_file:
        other = ModelCache(folder=cache, keeping=Keeping(cache_bytes=2 * SIZE, use_file=use_file))
        other.make_room(Revision(storage=cache / "models--org--other", sha="a" * 40), int(1.5 * SIZE))
        with pytest.raises(InsufficientStorage):
            take("org/new", cache_bytes=2 * SIZE)
    assert take("org/new", cache_bytes=2 * SIZE).is_dir()


def test_many_at_once_stay_within_the_quota_and_keep_what_they_read(cache):
    limit, n_bytes, downloads = 1_000_000, 300_000, threading.Lock()

    def bring(number):
        with in_use(cache, f"claim-{number}") as use_file:
            place = Revision(storage=cache / f"models--org--m{number % 6}", sha=f"{number % 6:040}")
            own = ModelCache(folder=cache, keeping=Keeping(cache_bytes=limit, use_file=use_file))
            own.hold(place)
            try:
                own.make_room(place, n_bytes)
            except InsufficientStorage as error:
                return f"{type(error).__name__}: {error}"
            with downloads:  # the hub's client has a lock of its own for each file
                _write(place, n_bytes)
            time.sleep(0.002)
            return {path.stat().st_size for path in place.blobs()}

    cache.mkdir()
    with ThreadPoolExecutor(3) as pool:
        assert [found for found in pool.map(bring, range(60)) if found != {n_bytes}] == []
    assert list((cache / USES).iterdir()) == []
    assert n_bytes <= sum(path.stat().st_size for path in blobs(cache)) <= limit


def _write(place, n_bytes):
    """What a download leaves: a blob, a link and the mark."""
    blob = place.storage / "blobs" / place.sha
    blob.parent.mkdir(parents=True, exist_ok=True)
    if not blob.exists():
        blob.write_bytes(bytes(n_bytes))
    place.folder.mkdir(parents=True, exist_ok=True)
    if not (place.folder / "weights").exists():
        (place.folder / "weights").symlink_to(blob)
    mark = place.storage / "broca-verified" / place.sha
    mark.parent.mkdir(exist_ok=True)
    mark.write_text(f"weights\t{n_bytes}\n")


def test_a_claim_waits_for_the_cache_no_longer_than_it_may(cache):
    cache.mkdir()
    with (cache / LOCK).open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        began = time.monotonic()
        with pytest.raises(ModelCacheBusy), in_use(cache, "claim", timeout_s=0.3):
            pass
        assert 0.3 <= time.monotonic() - began < 5
    with in_use(cache, "claim", timeout_s=0.3) as use_file:
        assert use_file.is_file()


def test_notes_of_dead_claims_are_cleared_where_only_files_open_for_writing_are_locked(cache, monkeypatch):
    """As network file systems have it: there a lock for one alone fails on a file that is open for reading."""
    lock = fcntl.flock

    def lock_as_over_a_network(file, operation):
        descriptor = file if isinstance(file, int) else file.fileno()
        if operation & fcntl.LOCK_EX and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "bad file descriptor")
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_as_over_a_network)
    dead = cache / USES / "dead"
    dead.parent.mkdir(parents=True)
    dead.write_text("models--a\tsha\t10\n")
    with in_use(cache, "alive") as use_file:
        other = Revision(storage=cache / "models--b", sha="b")
        ModelCache(folder=cache, keeping=Keeping(use_file=use_file)).make_room(other, 1)
        assert [path.name for path in dead.parent.iterdir()] == ["alive"]
