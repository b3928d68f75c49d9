"""Where versions lie and how they are found: `<folder>/<name>/<version>/`, versions counted from 1.

What belongs here: reading. Putting a version there is told in `storage.recordings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ... import SCORING_VERSION
from ...errors import BenchmarkUnknown, DataChecksumMismatch, DataMalformed, DataMissing, RecordingRefused, shown
from ...registry import did_you_mean
from ...subjects.model_ids import is_plain_name
from ..base import Experiment
from ..texts import decoded, experiment_on
from .arrangement import GROUPED
from .corpus_files import read_corpus
from .files import digests, read_experiment
from .manifest import MANIFEST_FILE, Manifest
from .reading import TEXT_FILE

PREFIX = "own/"
MAX_ID_CHARACTERS = 64
"""Of a benchmark's id, prefix included."""


@dataclass(frozen=True, kw_only=True)
class OwnDataset:
    """One version of a data set that somebody brought."""

    name: str
    version: int
    folder: Path
    manifest: Manifest

    @property
    def benchmark_id(self) -> str:
        """The id of the benchmark on these data."""
        return f"{PREFIX}{self.name}"

    def require_checksums(self) -> None:
        """Pass if every file is as it was when the version was made. Raises DataMissing, DataChecksumMismatch."""
        try:
            found = digests(self.folder, self.manifest.files)
        except OSError as error:
            reason = f"the files of {self.benchmark_id} version {self.version} cannot be read: {error.strerror}"
            raise DataMissing(reason, hint="server and workers must see the same BROCA_DATASET_DIR") from error
        changed = [name for name, sha256 in self.manifest.files.items() if found.get(name) != sha256]
        if changed:
            raise DataChecksumMismatch(
                f"{', '.join(changed)} of {self.benchmark_id} version {self.version} changed since it was added",
                hint=f"remove {self.folder} and add the data set again",
            )

    def load(self) -> Experiment:
        """The data, checked. Raises DataMissing, DataChecksumMismatch."""
        self.require_checksums()
        said = self.manifest
        if said.text is not None:
            return experiment_on(decoded((self.folder / TEXT_FILE).read_bytes(), TEXT_FILE), self.benchmark_id)
        if said.reading is None:
            return read_experiment(self.folder)
        return read_corpus(self.folder, said.reading, ceiling=said.ceiling_of(GROUPED, SCORING_VERSION))


def own_name(benchmark_id: str) -> str:
    """The name in `own/<name>`. Raises RecordingRefused where it cannot be one."""
    name = benchmark_id.removeprefix(PREFIX)
    if not benchmark_id.startswith(PREFIX) or not is_plain_name(name) or len(benchmark_id) > MAX_ID_CHARACTERS:
        raise RecordingRefused(
            f"{shown(benchmark_id)} cannot be the id of a data set",
            hint=f"`{PREFIX}` is followed by one plain name of letters, digits, `-`, `_` and `.`; "
            f"{MAX_ID_CHARACTERS} characters in all",
            param="id",
        )
    return name


def versions(own_dir: Path | None, name: str) -> tuple[int, ...]:
    """The versions that are there, in order."""
    if own_dir is None or not is_plain_name(name):
        return ()
    found = (path.parent.name for path in (own_dir / name).glob(f"*/{MANIFEST_FILE}"))
    return tuple(sorted(int(version) for version in found if _is_version(version)))


def own_names(own_dir: Path | None, *, include_private: bool) -> tuple[str, ...]:
    """The names of data sets, sorted; private ones, and damaged ones, only where they are asked for."""
    if own_dir is None or not own_dir.is_dir():
        return ()
    names = sorted(path.name for path in own_dir.iterdir() if versions(own_dir, path.name))
    return tuple(name for name in names if include_private or _is_public(own_dir, name))


def find(own_dir: Path | None, name: str, version: int | None = None) -> OwnDataset:
    """A data set at a version, or (None) at its newest. Raises BenchmarkUnknown, DataMalformed."""
    known = versions(own_dir, name)
    if own_dir is None or not known:
        near = did_you_mean(name[:MAX_ID_CHARACTERS], own_names(own_dir, include_private=False))
        raise BenchmarkUnknown(
            f"no data set was added as {shown(name)}",
            hint=near or "`broca data add` and POST /v1/benchmarks add one; command and server need one data folder",
        )
    wanted = known[-1] if version is None else version
    if wanted not in known:
        raise BenchmarkUnknown(f"{PREFIX}{name} has no version {wanted}; there are {', '.join(map(str, known))}")
    folder = own_dir / name / str(wanted)
    return OwnDataset(name=name, version=wanted, folder=folder, manifest=Manifest.read(folder))


def _is_public(own_dir: Path, name: str) -> bool:
    try:
        return not find(own_dir, name).manifest.private
    except DataMalformed:
        return False


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit() and not text.startswith("0") and len(text) < 10
