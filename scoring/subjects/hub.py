"""Models of the Hugging Face hub: from a name to a checked folder, refusing before weights move.

What belongs here: every request to the hub and the meaning of its answers. What does not: what the files have to look
like (`checks`). A token is used for the requests and is neither stored nor shown; without one, requests are anonymous
even where this machine has a token lying about.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import httpx2
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import ModelInfo, RepoSibling
from huggingface_hub.utils.tqdm import tqdm

from ..errors import (
    HubUnavailable,
    InsufficientStorage,
    ModelGated,
    ModelIncomplete,
    ModelNotFound,
    RevisionNotFound,
    ScoringError,
)
from . import checks
from .local import downloaded_folder, is_model_file, mark_verified
from .model_ids import is_commit_sha

OnProgress = Callable[[float, str], None]
"""Told how far things are, from 0 to 1 and never backwards, and in a few words what is going on."""

_T = TypeVar("_T")
_MAX_ANSWER_CHARACTERS = 500
_TOKEN_HINT = "if it exists and is private, give the server a token that may read it (HF_TOKEN)"


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Whom to ask, as whom, and where downloads are kept."""

    cache_dir: Path
    endpoint: str | None = None
    token: str | None = None
    timeout_s: float = 10.0

    @property
    def credential(self) -> str | bool:
        """The token, or False: the client would otherwise take one from the environment or from home."""
        return self.token or False


def fetch(
    hub: Hub, name: str, revision: str, *, supported: Collection[str], on_progress: OnProgress, weights: bool = True
) -> tuple[str, Path]:
    """The commit that `revision` of the hub's model `name` stands for, and the folder with its checked files.

    In order: commit, file list, configurations, disk space, download, checksums. Raises ModelNotFound,
    RevisionNotFound, ModelGated, NoSafetensors, RemoteCodeRefused, ArchitectureUnsupported, InsufficientStorage
    before weights move; HubUnavailable wherever asking again may help. Without `weights` none move, and none have to
    be there.
    """
    on_progress(0.0, f"asking the hub for {name} at {revision}")
    info = _asked(name, revision, lambda: _model_info(hub, name, revision))
    sha = str(info.sha)
    folder = downloaded_folder(hub.cache_dir, name, sha, weights=weights)
    if folder is None:
        files = {sibling.rfilename: sibling for sibling in info.siblings or () if "/" not in sibling.rfilename}
        chosen = _checked_files(hub, name, sha, files, supported, weights=weights)
        _check_space(hub.cache_dir, sum(files[file].size or 0 for file in chosen))
        folder = _download(hub, name, sha, [files[file] for file in chosen], on_progress)
        mark_verified(hub.cache_dir, name, sha, chosen, weights=weights)
    on_progress(1.0, f"{name} is here")
    return sha, folder


def _model_info(hub: Hub, name: str, revision: str) -> ModelInfo:
    api = HfApi(endpoint=hub.endpoint, token=hub.credential)
    try:
        info = api.model_info(name, revision=revision, files_metadata=True, timeout=hub.timeout_s)
    except HfHubHTTPError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise HubUnavailable(f"the hub's description of {name} cannot be read: {type(error).__name__}") from error
    if not is_commit_sha(info.sha or ""):
        raise HubUnavailable(f"the hub names no commit for {name} at {revision}")
    return info


def _checked_files(
    hub: Hub, name: str, sha: str, files: dict[str, RepoSibling], supported: Collection[str], *, weights: bool
) -> list[str]:
    """The files to download, after the checks that need only the file list and the small JSON files."""
    entries = (checks.weights_entry(files),) if weights else checks.require_plain_files(files)
    for file in checks.CODE_BEARING:
        if file in files:
            document = checks.read_json(_small_file(hub, name, sha, files[file]))
            checks.check_no_code(document, file)
            if file == checks.CONFIG:
                checks.check_config(document, supported)
    shards: tuple[str, ...] = ()
    if checks.WEIGHTS_INDEX in entries:
        index = checks.read_json(_small_file(hub, name, sha, files[checks.WEIGHTS_INDEX]))
        shards = checks.shard_names(index, files)
    rest = (file for file in files if is_model_file(file) and ".safetensors" not in file)
    return sorted({*entries, *shards, *rest})


def _small_file(hub: Hub, name: str, sha: str, sibling: RepoSibling) -> Path:
    """A configuration file of the repository, refused by its announced size before it is fetched."""
    file, n_bytes = sibling.rfilename, sibling.size or 0
    if n_bytes > checks.MAX_CONFIG_BYTES:
        raise ModelIncomplete(f"{file} has {n_bytes} bytes, more than {checks.MAX_CONFIG_BYTES}", param="model")

    def request() -> str:
        return hf_hub_download(
            name,
            file,
            revision=sha,
            cache_dir=hub.cache_dir,
            endpoint=hub.endpoint,
            token=hub.credential,
            etag_timeout=hub.timeout_s,
            tqdm_class=_silent_bar(lambda n_bytes: None),
        )

    return Path(_asked(name, sha, request))


def _download(hub: Hub, name: str, sha: str, siblings: list[RepoSibling], on_progress: OnProgress) -> Path:
    """The folder of the commit with exactly these files, verified against the checksums of the file list."""
    n_bytes = sum(sibling.size or 0 for sibling in siblings)

    def request() -> str:
        return snapshot_download(
            name,
            revision=sha,
            cache_dir=hub.cache_dir,
            endpoint=hub.endpoint,
            token=hub.credential,
            etag_timeout=hub.timeout_s,
            allow_patterns=[sibling.rfilename for sibling in siblings],
            tqdm_class=_silent_bar(_reporter(n_bytes, on_progress)),
        )

    folder = Path(_asked(name, sha, request))
    for sibling in siblings:
        _verify(folder / sibling.rfilename, sibling)
    return folder


def _verify(path: Path, sibling: RepoSibling) -> None:
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


def _reporter(n_total: int, on_progress: OnProgress) -> Callable[[int], None]:
    """A function that takes the bytes that have come and passes on each half per cent, from any thread."""
    lock, reported = Lock(), 0

    def report(n_bytes: int) -> None:
        nonlocal reported
        with lock:
            if n_bytes - reported >= max(1, n_total // 200):
                reported = n_bytes
                on_progress(min(1.0, n_bytes / n_total), f"{n_bytes / 1e6:.1f} of {n_total / 1e6:.1f} MB")

    return report


def _silent_bar(report: Callable[[int], None]) -> type[tqdm]:
    """A progress bar class for the client that draws nothing and reports the bytes that it counts.

    The client keeps one bar of bytes received and one of bytes written; the one that is ahead counts.
    """

    class SilentBar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if self.counts_bytes:
                report(int(self.n))

    return SilentBar


def _check_space(cache_dir: Path, n_bytes: int) -> None:
    cache_dir.mkdir(parents=True, exist_ok=True)
    n_free = shutil.disk_usage(cache_dir).free
    if n_bytes > n_free:
        raise InsufficientStorage(
            f"the model has {n_bytes} bytes, the disk of the model cache has {n_free} free",
            hint="free space there, or point the cache to a larger disk",
        )


def _asked(name: str, revision: str, request: Callable[[], _T]) -> _T:
    """The answer to a request, or the error of ours that the hub's refusal stands for."""
    try:
        return request()
    except (httpx2.HTTPError, OSError, RuntimeError) as error:  # RuntimeError is how the Xet transfer fails
        raise _translated(error, name, revision) from error


def _translated(error: Exception, name: str, revision: str) -> ScoringError:
    """Our error for one of the client's, which may hide the hub's answer behind errors about its cache."""
    for cause in _causes(error):
        if isinstance(cause, HfHubHTTPError):
            return _of_answer(cause, name, revision)
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
        return InsufficientStorage(f"the model cache cannot be written: {error.strerror}")
    last = list(_causes(error))[-1]
    answer = " ".join(str(last).split())[:_MAX_ANSWER_CHARACTERS]
    return HubUnavailable(f"the hub did not deliver {name} at {revision}: {type(last).__name__} ({answer})")


def _of_answer(error: HfHubHTTPError, name: str, revision: str) -> ScoringError:
    """Our error for a refusal by the hub, with its own words."""
    status = error.response.status_code
    said = " ".join((error.server_message or "no explanation").split())[:_MAX_ANSWER_CHARACTERS]
    answer = f"the hub answered {status}: {said}"
    if isinstance(error, GatedRepoError):
        hint = "ask its owner for access on the hub, then give the server a token of that account (HF_TOKEN)"
        return ModelGated(f"{name} is gated; {answer}", hint=hint, param="model")
    if isinstance(error, RevisionNotFoundError):
        hint = "look at the branches and tags on the hub, or leave the revision out"
        return RevisionNotFound(f"{name} has no revision {revision}; {answer}", hint=hint, param="revision")
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        return ModelNotFound(f"{name} is not on the hub; {answer}", hint=_TOKEN_HINT, param="model")
    if status == 429 or status >= 500:
        after = error.response.headers.get("Retry-After", "")
        return HubUnavailable(f"{name}: {answer}", retry_after_s=float(after) if after.isdecimal() else None)
    return ModelNotFound(f"{name} cannot be read; {answer}", param="model")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
