"""What a model may be called, decided by pattern alone: no disk, no network, standard library only.

What belongs here: the shape of ids and revisions. What does not: whether such a model exists (`sources`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from ..errors import ModelIdMalformed, OptionUnknown, shown

MAX_ID_CHARACTERS = 96
MAX_REVISION_CHARACTERS = 128
DEFAULT_REVISION = "main"
"""The branch meant where none is named, and the only one of a model without commits."""
DEMO_NAMES = ("tiny",)
MAX_SEED = 2**31 - 1

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?:{_PART}/)?{_PART}")
_FOLDER = re.compile(_PART)
_REVISION = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+/-]*[A-Za-z0-9_+-])?")
_COMMIT_SHA = re.compile(r"[0-9a-f]{40}")
_SEED = re.compile(r"0|[1-9][0-9]{0,9}")
_HUB_HINT = "a model is named as on the hub: `name` or `organisation/name`, of letters, digits, `-`, `_` and `.`"


class Namespace(StrEnum):
    """Where a model comes from."""

    HUB = "hub"
    """The Hugging Face hub, or a mirror that speaks its protocol."""
    LOCAL = "local"
    """A folder below the folder of local models."""
    DEMO = "demo"
    """A small model that is written on first use, for tutorials and tests."""
    UNTRAINED = "untrained"
    """Another model's architecture and tokenizer with random weights, drawn under a seed."""
    IMPORTED = "imported"
    """Responses or word vectors that somebody brought as a file."""
    BASELINE = "baseline"
    """Features without language, which the service scores by itself; nobody can ask for them."""


@dataclass(frozen=True, kw_only=True)
class ModelId:
    """A model id that keeps the rules; `str` gives it back as it was written.

    `inner` and `seed` are those of an untrained twin: whose architecture it has and how its weights are drawn.
    """

    namespace: Namespace
    name: str
    inner: ModelId | None = None
    seed: int | None = None

    def __str__(self) -> str:
        return self.name if self.namespace is Namespace.HUB else f"{self.namespace}/{self.name}"


def parse(model_id: str) -> ModelId:
    """The namespace and name that `model_id` stands for.

    Raises ModelIdMalformed for whatever the hub would not accept as a repository (URLs, paths, `..`, `--`),
    for local, demo and imported names that are not one plain name, for untrained twins without a seed or of
    something that has no architecture, and for baselines.
    """
    prefix, slash, rest = model_id.partition("/")
    if slash and prefix == Namespace.BASELINE:
        raise _malformed(
            "`baseline/` is reserved for the baselines that are computed beside every score of brain recordings",
            "read them in a score's `baselines`, or on the leaderboard with include_baselines=true",
        )
    if slash and prefix == Namespace.UNTRAINED:
        return _untrained(rest)
    if slash and prefix == Namespace.IMPORTED:
        return ModelId(namespace=Namespace.IMPORTED, name=_import_name(rest))
    if slash and prefix == Namespace.LOCAL:
        return ModelId(namespace=Namespace.LOCAL, name=_folder_name(rest))
    if slash and prefix == Namespace.DEMO:
        return ModelId(namespace=Namespace.DEMO, name=_demo_name(rest))
    return ModelId(namespace=Namespace.HUB, name=_hub_name(model_id))


def is_plain_name(name: str) -> bool:
    """Whether a folder or an import can have this name: one plain name, which leads out of no folder."""
    return len(name) <= MAX_ID_CHARACTERS and _FOLDER.fullmatch(name) is not None and ".." not in name


def check_revision(revision: str) -> str:
    """`revision` itself, if a branch, a tag or a commit can have this name; ModelIdMalformed otherwise."""
    plain = len(revision) <= MAX_REVISION_CHARACTERS and _REVISION.fullmatch(revision)
    if not plain or ".." in revision or "//" in revision or "/." in revision:
        raise ModelIdMalformed(
            f"the revision {shown(revision)} cannot be the name of a branch, a tag or a commit",
            hint="give a branch (`main`), a tag (`v1.0`) or a commit sha of 40 hexadecimal digits",
            param="revision",
        )
    return revision


def parse_adapter(adapter: str) -> tuple[str, str]:
    """The repository and the commit of an adapter `organisation/name@<commit sha>`; raises OptionUnknown.

    The commit is part of the name, so that a score says which adapter it is of.
    """
    name, _, sha = adapter.rpartition("@")
    try:
        known = parse(name)
    except ModelIdMalformed as error:
        raise OptionUnknown(f"adapter: {error.detail}", hint=error.hint, param="options.adapter") from error
    if known.namespace is not Namespace.HUB or not is_commit_sha(sha):
        raise OptionUnknown(
            f"adapter {adapter[:160]!a} is not a repository of the hub at a full commit",
            hint="write `organisation/name@` and the 40 hexadecimal digits of a commit",
            param="options.adapter",
        )
    return name, sha


def is_commit_sha(revision: str) -> bool:
    """Whether `revision` is a full commit sha, which names the same files for ever."""
    return _COMMIT_SHA.fullmatch(revision) is not None


def _hub_name(name: str) -> str:
    if "://" in name:
        raise _malformed(f"{shown(name)} is a URL", _HUB_HINT)
    if len(name) > MAX_ID_CHARACTERS:
        raise _malformed(f"the model id has {len(name)} characters, the hub allows {MAX_ID_CHARACTERS}", _HUB_HINT)
    if not _HUB_ID.fullmatch(name) or ".." in name or "--" in name or name.endswith(".git"):
        raise _malformed(f"{shown(name)} cannot be the id of a model on the hub", _HUB_HINT)
    return name


def _untrained(rest: str) -> ModelId:
    """The twin `<id>@<seed>`; a seed is written without leading zeros, so that each twin has one name."""
    inner_id, at, seed = rest.rpartition("@")
    if not at or not _SEED.fullmatch(seed) or int(seed) > MAX_SEED:
        raise _malformed(
            f"{shown(rest)} names no seed from 0 to {MAX_SEED}", "name a twin as `untrained/<model id>@<seed>`"
        )
    inner = parse(inner_id)
    if inner.namespace in (Namespace.UNTRAINED, Namespace.IMPORTED):
        raise _malformed(
            f"`{inner.namespace}/` cannot have an untrained twin: it has no weights of its own to leave out",
            "name a model of the hub, `local/<folder>` or `demo/tiny` after `untrained/`",
        )
    return ModelId(namespace=Namespace.UNTRAINED, name=rest, inner=inner, seed=int(seed))


def _import_name(name: str) -> str:
    if not is_plain_name(name):
        hint = "`imported/` is followed by one plain name of letters, digits, `-`, `_` and `.`"
        raise _malformed(f"{shown(name)} cannot be the name of imported responses", hint)
    return name


def _folder_name(name: str) -> str:
    if not is_plain_name(name):
        hint = "`local/` is followed by the name of one folder in the folder of local models, not by a path"
        raise _malformed(f"{shown(name)} is not the plain name of a folder", hint)
    return name


def _demo_name(name: str) -> str:
    if name not in DEMO_NAMES:
        near = get_close_matches(name[:MAX_ID_CHARACTERS], DEMO_NAMES, n=1)
        hint = f"did you mean `demo/{near[0]}`?" if near else f"there is `demo/{DEMO_NAMES[0]}`"
        raise _malformed(f"there is no demonstration model {shown(name)}", hint)
    return name


def _malformed(detail: str, hint: str) -> ModelIdMalformed:
    return ModelIdMalformed(detail, hint=hint, param="model")
