"""Wehbe et al. 2014: arrays that people bring, how they fit together, and pickles that are never run."""

import pickle

import numpy as np
import pytest

from scoring.benchmarks.base import benchmark_named
from scoring.datasets import wehbe2014
from scoring.datasets.download import DataStore
from scoring.datasets.manifest import dataset_named
from scoring.datasets.wehbe_conversion import convert, main, read_array
from scoring.errors import DataChecksumMismatch, DataMalformed, DataMissing
from scoring.subjects.contexts import contexts, effective_context
from tests.recordings import list_sums, wehbe2014_arrays, write_wehbe2014


@pytest.fixture
def arrays():
    return wehbe2014_arrays()


@pytest.fixture
def store_of(tmp_path):
    def make(arrays):
        write_wehbe2014(tmp_path / "wehbe2014", arrays)
        return DataStore(cache=tmp_path / "cache", mirror=tmp_path, offline=True)

    return make


def test_words_belong_to_the_last_moment_before_them(arrays, store_of):
    experiment = wehbe2014.load(store_of(arrays))
    timeline = experiment.measured.timeline
    for moment, own in enumerate(timeline.stimuli):
        shown = [word for word, time in enumerate(arrays["time_words_fmri"]) if 2 * moment < time <= 2 * moment + 2]
        assert own.tolist() == (shown if moment < 259 else [*shown, *range(shown[-1] + 1, 1000)])


def test_the_edges_of_runs_have_no_response(arrays, store_of):
    experiment = wehbe2014.load(store_of(arrays))
    timeline = experiment.measured.timeline
    assert len(timeline.runs) == 260
    assert timeline.rows.tolist() == [65 * run + moment for run in range(4) for moment in range(20, 50)]
    assert (timeline.delays, timeline.n_purged) == ((1, 2, 3, 4), 5)
    assert experiment.groups == tuple(f"run-{run}" for run in (1, 2, 3, 4) for _ in range(30))


def test_recordings_without_edges_are_taken_as_they_are(arrays, store_of):
    kept = np.concatenate([np.arange(65 * run + 20, 65 * run + 50) for run in range(4)])
    trimmed = {**arrays, "time_fmri": arrays["time_fmri"][kept], "runs_fmri": arrays["runs_fmri"][kept]}
    timeline = wehbe2014.load(store_of(trimmed)).measured.timeline
    np.testing.assert_array_equal(timeline.rows, np.arange(120))


def test_any_participants_may_be_brought(arrays, store_of):
    store = store_of(arrays)
    assert set(wehbe2014.load(store).measured.units.participants) == {"F", "N"}
    (store.mirror / "wehbe2014" / "data_subject_F.npy").unlink()
    list_sums(store.mirror / "wehbe2014")
    assert set(wehbe2014.load(store).measured.units.participants) == {"N"}
    (store.mirror / "wehbe2014" / "data_subject_N.npy").unlink()
    list_sums(store.mirror / "wehbe2014")
    with pytest.raises(DataMissing, match="no participant"):
        wehbe2014.load(store)


def test_words_are_read_in_a_window_unless_another_context_is_chosen(arrays, store_of):
    stimuli = wehbe2014.load(store_of(arrays)).stimuli
    assert effective_context(stimuli, "story") == "window:80"
    assert effective_context(stimuli, "window:20") == "window:20"
    found = contexts(stimuli, "story")
    assert len(found) == 1000
    assert len(found[500].passage.spans) == 80


def test_the_identity_of_the_data_is_that_of_the_files_at_hand(arrays, store_of):
    benchmark = benchmark_named("wehbe2014")
    store = store_of(arrays)
    both = benchmark.data_sha256(store)
    assert benchmark.experiment(store).data_sha256 == both
    del arrays["data_subject_N"]
    (store.mirror / "wehbe2014" / "data_subject_N.npy").unlink()
    assert benchmark.data_sha256(store_of(arrays)) != both


def test_nothing_brought_is_missing_and_says_what_to_do(tmp_path):
    for store in (DataStore(cache=tmp_path), DataStore(cache=tmp_path, mirror=tmp_path)):
        assert not store.is_ready(dataset_named("wehbe2014"))
        with pytest.raises(DataMissing) as caught:
            benchmark_named("wehbe2014").data_sha256(store)
        assert "wehbe2014/SHA256SUMS" in caught.value.hint


def test_a_file_changed_since_it_was_listed_is_refused(arrays, store_of):
    store = store_of(arrays)
    assert store.is_ready(dataset_named("wehbe2014"))
    np.save(store.mirror / "wehbe2014" / "data_subject_F.npy", arrays["data_subject_F"] + 1)
    with pytest.raises(DataChecksumMismatch):
        wehbe2014.load(store)


@pytest.mark.parametrize(
    "line", ["nonsense", "0" * 64 + "  ../secret.npy", "0" * 64 + "  a/b.npy", "z" * 64 + "  a.npy"]
)
def test_a_list_that_is_none_is_refused(arrays, store_of, line):
    store = store_of(arrays)
    (store.mirror / "wehbe2014" / "SHA256SUMS").write_text(f"{line}\n")
    with pytest.raises(DataMalformed, match="SHA256SUMS has the line"):
        wehbe2014.load(store)
    assert not store.is_ready(dataset_named("wehbe2014"))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("runs_fmri", lambda array: array[:-1], "do not agree"),
        ("words_fmri", lambda array: array[:-1], "do not agree"),
        ("words_fmri", lambda array: np.arange(len(array)), "not a list of words"),
        ("time_fmri", lambda array: array[::-1], "do not rise"),
        ("time_words_fmri", lambda array: array * np.nan, "not a list of finite numbers"),
        ("data_subject_F", lambda array: array[:-1], "do not agree"),
        ("data_subject_F", lambda array: array[:, 0], "not moments × voxels"),
        ("data_subject_F", lambda array: array.astype(object), "not a plain array"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, store_of, name, change, message):
    store = store_of({**arrays, name: change(arrays[name])})
    with pytest.raises(DataMalformed, match=message):
        wehbe2014.load(store)


def test_rows_that_are_neither_all_moments_nor_the_trimmed_ones_are_refused(arrays, store_of):
    shorter = {name: array[:-1] if name.startswith("data") else array for name, array in arrays.items()}
    with pytest.raises(DataMalformed, match="119 rows of responses are neither all 260 moments nor the 120"):
        wehbe2014.load(store_of(shorter))


class _Evil:
    """A pickle that would run a program."""

    def __reduce__(self):
        return print, ("run",)


def test_a_pickle_offered_as_data_is_refused_and_not_run(arrays, store_of, capsys):
    store = store_of(arrays)
    path = store.mirror / "wehbe2014" / "data_subject_F.npy"
    path.write_bytes(pickle.dumps(_Evil()))
    list_sums(store.mirror / "wehbe2014")
    with pytest.raises(DataMalformed, match="not a plain array"):
        wehbe2014.load(store)
    np.save(path, np.array([_Evil()], dtype=object))
    list_sums(store.mirror / "wehbe2014")
    with pytest.raises(DataMalformed, match="not a plain array"):
        wehbe2014.load(store)
    with pytest.raises(DataMalformed, match="builtins"):
        read_array(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "content",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=">f4").reshape(3, 4)),
        np.array(["Harry", "had", "never"]),
        np.array(["Harry", "had"], dtype=object),
        np.array([b"Harry", b"had"]),
        [np.str_("Harry"), np.str_("had")],
        [np.float64(0.5), np.float64(1.5)],
        [[1.0, 2.0], [3.0, 4.0]],
        [np.arange(3.0), np.arange(3.0)],
    ],
    ids=lambda content: type(content).__name__,
)
def test_pickled_arrays_are_read_without_running_them(tmp_path, content, protocol):
    path = tmp_path / "a.p"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    found, expected = read_array(path), np.asarray(content)
    assert found.shape == expected.shape
    assert found.tolist() == [one.decode() if isinstance(one, bytes) else one for one in expected.tolist()]


def test_words_in_boxes_of_their_own_become_words(tmp_path):
    boxes = np.empty(3, dtype=object)
    boxes[:] = [np.array(["Harry"]), np.array(["had"]), ["never"]]
    np.save(tmp_path / "words.npy", boxes)
    assert read_array(tmp_path / "words.npy").tolist() == ["Harry", "had", "never"]


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n.",
        b"cnumpy\nload\n(S'a'\ntR.",
        b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        b"cnumpy\ndtype\n(S'f8,O'\ntR.",
        b"\x80\x04",
        b"",
        pickle.dumps({"a": 1}),
        pickle.dumps([1, "a"]),
        pickle.dumps(np.zeros(2, dtype="f8,i4")),
        pickle.dumps(np.zeros(2, dtype=complex)),
    ],
)
def test_other_pickles_are_refused(tmp_path, content):
    (tmp_path / "a.p").write_bytes(content)
    with pytest.raises(DataMalformed):
        read_array(tmp_path / "a.p")


def test_converted_files_are_a_folder_that_can_be_scored(arrays, tmp_path, capsys):
    source = tmp_path / "authors"
    write_wehbe2014(source, {name: array for name, array in arrays.items() if name != "words_fmri"})
    words = np.empty(len(arrays["words_fmri"]), dtype=object)
    words[:] = arrays["words_fmri"]
    np.save(source / "words_fmri.npy", words)
    (source / "data_subject_N.npy").unlink()
    (source / "data_subject_N.p").write_bytes(pickle.dumps(arrays["data_subject_N"]))
    assert main([str(source), str(tmp_path / "wehbe2014")]) == 0
    assert "data_subject_N.npy" in capsys.readouterr().out
    experiment = wehbe2014.load(DataStore(cache=tmp_path / "cache", mirror=tmp_path))
    assert experiment.stimuli.texts == tuple(arrays["words_fmri"])
    np.testing.assert_allclose(experiment.measured.values[:, 3:], arrays["data_subject_N"], rtol=1e-6)


def test_a_folder_without_what_is_needed_is_refused(arrays, tmp_path, capsys):
    write_wehbe2014(tmp_path / "authors", {"time_fmri": arrays["time_fmri"]})
    with pytest.raises(DataMissing, match="has no runs_fmri"):
        convert(tmp_path / "authors", tmp_path / "made")
    assert main([str(tmp_path / "authors"), str(tmp_path / "made")]) == 1
    assert "has no runs_fmri" in capsys.readouterr().err
    assert main([]) == 2
