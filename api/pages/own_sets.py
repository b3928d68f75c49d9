"""The data sets that users brought, as a caller may see them listed."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.datasets.own.manifest import Manifest
from scoring.datasets.own.store import OwnDataset, find, own_names, versions
from scoring.errors import BenchmarkUnknown, DataMalformed
from storage.staging import owner_of

from ..security import Caller
from ..settings import ApiSettings
from . import addresses


@dataclass(frozen=True, kw_only=True)
class OwnSet:
    """The newest version of a data set, whether this caller brought it, and where it is shown."""

    id: str
    version: int
    n_versions: int
    manifest: Manifest
    is_own: bool
    address: str

    @property
    def kind(self) -> str:
        """What was brought."""
        if self.manifest.text is not None:
            return "text"
        return "recording" if self.manifest.reading is None else "reading times"


def own_sets(settings: ApiSettings, caller: Caller) -> list[OwnSet]:
    """All public data sets, and the private ones that the caller brought; others show them only to who names them.

    What was brought without a key belongs to who asks without one, which is possible on this machine alone.
    """
    found = (_own_set(name, settings, caller) for name in own_names(settings.own_dir, include_private=True))
    return [one for one in found if one is not None and (one.is_own or not one.manifest.private)]


def _own_set(name: str, settings: ApiSettings, caller: Caller) -> OwnSet | None:
    try:
        newest: OwnDataset = find(settings.own_dir, name)
    except (BenchmarkUnknown, DataMalformed):
        return None
    return OwnSet(
        id=newest.benchmark_id,
        version=newest.version,
        n_versions=len(versions(settings.own_dir, name)),
        manifest=newest.manifest,
        is_own=owner_of(newest.folder) == caller.key_id,
        address=addresses.benchmark(newest.benchmark_id),
    )
