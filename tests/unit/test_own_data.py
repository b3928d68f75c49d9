"""Data sets of one's own: whichever way they are brought they are the same, and everything wrong is told at once."""

import csv
import json
import pickle
import stat
import zipfile

import numpy as np
import pytest

from scoring.benchmarks.base import benchmark_named
from scoring.benchmarks.catalogue import Catalogue
from scoring.ceilings import ceiling_of
from scoring.datasets.download import DataStore
from scoring.datasets.own import arrangement, intake
from scoring.datasets.own.declaration import Declaration
from scoring.datasets.own.files import read_experiment
from scoring.datasets.own.manifest import Manifest
from scoring.datasets.own.order import STAGED_FOLDER, Order
from scoring.datasets.own.store import find, own_name, own_names, versions
from scoring.errors import BenchmarkUnknown, DataChecksumMismatch, DataMalformed, RecordingRefused
from scoring.evaluate import compare
from scoring.metrics.linear_predictivity import predict_recording
from scoring.protocols import PROTOCOLS, protocol_named
from scoring.responses import Responses
from tests import own_data

MAX_BYTES = 10**7


@pytest.fixture
def folder(tmp_path):
    """A whole data set, as somebody would bring it."""
    return own_data.write_dataset(tmp_path / "mine")


@pytest.fixture
def take_in(tmp_path):
    """Takes a folder or file in; gives the manifest and the data that were written."""
    places = iter(tmp_path / f"work-{number}" for number in range(100))

    def take(source, **declared):
        work = next(places)
        work.mkdir()
        order = Order(name="mine", source=source, declared=Declaration(**declared), max_bytes=MAX_BYTES)
        return intake.take_in(order, work), read_experiment(work / STAGED_FOLDER)

    return take


@pytest.fixture
def refusal(take_in):
    """The lines of the refusal of a folder or file."""

    def refused(source, **declared):
        with pytest.raises(RecordingRefused) as caught:
            take_in(source, **declared)
        return caught.value.detail.split("\n")

    return refused


def codes(lines):
    return [line.split(":")[0] for line in lines[1:]]


def warned(manifest):
    return {note.code: note.detail for note in manifest.warnings}


def test_the_data_come_back_as_they_were_brought(folder, take_in):
    manifest, experiment = take_in(folder)
    assert np.array_equal(experiment.measured.values, own_data.responses())
    assert experiment.stimuli.texts == tuple(row["text"] for row in own_data.stimuli())
    assert experiment.groups == tuple(row["group"] for row in own_data.stimuli())
    assert experiment.measured.units.participants == tuple(row["participant"] for row in own_data.units())
    assert experiment.measured.units.regions == tuple(row["roi"] for row in own_data.units())
    assert (manifest.n_stimuli, manifest.n_units, manifest.n_folds) == (96, 12, 6)
    assert manifest.participants == dict.fromkeys(own_data.PARTICIPANTS, 6)
    assert set(manifest.protocols) == set(PROTOCOLS)


def test_the_ceiling_is_that_of_the_data_under_grouped(folder, take_in):
    own_data.change_table(folder / "units.csv", lambda rows: [row.update(participant="carla") for row in rows[9:]])
    manifest, experiment = take_in(folder)
    rules = protocol_named("grouped").brain_rules("own/mine")
    assert manifest.ceilings == {"grouped": ceiling_of(experiment, rules, manifest.n_folds)}
    assert 0 < manifest.ceilings["grouped"].value < 2
    assert take_in(own_data.zipped(folder))[0].ceilings == manifest.ceilings


def test_every_way_to_bring_the_same_data_gives_the_same_digest(folder, take_in, tmp_path):
    first = take_in(folder)[0].sha256
    ways = [own_data.zipped(folder), own_data.write_assembly(tmp_path / "a.nc")]
    assert {take_in(way)[0].sha256 for way in ways} == {first}


def responses_table():
    ids = [row["stimulus_id"] for row in own_data.stimuli()]
    names = [row["unit_id"] for row in own_data.units()]
    return ids, names, own_data.responses().astype(float)


def test_tables_of_responses_are_read_by_name(folder, take_in):
    import pyarrow as pa
    from pyarrow import parquet

    np.save(folder / "responses.npy", own_data.responses().astype(float))
    first = take_in(folder)[0].sha256
    (folder / "responses.npy").unlink()
    ids, names, values = responses_table()
    order = [*range(95, -1, -1)]
    with (folder / "responses.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*names[::-1], "stimulus_id"])
        writer.writerows([*map(repr, values[row, ::-1].tolist()), ids[row]] for row in order)
    assert take_in(folder)[0].sha256 == first
    (folder / "responses.csv").unlink()
    table = {"stimulus_id": ids} | {name: values[:, place] for place, name in enumerate(names)}
    parquet.write_table(pa.table(table), folder / "responses.parquet")
    assert take_in(folder)[0].sha256 == first


def test_stimuli_stand_passage_by_passage_whatever_their_order(folder, take_in):
    shuffled = np.random.default_rng(1).permutation(own_data.N_STIMULI)
    rows = own_data.stimuli()
    for number, row in enumerate(rows):
        row["position"] = str(number)
    own_data.write_table(folder / "stimuli.csv", [rows[row] for row in shuffled])
    np.save(folder / "responses.npy", own_data.responses()[shuffled])
    _, experiment = take_in(folder)
    of_text = dict(zip((row["text"] for row in rows), own_data.responses(), strict=True))
    assert [*map(list, experiment.measured.values)] == [list(of_text[text]) for text in experiment.stimuli.texts]
    for passage in experiment.stimuli.passages:
        assert [*passage.texts] == [row["text"] for row in rows if row["passage"] == passage.name]


def test_a_part_that_a_participant_did_not_take_leaves_the_others_whole(folder, take_in):
    own_data.change_table(
        folder / "stimuli.csv",
        lambda rows: [row.update(part="early" if row["group"] < "tale 3" else "late") for row in rows],
    )
    own_data.change_responses(folder, lambda values: values[48:, :6].fill(np.nan))
    manifest, experiment = take_in(folder)
    assert [(part.name, part.n_units, part.n_incomplete_units) for part in manifest.parts] == [
        ("early", 12, 0),
        ("late", 6, 0),
    ]
    assert manifest.n_folds == 3
    assert [len(part.rows) for part in experiment.measured.parts] == [48, 48]
    assert experiment.stimuli.passages[0].name == "early.tale 0, page 0"
    assert "protocol_unavailable" in warned(manifest)
    assert "paper-2312.00575" not in manifest.protocols


def test_everything_wrong_is_told_at_once(folder, refusal):
    own_data.change_table(folder / "stimuli.csv", lambda rows: rows[3].update(stimulus_id="s000"))
    own_data.change_table(folder / "stimuli.csv", lambda rows: rows[50].update(text=rows[0]["text"]))
    own_data.change_table(folder / "units.csv", lambda rows: rows[1].update(participant="ana"))
    own_data.change_responses(folder, lambda values: values.__setitem__((slice(3, 6), 2), np.inf))
    (folder / "dataset.toml").write_text('participants = ["anna", "ben"]\nlicense = "MIT"\n')
    lines = refusal(folder)
    assert lines[0] == "the data set has 5 errors, 1 warning"
    assert sorted(codes(lines)) == [
        "error declaration_malformed",
        "error id_repeated",
        "error participant_unknown",
        "error text_in_two_groups",
        "error value_infinite",
        "warning not_stated",
    ]
    told = "\n".join(lines)
    assert "did you mean licence" in told
    assert "'ana'" in told
    assert "'u2' (rows 4-6)" in told
    assert "lines 2, 52" in told


def test_missing_values_and_constant_units_are_warnings_with_their_places(folder, take_in):
    def spoil(values):
        values[4:9, 0] = values[30, 0] = values[2, 5] = np.nan
        values[:, 7] = 3

    own_data.change_responses(folder, spoil)
    manifest, experiment = take_in(folder)
    told = warned(manifest)
    assert "2 units: 'u0' (rows 5-9, 31), 'u5' (row 3)" in told["value_missing"]
    assert "'u7'" in told["unit_constant"]
    assert manifest.parts[0].n_incomplete_units == 2
    assert len(experiment.measured.parts[0].units) == 10


def test_a_participant_without_a_usable_unit_is_told(folder, take_in):
    own_data.change_responses(folder, lambda values: values[0, :6].fill(np.nan))
    (folder / "dataset.toml").write_text('participants = ["anna", "ben", "dora"]')
    manifest, _ = take_in(folder)
    told = [note.detail for note in manifest.warnings if note.code == "participant_without_units"]
    assert "'dora'" in told[0]
    assert told[1] == "no unit of 'anna' has a value in every row of any part"


def write_responses_csv(folder, change=lambda rows: None):
    """The responses as a table that names its rows and columns, changed by a function."""
    (folder / "responses.npy").unlink(missing_ok=True)
    ids, names, values = responses_table()
    rows = [["stimulus_id", *names], *([name, *map(repr, own)] for name, own in zip(ids, values.tolist(), strict=True))]
    change(rows)
    with (folder / "responses.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def rename(row, column, name):
    return lambda rows: rows[row].__setitem__(column, name)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            rename(4, 0, "s03"),
            "responses.csv line 5: 's03' is not in stimuli.csv; stimuli.csv line 5: 's003' has no row in responses.csv",
        ),
        (
            rename(0, 3, "v2"),
            "responses.csv: the column 'v2' is not in units.csv; units.csv line 4: 'u2' has no column in responses.csv",
        ),
        (
            rename(4, 0, "s000"),
            "stimuli.csv line 5: 's003' has no row in responses.csv; responses.csv line 2: 's000' comes again later",
        ),
    ],
)
def test_names_that_disagree_are_told_by_file_and_line(folder, refusal, change, told):
    write_responses_csv(folder, change)
    assert f"error names_disagree: {told}" in refusal(folder)


def test_lines_are_those_of_the_file_also_below_a_text_of_several_lines(folder, refusal):
    def spoil(rows):
        rows[0].update(text="One\ntext on\nthree lines")
        rows[1].update(passage="")

    own_data.change_table(folder / "stimuli.csv", spoil)
    assert "error cell_blank: stimuli: no passage in line 5" in refusal(folder)


def test_missing_values_are_told_by_the_lines_of_a_table_and_by_the_rows_of_an_array(folder, take_in):
    def swap(rows):
        rows[1], rows[2] = rows[2], rows[1]
        rows[1][1] = ""

    own_data.change_responses(folder, lambda values: values.__setitem__((1, 0), np.nan))
    assert "1 unit: 'u0' (row 2)" in warned(take_in(folder)[0])["value_missing"]
    write_responses_csv(folder, swap)
    assert "1 unit: 'u0' (line 2)" in warned(take_in(folder)[0])["value_missing"]


def test_a_response_that_is_no_number_is_told_by_line_and_column(folder, refusal):
    write_responses_csv(folder, rename(3, 2, "high"))
    assert "error not_numbers: responses.csv line 4, column 'u1': 'high' is not a number" in refusal(folder)


@pytest.mark.parametrize(("separator", "named"), [(";", "';'"), ("\t", "tabs")])
def test_cells_that_commas_do_not_separate_are_told_as_that(folder, refusal, separator, named):
    write_responses_csv(folder)
    names = ("stimuli.csv", "units.csv", "responses.csv")
    for name in names:
        with (folder / name).open(newline="") as stream:
            rows = [*csv.reader(stream)]
        with (folder / name).open("w", newline="") as stream:
            csv.writer(stream, delimiter=separator).writerows(rows)
    wrong = f"cells are separated by {named}; save it with commas between cells"
    assert refusal(folder)[1:4] == [f"error table_malformed: {name}: {wrong}" for name in names]


def without(name, column):
    """Leaves a column out of a table."""
    return lambda folder: own_data.change_table(folder / name, lambda rows: [row.pop(column) for row in rows])


def test_a_missing_column_hides_nothing_that_can_be_told_without_it(folder, refusal):
    own_data.change_table(folder / "stimuli.csv", lambda rows: rows[3].update(stimulus_id="s000"))
    own_data.change_table(folder / "units.csv", lambda rows: rows[3].update(unit_id="u0"))
    own_data.change_responses(folder, lambda values: values.__setitem__((5, 2), np.inf))
    for spoil in (without("stimuli.csv", "group"), without("units.csv", "participant")):
        spoil(folder)
    assert refusal(folder)[1:6] == [
        "error column_missing: stimuli.csv has no column group",
        "error column_missing: units.csv has no column participant",
        "error id_repeated: each stimulus_id has to stand once; 's000' comes again in line 5",
        "error id_repeated: each unit_id has to stand once; 'u0' comes again in line 5",
        "error value_infinite: infinite values in 1 unit: 'u2' (row 6)",
    ]


@pytest.mark.parametrize("column", ["stimulus_id", "text", "passage", "group"])
def test_stimuli_without_any_one_column_are_looked_over(folder, refusal, column):
    cells_are("stimuli.csv", EVERY, position="first")(folder)
    without("stimuli.csv", column)(folder)
    assert codes(refusal(folder))[:2] == ["error column_missing", "error position_malformed"]


def test_infinite_values_are_told_of_responses_of_the_wrong_shape(folder, refusal):
    own_data.change_responses(folder, lambda values: values.__setitem__((2, 3), np.inf))
    np.save(folder / "responses.npy", np.load(folder / "responses.npy")[:-1])
    told = refusal(folder)
    assert "error value_infinite: infinite values in 1 unit: 'u3' (row 3)" in told
    assert "error lengths_disagree: responses.npy has 95 rows, but there are 96 stimuli" in told
    np.save(folder / "responses.npy", np.load(folder / "responses.npy")[:, 1:])
    assert "error value_infinite: infinite values in 1 unit: 'column 3' (row 3)" in refusal(folder)


def make_small_group(folder):
    """The first group keeps two rows; the others of it go to a second."""
    own_data.change_table(folder / "stimuli.csv", lambda rows: [row.update(group="tale 1") for row in rows[2:16]])


def responses_are(values):
    return lambda folder: np.save(folder / "responses.npy", values)


def file_is(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def cells_are(name, rows, **cells):
    """Gives these rows of a table these cells."""
    return lambda folder: own_data.change_table(folder / name, lambda table: [row.update(cells) for row in table[rows]])


def with_value(rows, columns, value):
    values = own_data.responses()
    values[rows, columns] = value
    return responses_are(values)


EVERY = slice(None)


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (with_value(EVERY, slice(6), 1), "participant_constant", "fold 1: no unit of 'anna' varies over the test rows"),
        (with_value(0, EVERY, np.nan), "part_without_units", "96 rows"),
        (responses_are(own_data.responses()[:-1]), "lengths_disagree", "95 rows"),
        (responses_are(own_data.responses()[:, 1:]), "lengths_disagree", "11 columns"),
        (responses_are(own_data.responses()[0]), "not_a_table", "(12,)"),
        (responses_are(own_data.responses() + 1j), "not_numbers", "complex"),
        (file_is("responses.npy", b""), "file_empty", "responses.npy"),
        (file_is("responses.npy", b"\x93NUMPY rest"), "file_damaged", "responses.npy"),
        (lambda folder: (folder / "responses.npy").unlink(), "file_missing", "there is none"),
        (file_is("responses.csv", b"u0\n1\n"), "file_missing", "there are"),
        (file_is("stimuli.csv", b""), "file_empty", "stimuli.csv"),
        (file_is("stimuli.csv", b"\xef\xbb\xbf"), "file_empty", "stimuli.csv"),
        (file_is("units.csv", "\u00a0\n".encode()), "file_empty", "units.csv"),
        (file_is("units.csv", b"unit_id,participant\n"), "table_empty", "units.csv"),
        (file_is("stimuli.csv", b"text\n\xff\xfe"), "not_utf8", "line 2"),
        (file_is("stimuli.csv", b"text\n\0"), "not_text", "NUL"),
        (file_is("units.csv", b"unit_id,who\nu0,anna\n"), "column_missing", "participant"),
        (file_is("units.csv", b"unit_id,participant\nu0\n"), "row_uneven", "line 2"),
        (file_is("units.csv", b"unit_id,unit_id\nu0,u1\n"), "column_repeated", "unit_id"),
        (cells_are("stimuli.csv", slice(1), text="x" * 200_000), "cell_too_large", "131,072"),
        (cells_are("stimuli.csv", slice(4, 5), text="  "), "cell_blank", "line 6"),
        (cells_are("units.csv", slice(1, 2), participant=""), "cell_blank", "line 3"),
        (cells_are("units.csv", slice(1, 2), participant="a\tb"), "cell_unprintable", "line 3"),
        (cells_are("stimuli.csv", EVERY, position="first"), "position_malformed", "lines 2-97"),
        (cells_are("stimuli.csv", EVERY, position="1"), "position_repeated", "'1 in tale 0, page 0'"),
        (cells_are("units.csv", EVERY, x="1", y="left"), "coordinates_incomplete", "x and y"),
        (
            lambda folder: own_data.change_table(
                folder / "stimuli.csv", lambda table: [row.update(part=row["stimulus_id"]) for row in table]
            ),
            "parts_too_many",
            "64",
        ),
        (file_is("dataset.toml", b"title = 7"), "declaration_malformed", "a str"),
        (file_is("dataset.toml", b"title"), "declaration_malformed", "not TOML"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(folder, refusal, spoil, code, words):
    spoil(folder)
    lines = refusal(folder)
    (told,) = [line for line in lines if line.startswith(f"error {code}")][:1]
    assert words in told


def test_a_fold_with_two_rows_is_refused_where_folds_are_asked_for(folder, refusal, take_in):
    make_small_group(folder)
    (told,) = [line for line in refusal(folder, n_folds=6) if "folds_impossible" in line]
    assert "a fold has 2 test rows" in told
    manifest, _ = take_in(folder)
    assert f"{manifest.n_folds} folds would do" in told


def test_groups_too_few_for_any_folds_are_refused(folder, refusal):
    own_data.change_table(folder / "stimuli.csv", lambda rows: [row.update(group="one") for row in rows])
    (told,) = [line for line in refusal(folder) if "folds_impossible" in line]
    assert "1 groups cannot make 3 folds" in told
    assert "no number of folds" in told


@pytest.mark.parametrize("kind", ["raw", "saved"])
def test_a_pickle_is_never_opened(folder, refusal, kind, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    if kind == "raw":
        (folder / "responses.npy").write_bytes(pickle.dumps(Trap()))
    else:
        np.save(folder / "responses.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    assert "error pickle_refused" in codes(refusal(folder))
    assert not (tmp_path / "sprung").exists()


def test_texts_like_formulas_are_kept_and_told(folder, take_in):
    own_data.change_table(folder / "stimuli.csv", lambda rows: rows[1].update(text='=HYPERLINK("x")'))
    manifest, experiment = take_in(folder)
    assert experiment.stimuli.texts[1] == '=HYPERLINK("x")'
    assert "line 3" in warned(manifest)["text_like_formula"]


def test_files_and_columns_without_use_are_told(folder, take_in):
    (folder / "notes.txt").write_text("remember")
    own_data.change_table(folder / "units.csv", lambda rows: [row.update(colour="red") for row in rows])
    told = warned(take_in(folder)[0])
    assert ("'notes.txt'" in told["file_unused"], "'colour'" in told["column_unused"]) == (True, True)


@pytest.mark.parametrize("name", ["stimulus_id", "stimulus", "neuroid_id", "subject"])
def test_an_assembly_without_a_coordinate_is_refused_by_its_name(tmp_path, refusal, name):
    lines = refusal(own_data.write_assembly(tmp_path / "a.nc", without=name))
    (told,) = [line for line in lines if line.startswith("error coordinate_missing")]
    assert f"no coordinate {name}" in told


def test_an_assembly_takes_groups_from_stories_and_drops_one_time_bin(tmp_path, take_in):
    values = own_data.responses()
    path = own_data.write_assembly(tmp_path / "a.nc")
    import xarray

    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        dataset.load().expand_dims("time_bin", 1).drop_vars("passage").to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    _, experiment = take_in(tmp_path / "b.nc")
    assert np.array_equal(experiment.measured.values, values)
    assert [passage.name for passage in experiment.stimuli.passages] == [f"tale {number}" for number in range(6)]


def test_an_assembly_with_the_names_of_published_ones_keeps_its_passages(tmp_path, take_in):
    """`passage_label` tells passages, `story` topics, `subject_UID` participants."""
    path = own_data.write_assembly(tmp_path / "a.nc")
    import xarray

    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        renamed = dataset.load().rename(passage="passage_label", subject="subject_UID")
        renamed.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    (_, expected), (_, found) = take_in(path), take_in(tmp_path / "b.nc")
    assert found.stimuli == expected.stimuli
    assert found.measured.units.participants == expected.measured.units.participants


def test_single_words_may_stand_in_several_groups(folder, take_in):
    own_data.change_table(folder / "stimuli.csv", lambda rows: [rows[row].update(text="the") for row in (0, 50)])
    _, experiment = take_in(folder)
    assert experiment.stimuli.texts.count("the") == 2


def test_a_shipped_benchmark_has_one_version():
    assert Catalogue(None).benchmark("demo-fmri", 1).version == 1
    with pytest.raises(BenchmarkUnknown, match="demo-fmri is at version 1 here, not 99"):
        Catalogue(None).benchmark("demo-fmri", 99)


def test_an_assembly_with_bytes_that_are_no_text_is_refused(tmp_path, refusal):
    import h5py

    path = own_data.write_assembly(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        file["stimulus"][3] = b"\xff\xfe"
    assert codes(refusal(path))[0] == "error not_utf8"


def test_bytes_that_are_no_netcdf_are_refused(tmp_path, refusal):
    (tmp_path / "a.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    assert codes(refusal(tmp_path / "a.nc"))[:1] == ["error file_damaged"]
    (tmp_path / "b.nc").write_bytes(b"no such thing")
    assert "neither a ZIP archive nor netCDF" in refusal(tmp_path / "b.nc")[0]


def archive(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for entry, content in entries:
            opened.writestr(entry, content)
    return path


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("../stimuli.csv", "x")], "leads out"),
        ([("/stimuli.csv", "x")], "leads out"),
        ([("a\\..\\stimuli.csv", "x")], "leads out"),
        ([(link("stimuli.csv"), "units.csv")], "a link"),
        ([("a/stimuli.csv", "x"), ("b/units.csv", "x")], "several places"),
        ([("stimuli.csv", bytes(MAX_BYTES + 1))], "unpacks to more"),
        ([(f"{number}.txt", "") for number in range(1001)], "1001 files"),
    ],
)
def test_hostile_archives_are_refused(tmp_path, refusal, entries, words):
    assert words in refusal(archive(tmp_path / "a.zip", entries))[0]


def test_an_archive_that_says_less_than_it_holds_is_refused(tmp_path, folder, refusal):
    path = own_data.zipped(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert refusal(path)


def test_an_archive_of_the_folder_itself_is_taken(tmp_path, folder, take_in):
    names = ("stimuli.csv", "units.csv", "responses.npy")
    path = archive(tmp_path / "a.zip", [(f"mine/{name}", (folder / name).read_bytes()) for name in names])
    assert take_in(path)[0].sha256 == take_in(folder)[0].sha256


def test_what_is_declared_outdoes_the_file(folder, take_in):
    (folder / "dataset.toml").write_text('title = "Tales"\nlicence = "CC0"\nprivate = true\nn_folds = 4\n')
    manifest, _ = take_in(folder, licence="CC BY", n_folds=3)
    said = manifest.title, manifest.licence, manifest.citation, manifest.private, manifest.n_folds
    assert said == ("Tales", "CC BY", "not stated", True, 3)
    assert Manifest.read(next(path.parent for path in folder.parent.rglob("manifest.json"))) == manifest


def test_a_fold_is_made_as_the_protocol_makes_it(folder):
    rows = own_data.stimuli()
    table = {name: tuple(row[name] for row in rows) for name in rows[0]}
    ((_, (order, folds)),) = arrangement.folds_of_parts(table, 3).items()
    assert [sorted({table["group"][order[row]] for row in fold.test}) for fold in folds] == [
        ["tale 0", "tale 1"],
        ["tale 2", "tale 3"],
        ["tale 4", "tale 5"],
    ]


@pytest.fixture
def own_dir(folder, take_in, tmp_path):
    """A folder of data sets with two versions of one, and a private one."""
    places = tmp_path / "own"
    for name, version, declared in [("tales", 1, {}), ("tales", 2, {"n_folds": 3}), ("secret", 1, {"private": True})]:
        take_in(folder, **declared)
        work = max((path for path in tmp_path.glob("work-*/staged")), key=lambda path: path.stat().st_mtime_ns)
        (places / name).mkdir(parents=True, exist_ok=True)
        work.rename(places / name / str(version))
    return places


def test_the_catalogue_offers_the_newest_version_and_any_that_is_asked_for(own_dir):
    catalogue = Catalogue(own_dir)
    assert "own/tales" in catalogue.names()
    assert "own/secret" not in catalogue.names()
    assert catalogue.private_names() == {"own/secret"}
    newest, first = catalogue.benchmark("own/tales"), catalogue.benchmark("own/tales", 1)
    assert [(one.version, one.n_folds) for one in (newest, first)] == [(2, 3), (1, 6)]
    assert catalogue.benchmark("demo-fmri").name == "demo-fmri"
    assert (versions(own_dir, "tales"), versions(own_dir, "../own")) == ((1, 2), ())
    assert own_names(own_dir, include_private=True) == ("secret", "tales")


def test_unknown_names_and_versions_are_told_without_private_names(own_dir):
    catalogue = Catalogue(own_dir)
    for name, version in [
        ("own/tale", None),
        ("own/secrt", None),
        ("own/tales", 3),
        ("own/../x", None),
        ("demo", None),
    ]:
        with pytest.raises(BenchmarkUnknown) as caught:
            catalogue.benchmark(name, version)
        assert "secret" not in f"{caught.value.detail}{caught.value.hint}"
    with pytest.raises(BenchmarkUnknown):
        Catalogue(None).benchmark("own/tales")


def test_a_changed_file_is_a_wrong_checksum(own_dir):
    responses = own_dir / "tales" / "1" / "responses.npy"
    responses.write_bytes(responses.read_bytes()[:-1] + b"x")
    with pytest.raises(DataChecksumMismatch, match=r"responses\.npy"):
        find(own_dir, "tales", 1).load()
    find(own_dir, "tales", 2).load()


def test_a_damaged_manifest_hides_its_data_set_and_no_other(own_dir):
    (own_dir / "tales" / "2" / "manifest.json").write_text(json.dumps({"title": "x"}))
    catalogue = Catalogue(own_dir)
    assert "own/tales" not in catalogue.names()
    assert catalogue.benchmarks(["own/tales", "own/secret", "gone"]).keys() == {"own/secret"}
    with pytest.raises(DataMalformed):
        catalogue.benchmark("own/tales")


@pytest.mark.parametrize("name", ["tales", "own/", "own/../x", "own/a/b", "own/.x", f"own/{'x' * 61}"])
def test_ids_that_lead_elsewhere_are_refused(name):
    with pytest.raises(RecordingRefused):
        own_name(name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_copy_scores_near_one_and_noise_near_zero(own_dir, tmp_path, protocol):
    benchmark = Catalogue(own_dir).benchmark("own/tales", 1)
    experiment = benchmark.experiment(DataStore(cache=tmp_path))
    noise = np.random.default_rng(0).standard_normal((96, 20)).astype(np.float32)
    copy = experiment.measured.values.astype(np.float32)
    found = {}
    for name, features in (("noise", noise), ("copy", copy)):
        responses = Responses(layers={"block.0": features}, surprisals=None, conditions={})
        found[name] = compare(responses, benchmark, experiment, protocol_named(protocol), subject=name)
    assert found["copy"].raw > 0.99
    assert abs(found["noise"].raw) < 0.3
    assert (found["copy"].benchmark, found["copy"].benchmark_version) == ("own/tales", 1)


def test_a_real_participant_brought_as_ones_own_scores_as_the_published_one(data_store, take_in, tmp_path):
    store = data_store("pereira2018-example")
    published = benchmark_named("pereira2018-example")
    known = published.experiment(store)
    parts = {int(row): part.name for part in known.measured.parts for row in part.rows}
    folder = tmp_path / "pereira"
    folder.mkdir()
    rows = zip(known.stimuli.ids, known.stimuli.texts, known.passages, known.groups, strict=True)
    own_data.write_table(
        folder / "stimuli.csv",
        [
            {"stimulus_id": stimulus, "text": text, "passage": passage, "group": group, "part": parts[row]}
            for row, (stimulus, text, passage, group) in enumerate(rows)
        ],
    )
    own_data.write_table(
        folder / "units.csv", [{"unit_id": unit, "participant": "example"} for unit in known.measured.units.ids]
    )
    np.save(folder / "responses.npy", known.measured.values)
    manifest, brought = take_in(folder, n_folds=published.n_folds)
    assert np.array_equal(brought.measured.values, known.measured.values)
    features = np.random.default_rng(0).standard_normal((len(known.stimuli), 30)).astype(np.float32)
    features[:, 0] = [len(text) for text in known.stimuli.texts]
    rules = protocol_named("grouped").brain
    raws = [
        predict_recording({"block.0": features}, experiment, rules, n_folds=manifest.n_folds).raw
        for experiment in (known, brought)
    ]
    assert raws[0] == pytest.approx(raws[1], abs=1e-12)
