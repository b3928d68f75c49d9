"""Single files of the hub: small ones into memory, the headers of large ones by range requests, checksums of all.

A token is used for the requests and is neither stored nor shown; without one, requests are anonymous even where this
machine has a token lying about.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from huggingface_hub import constants, hf_hub_url
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    WeakFileLock,
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)

from ..errors import HubUnavailable, ModelIncomplete
from .headers import LENGTH_BYTES, Tensor, header_bytes, parse_header
from .hub_errors import asked, causes
from .local import hub_storage
from .model_cache import Keeping, ModelCache, Revision

FIRST_BYTES = 100_000
"""What is asked for first of a file of weights: of a thousand models on the hub, 97 % have a shorter header."""


MAX_DESCRIPTION_BYTES = 20_000_000
"""The longest description of a model that is read: room for a hundred thousand files."""

MAX_REFUSAL_BYTES = 10_000
"""What is read of an answer that refuses."""

SLOWEST_TIMES = 6
"""A small file or a header may take so many times the timeout in all, however often a byte of it comes."""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Whom to ask, as whom, and where downloads are kept: `root` is the whole cache where `cache_dir` is part of it."""

    cache_dir: Path
    endpoint: str | None = None
    token: str | None = None
    timeout_s: float = 10.0
    keeping: Keeping = field(default_factory=Keeping)
    root: Path | None = None

    @property
    def cache(self) -> ModelCache:
        """What bounds the downloads."""
        return ModelCache(folder=self.root or self.cache_dir, keeping=self.keeping)

    def place(self, name: str, sha: str) -> Revision:
        """Where a commit is kept."""
        return Revision(storage=hub_storage(self.cache_dir, name), sha=sha)

    @property
    def credential(self) -> str | bool:
        """The token, or False: the client would otherwise take one from the environment or from home."""
        return self.token or False


def content(hub: Hub, name: str, sha: str, file: str, *, limit: int) -> bytes:
    """A file of a commit, in memory; ModelIncomplete as soon as more than `limit` bytes have come."""

    def request() -> bytes:
        return _start(hub, name, sha, file, limit=limit + 1)

    found = asked(name, sha, request)
    if len(found) > limit:
        raise ModelIncomplete(f"{file} has more than {limit} bytes", param="model")
    return found


def description(hub: Hub, name: str, revision: str) -> Any:
    """What the hub says of a model at a revision, as it was sent in JSON; the files are listed with their checksums."""
    api = (
        f"{hub.endpoint or constants.ENDPOINT}/api/models/{quote(name)}/revision/{quote(revision, safe='')}?blobs=true"
    )
    headers = build_hf_headers(token=hub.credential)
    found = asked(name, revision, lambda: _read(hub, api, headers, limit=MAX_DESCRIPTION_BYTES + 1))
    if len(found) > MAX_DESCRIPTION_BYTES:
        raise ModelIncomplete(f"the hub describes {name} in more than {MAX_DESCRIPTION_BYTES} bytes", param="model")
    return json.loads(found)


def header(hub: Hub, name: str, sha: str, sibling: RepoSibling) -> dict[str, Tensor]:
    """The tensors that a safetensors file of a commit declares, by one or two requests for its first bytes.

    What is not asked for is not read, also where the server sends it. Raises ModelIncomplete as `headers` does.
    """
    file, n_bytes = sibling.rfilename, sibling.size or 0
    first = min(FIRST_BYTES, n_bytes)
    start = asked(name, sha, lambda: _start(hub, name, sha, file, limit=first, is_range=True)) if first else b""
    n_header = header_bytes(start, name=file, n_bytes=n_bytes)
    end = LENGTH_BYTES + n_header
    if len(start) < end:
        start = asked(name, sha, lambda: _start(hub, name, sha, file, limit=end, is_range=True))
    if len(start) < end:
        raise HubUnavailable(f"the hub sent {len(start)} of the first {end} bytes of {file}")
    return parse_header(start[LENGTH_BYTES:end], name=file, n_bytes=n_bytes)


def verify(path: Path, sibling: RepoSibling) -> None:
    """Pass if the file has the checksum that the hub lists; else forget the file and raise HubUnavailable."""
    if not path.is_file():
        raise HubUnavailable(f"the hub lists {path.name} but did not deliver it")
    if sibling.lfs is not None:
        expected, digest = sibling.lfs.sha256, hashlib.sha256()
    elif sibling.blob_id is not None:
        expected, digest = (
            sibling.blob_id,
            hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False),
        )
    else:
        return
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != expected:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise HubUnavailable(
            f"{path.name} arrived with checksum {digest.hexdigest()}, the hub lists {expected}",
            hint="the file was removed; a new attempt downloads it again",
        )


def forget_damaged(hub: Hub, name: str, sha: str, error: BaseException) -> None:
    """Remove what a failed download left, unless another attempt can go on with it.

    Where the connection broke the next attempt resumes; where the hub is at fault it takes the files that came whole.
    Files that another process is writing are left to it.
    """
    is_refusal = not isinstance(error, HubUnavailable) or not hub.keeping.keeps_partial
    if not is_refusal and any(isinstance(cause, httpx2.TransportError) for cause in causes(error)):
        return
    storage = hub_storage(hub.cache_dir, name)
    for partial in storage.glob("blobs/*.incomplete"):
        lock = hub.cache_dir / ".locks" / storage.name / f"{partial.name.partition('.')[0]}.lock"
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with WeakFileLock(lock, timeout=0.1):
                partial.unlink(missing_ok=True)
        except TimeoutError:
            continue
    if is_refusal:
        hub.cache.forget(hub.place(name, sha))


def _start(hub: Hub, name: str, sha: str, file: str, *, limit: int, is_range: bool = False) -> bytes:
    """At most the first `limit` bytes of a file, with whatever the client raises."""
    url = hf_hub_url(name, file, revision=sha, endpoint=hub.endpoint)
    headers = build_hf_headers(token=hub.credential)
    if is_range:
        headers |= {"Range": f"bytes=0-{limit - 1}", "Accept-Encoding": "identity"}
    return _read(hub, url, headers, limit=limit)


def _read(hub: Hub, url: str, headers: Mapping[str, str], *, limit: int) -> bytes:
    """At most `limit` bytes of an answer; HubUnavailable where they drip, or where the token comes back in them."""
    found, deadline = bytearray(), time.monotonic() + SLOWEST_TIMES * hub.timeout_s
    with get_session().stream("GET", url, headers=headers, timeout=hub.timeout_s) as response:
        room = MAX_REFUSAL_BYTES if response.is_error else limit
        for block in response.iter_bytes():
            found += block
            if len(found) >= room:
                break
            if time.monotonic() > deadline:
                raise HubUnavailable(f"an answer of the hub was not whole after {SLOWEST_TIMES * hub.timeout_s:g} s")
        if response.is_error:
            response._content = bytes(found[:room])
        hf_raise_for_status(response)
    if hub.token and hub.token.encode() in found:
        raise HubUnavailable("the hub's answer repeats the token that it was asked with")
    return bytes(found[:limit])
