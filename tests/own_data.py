"""A small data set of one's own, as somebody would bring it: planted responses to sentences of a few topics."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from scoring.datasets.own.declaration import Declaration
from scoring.datasets.own.intake import take_in
from scoring.datasets.own.order import STAGED_FOLDER, Order

N_GROUPS, N_PASSAGES, N_SENTENCES = 6, 2, 8
N_STIMULI = N_GROUPS * N_PASSAGES * N_SENTENCES
PARTICIPANTS = ("anna", "ben")
"""Two, who give no ceiling: that takes time."""

UNITS_EACH = 6
N_UNITS = UNITS_EACH * len(PARTICIPANTS)

Rows = list[dict[str, str]]


def stimuli() -> Rows:
    """96 sentences, no two alike, in 12 passages of 6 groups."""
    places = np.ndindex(N_GROUPS, N_PASSAGES, N_SENTENCES)
    return [
        {
            "stimulus_id": f"s{group}{passage}{sentence}",
            "text": f"In tale {group} the {'old ' * passage}fox counts to {sentence}{'!' * (sentence % 3)}",
            "passage": f"tale {group}, page {passage}",
            "group": f"tale {group}",
        }
        for group, passage, sentence in places
    ]


def units() -> Rows:
    """Six units of each of two participants."""
    return [
        {"unit_id": f"u{n}", "participant": PARTICIPANTS[n // UNITS_EACH], "roi": "IFG" if n % 2 else "MTG"}
        for n in range(N_UNITS)
    ]


def responses(seed: int = 0) -> NDArray[np.float32]:
    """What every unit shares, which follows the length of a sentence and its end, and noise: (96, 12)."""
    texts = [row["text"] for row in stimuli()]
    design = np.array([[len(text) / 10, text.count("!")] for text in texts])
    rng = np.random.default_rng(seed)
    signal = design @ rng.standard_normal((2, N_UNITS))
    return np.asarray(signal + 0.5 * rng.standard_normal(signal.shape), dtype=np.float32)


def write_table(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Rows of text as CSV."""
    rows = list(rows)
    with path.open("w", newline="", encoding="utf8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_dataset(folder: Path, *, seed: int = 0) -> Path:
    """A folder with a whole data set."""
    folder.mkdir(parents=True)
    write_table(folder / "stimuli.csv", stimuli())
    write_table(folder / "units.csv", units())
    np.save(folder / "responses.npy", responses(seed))
    return folder


def add_versions(own_dir: Path, name: str, *numbers: int) -> None:
    """Makes the data set a benchmark at these versions, all of the same data, as adding it would."""
    with TemporaryDirectory() as work:
        source = write_dataset(Path(work) / "mine")
        take_in(Order(name=name, source=source, declared=Declaration(), max_bytes=None), Path(work))
        for number in numbers:
            shutil.copytree(Path(work) / STAGED_FOLDER, own_dir / name / str(number))


def change_table(path: Path, change: Callable[[Rows], object]) -> None:
    """Let a function change the rows of a table."""
    with path.open(newline="", encoding="utf8") as stream:
        rows = list(csv.DictReader(stream))
    change(rows)
    write_table(path, rows)


def change_responses(folder: Path, change: Callable[[NDArray[np.float32]], object]) -> None:
    """Let a function change the responses of a data set in place."""
    values = np.load(folder / "responses.npy")
    change(values)
    np.save(folder / "responses.npy", values)


def zipped(folder: Path) -> Path:
    """A ZIP archive of a folder, beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))


def write_assembly(path: Path, *, without: str = "", values: NDArray[np.float32] | None = None) -> Path:
    """The same data set as one netCDF assembly, without one of its coordinates."""
    import xarray

    rows, columns = stimuli(), units()
    of_rows = {"stimulus_id": "stimulus_id", "stimulus": "text", "passage": "passage", "story": "group"}
    of_columns = {"neuroid_id": "unit_id", "subject": "participant", "roi": "roi"}
    coordinates = {name: ("presentation", [row[column] for row in rows]) for name, column in of_rows.items()}
    coordinates |= {name: ("neuroid", [unit[column] for unit in columns]) for name, column in of_columns.items()}
    coordinates.pop(without, None)
    array = xarray.DataArray(
        responses() if values is None else values, dims=("presentation", "neuroid"), coords=coordinates, name="data"
    )
    array.to_netcdf(path, engine="h5netcdf")
    return path
