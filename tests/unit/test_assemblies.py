"""Published recordings: what their loaders make of files in the published format, and what they refuse."""

import numpy as np
import pytest

from scoring.benchmarks.base import benchmark_named
from scoring.datasets import blank2014, fedorenko2016, pereira2018, pereira2018_auditory, tuckute2024
from scoring.datasets.assembly import gathered, read_assembly
from scoring.datasets.download import DataStore
from scoring.errors import DataChecksumMismatch, DataMalformed
from scoring.evaluate import score
from scoring.responses import Responses
from tests import recordings
from tests.recordings import ASSEMBLIES, known, made_recordings, manifest_with, write_assembly


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with made_recordings(tmp_path_factory.mktemp("mirror")) as found:
        yield found


@pytest.fixture
def store_with(tmp_path):
    """Gives a mirror whose file of a data set holds other numbers or coordinates."""
    opened = []

    def make(name, values, presentations, neuroids, **options):
        path = write_assembly(tmp_path / "brain_score" / f"{name}.nc", values, presentations, neuroids, **options)
        opened.append(manifest_with(known(name, path, tmp_path)))
        opened[-1].__enter__()
        return DataStore(cache=tmp_path / "cache", mirror=tmp_path, offline=True)

    yield make
    for one in opened:
        one.__exit__(None, None, None)


def test_sentences_of_pereira_stand_in_their_passages_and_topics(store):
    experiment = pereira2018.load(store)
    assert len(experiment.stimuli) == 288
    assert experiment.stimuli.passages[0].name == "384sentences.topic0-0"
    assert experiment.stimuli.passages[0].texts == tuple(
        f"Sentence {number} of passage topic0-0 in 384sentences." for number in range(3)
    )
    assert len(set(experiment.groups)) == 48
    assert [part.name for part in experiment.measured.parts] == ["384sentences", "243sentences"]
    assert len(set(experiment.stimuli.ids)) == 288
    assert experiment.ceiling is None


def test_every_response_keeps_its_sentence(store):
    values, presentations, _ = recordings.pereira2018()
    by_text = dict(zip(presentations["stimulus"], values, strict=True))
    experiment = pereira2018.load(store)
    for text, row in zip(experiment.stimuli.texts, experiment.measured.values, strict=True):
        np.testing.assert_array_equal(row, by_text[text])


def test_a_part_has_the_units_of_those_who_took_it_and_counts_units_with_gaps(store):
    recording = pereira2018.load(store).measured
    of_384, of_243 = recording.parts
    assert sorted(set(recording.participants_of(of_384))) == ["A", "B"]
    assert sorted(set(recording.participants_of(of_243))) == ["A", "C"]
    assert (len(of_384.units), of_384.n_incomplete_units) == (9, 1)
    assert (len(of_243.units), of_243.n_incomplete_units) == (9, 1)
    assert recording.units.regions[:3] == ("1", "1", "2")
    np.testing.assert_array_equal(recording.units.coordinates[2], [3, 4, 5])


def test_one_experiment_is_the_same_data_with_one_part(store):
    both = pereira2018.load(store)
    one = benchmark_named("pereira2018-384").experiment(store)
    assert one.stimuli.ids == both.stimuli.ids[:144]
    assert [part.name for part in one.measured.parts] == ["384sentences"]
    assert one.data_sha256 == benchmark_named("pereira2018").data_sha256(store)


def test_auditory_voxels_are_data_of_their_own(store):
    assert len(pereira2018_auditory.load(store).measured.values) == 288
    names = ("pereira2018", "pereira2018-auditory")
    assert len({benchmark_named(name).data_sha256(store) for name in names}) == 2


def test_only_voxels_of_the_atlas_are_taken(store_with):
    values, presentations, neuroids = recordings.pereira2018()
    atlas = np.array(["language"] * 5 + ["visual"] * 10)
    found = pereira2018.load(
        store_with("pereira2018", values, presentations, {**neuroids, "atlas": atlas}), experiments=["384sentences"]
    )
    assert set(found.measured.units.participants) == {"A"}
    with pytest.raises(DataMalformed, match="no neuroid whose atlas is 'language'"):
        pereira2018.load(store_with("pereira2018", values, presentations, {**neuroids, "atlas": ["visual"] * 15}))


def test_a_silent_moment_shows_what_was_heard_last(store):
    experiment = blank2014.load(store)
    timeline = experiment.measured.timeline
    assert len(experiment.stimuli) == 159
    assert [own.tolist() for own in timeline.stimuli[31:36]] == [[31], [32], [32], [33], [34]]
    assert timeline.delays == (0,)
    assert experiment.groups[:21] == ("Story0",) * 20 + ("Story1",)
    assert experiment.measured.units.ids[0] == "061.01_LH_PostTemp"
    assert experiment.measured.units.regions[1] == "02_LH_AntTemp"


def test_nothing_was_heard_before_the_first_words_of_a_story():
    found = blank2014.heard_last(["a", "", "", "b", ""], ["one", "one", "two", "two", "two"])
    assert [own.tolist() for own in found] == [[0], [0], [], [1], [1]]


def test_words_of_fedorenko_are_read_in_their_sentence(store):
    experiment = fedorenko2016.load(store)
    assert experiment.stimuli.passages[1].text.startswith("THE WORD9 WORD10")
    assert experiment.groups[7:9] == ("sentence-0", "sentence-1")
    assert experiment.measured.units.participants == ("1",) * 4 + ("2",) * 4


def test_sentences_of_tuckute_stand_alone(store):
    experiment = tuckute2024.load(store)
    assert len(experiment.stimuli.passages) == len(set(experiment.groups)) == 120
    assert experiment.measured.units.regions == ("lang_LH_netw",)
    assert experiment.measured.values.shape == (120, 1)


def test_a_single_time_bin_is_no_dimension(store_with):
    made = recordings.tuckute2024()
    experiment = tuckute2024.load(store_with("tuckute2024", *made, n_time_bins=1))
    np.testing.assert_array_equal(experiment.measured.values, made[0])
    with pytest.raises(DataMalformed, match=r"presentation \(120\), neuroid \(1\), time_bin \(3\), not"):
        tuckute2024.load(store_with("tuckute2024", *made, n_time_bins=3))


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("pereira2018", "passage_label"),
        ("pereira2018", "story"),
        ("pereira2018", "subject"),
        ("blank2014", "fROI_area"),
        ("fedorenko2016", "sentence_id"),
        ("tuckute2024", "stimulus"),
    ],
)
def test_a_missing_coordinate_is_named_beside_those_that_are_there(store_with, name, missing):
    values, presentations, neuroids = ASSEMBLIES[name]()
    dimension = "presentation" if missing in presentations else "neuroid"
    presentations.pop(missing, None)
    neuroids.pop(missing, None)
    there = sorted(presentations if dimension == "presentation" else neuroids)[0]
    store = store_with(name, values, presentations, neuroids)
    with pytest.raises(DataMalformed, match=rf"no coordinate '{missing}' on {dimension}; it has: .*{there}"):
        benchmark_named(name).experiment(store)


def test_text_that_is_a_number_is_refused(store_with):
    values, presentations, neuroids = recordings.tuckute2024()
    store = store_with("tuckute2024", values, {**presentations, "stimulus": np.arange(120)}, neuroids)
    with pytest.raises(DataMalformed, match="'stimulus' does not hold text"):
        tuckute2024.load(store)


def test_responses_that_are_no_numbers_are_refused(store_with):
    _, presentations, neuroids = recordings.tuckute2024()
    store = store_with("tuckute2024", np.full((120, 1), "high"), presentations, neuroids)
    with pytest.raises(DataMalformed, match="not real numbers"):
        tuckute2024.load(store)


def test_a_file_that_is_no_netcdf_is_refused(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"\x80\x04 not a recording")
    with pytest.raises(DataMalformed, match=r"a\.nc cannot be read as netCDF"):
        read_assembly(tmp_path / "a.nc")


def test_a_file_cut_short_is_refused(tmp_path):
    path = write_assembly(tmp_path / "a.nc", *recordings.blank2014())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataMalformed, match=r"a\.nc cannot be read as netCDF"):
        read_assembly(path)


def test_another_file_under_the_name_is_refused(store_with, tmp_path):
    made = recordings.tuckute2024()
    store = store_with("tuckute2024", *made)
    write_assembly(tmp_path / "brain_score" / "tuckute2024.nc", made[0] + 1, *made[1:])
    with pytest.raises(DataChecksumMismatch, match="sha1"):
        tuckute2024.load(store)


def test_units_with_gaps_everywhere_leave_nothing_to_score(store_with):
    values, presentations, neuroids = recordings.tuckute2024()
    values[5] = np.nan
    with pytest.raises(DataMalformed, match="no unit with a value in every row"):
        tuckute2024.load(store_with("tuckute2024", values, presentations, neuroids))


def test_integers_are_responses_too_and_single_precision_stays(tmp_path):
    values, presentations, neuroids = recordings.tuckute2024()
    small = write_assembly(tmp_path / "small.nc", values.astype(np.float32), presentations, neuroids)
    whole = write_assembly(tmp_path / "whole.nc", np.arange(120)[:, None], presentations, neuroids)
    assert read_assembly(small).values.dtype == np.float32
    assert read_assembly(whole).values.dtype == np.float64


def test_rows_of_one_key_are_gathered_in_the_order_of_first_appearance():
    np.testing.assert_array_equal(gathered(["b", "a", "b", "c", "a"]), [0, 2, 1, 4, 3])


class _Given:
    """A subject with these features in its one layer."""

    identifier = "given"

    def __init__(self, features):
        self._features = features.astype(np.float32)

    def respond(self, stimuli, *, layers, surprisal, on_progress=lambda _: None):
        return Responses(layers={"block.0": self._features})


def test_a_unit_that_never_varies_is_left_out_and_counted(store_with):
    values, presentations, neuroids = recordings.fedorenko2016()
    constant = values.copy()
    constant[:, 2] = 4.0
    found = score(_Given(values), "fedorenko2016", data=store_with("fedorenko2016", constant, presentations, neuroids))
    assert (found.n.units, found.n.valid_units) == (8, 7)
    assert found.measures["n_constant_response"] == 10
    assert found.raw > 0.95


def test_too_few_rows_for_a_fold_are_refused(store_with):
    values, presentations, neuroids = recordings.blank2014()
    kept = np.flatnonzero(~((presentations["story"] == "Story3") & (np.arange(160) % 20 > 1)))
    few = {name: np.asarray(column)[kept] for name, column in presentations.items()}
    store = store_with("blank2014", values[kept], few, neuroids)
    with pytest.raises(DataMalformed, match="a fold has 2 test rows"):
        score(_Given(values[kept][:141]), "blank2014", data=store)


def test_a_sentence_in_two_topics_is_refused(store_with):
    values, presentations, neuroids = recordings.pereira2018()
    presentations["stimulus"][20] = presentations["stimulus"][0]
    store = store_with("pereira2018", values, presentations, neuroids)
    with pytest.raises(DataMalformed, match="stands in the groups"):
        score(_Given(np.nan_to_num(values)), "pereira2018", data=store)
