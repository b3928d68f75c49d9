"""Reading corpora of one's own: single readings and means of them agree, and everything wrong is told at once."""

import numpy as np
import pytest

from scoring.baselines import score_baseline
from scoring.benchmarks.base import Kind, benchmark_named
from scoring.benchmarks.catalogue import Catalogue
from scoring.datasets.download import DataStore
from scoring.datasets.manifest import Alignment
from scoring.datasets.own import intake
from scoring.datasets.own.corpus_files import read_corpus
from scoring.datasets.own.declaration import Declaration
from scoring.datasets.own.manifest import Manifest
from scoring.datasets.own.order import STAGED_FOLDER, Order
from scoring.errors import DataChecksumMismatch, ProtocolUnsupported, RecordingRefused
from scoring.evaluate import compare
from scoring.metrics.correlation import pearson
from scoring.protocols import protocol_named
from scoring.reliability import from_item_variance, split_half
from scoring.responses import Responses, SurprisalKind, Surprisals
from scoring.results import CeilingMethod
from tests import own_corpus, own_data


@pytest.fixture
def folder(tmp_path):
    """A whole corpus of single readings."""
    return own_corpus.write_corpus(tmp_path / "mine")


@pytest.fixture
def work(tmp_path):
    """Makes folders to take data in, which lie where versions would."""
    places = iter(tmp_path / "own" / "mine" / str(number) for number in range(1, 100))

    def make():
        place = next(places)
        place.mkdir(parents=True)
        return place

    return make


@pytest.fixture
def take_in(work):
    """Takes a folder or file in; gives the manifest and the data that were written."""

    def take(source, **declared):
        place = work()
        order = Order(name="mine", source=source, declared=Declaration(**declared), max_bytes=10**7)
        manifest = intake.take_in(order, place)
        assert Manifest.read(place / STAGED_FOLDER) == manifest
        return manifest, read_corpus(place / STAGED_FOLDER, manifest.reading)

    return take


@pytest.fixture
def refusal(work):
    """The lines of the refusal of a folder; nothing was written then."""

    def refused(source, **declared):
        place = work()
        order = Order(name="mine", source=source, declared=Declaration(**declared), max_bytes=10**7)
        with pytest.raises(RecordingRefused) as caught:
            intake.take_in(order, place)
        assert [path.name for path in place.rglob("*")] == [STAGED_FOLDER]
        assert caught.value.hint == "docs/how-to/bring-your-own-reading-times.md tells what the files hold"
        return caught.value.detail.split("\n")

    return refused


@pytest.fixture
def own_dir(folder, work, tmp_path):
    """A folder of data sets with one version of a corpus."""
    place = work()
    order = Order(name="tales", source=folder, declared=Declaration(title="Tales"), max_bytes=10**7)
    intake.take_in(order, place)
    (tmp_path / "versions" / "tales").mkdir(parents=True)
    (place / STAGED_FOLDER).rename(tmp_path / "versions" / "tales" / "1")
    return tmp_path / "versions"


def warned(manifest):
    return {note.code: note.detail for note in manifest.warnings}


def change(name, alter):
    """Lets a function change the rows of a table of a folder."""
    return lambda folder: own_data.change_table(folder / name, alter)


def cells_are(name, rows, **cells):
    """Gives these rows of a table these cells."""
    return change(name, lambda table: [row.update(cells) for row in table[rows]])


def times_are(rows):
    """Puts other times into a folder."""
    return lambda folder: own_data.write_table(folder / "times.csv", rows)


def test_single_readings_come_back_as_words_means_and_readings(folder, take_in):
    manifest, experiment = take_in(folder)
    times, expected = experiment.measured, own_corpus.values()
    assert experiment.stimuli.texts == tuple(row["word"] for row in own_corpus.words())
    assert [passage.name for passage in experiment.stimuli.passages] == [*own_corpus.STORIES]
    assert experiment.stimuli.passages[0].text.startswith(" ".join(row["word"] for row in own_corpus.words()[:5]))
    assert experiment.groups == tuple(row["story"] for row in own_corpus.words())
    assert experiment.stimuli.ids[40] == "tale b.1"
    np.testing.assert_allclose(times.published, expected.mean(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(times.published, times.realigned)
    np.testing.assert_allclose(times.sd_ms, expected.std(axis=1, ddof=1), rtol=1e-12)
    assert set(times.n_readers) == {8}
    assert times.n_participants == 8
    assert times.log_frequency[3] == float(own_corpus.words()[3]["log_frequency"])
    assert set(times.readings) == {"published", "realigned"}
    readings = times.readings["published"]
    np.testing.assert_array_equal(readings.times_ms, expected[readings.words, readings.readers])
    assert len(readings.times_ms) == expected.size
    assert (manifest.n_stimuli, manifest.n_units, manifest.n_folds, manifest.parts) == (120, 1, 0, ())
    assert manifest.participants == dict.fromkeys(own_corpus.READERS, 1)
    facts = manifest.reading
    assert (facts.measure, facts.alignment, facts.n_stories) == ("time_ms", Alignment.CORRECTED, 3)
    assert (facts.n_participants, facts.n_readings) == (8, expected.size)
    assert [*warned(manifest)] == ["not_stated"]


def test_single_readings_and_means_of_them_give_the_same_mean_times(folder, take_in, tmp_path):
    _, single = take_in(folder)
    other = own_corpus.write_corpus(tmp_path / "means", own_corpus.means(own_corpus.values()))
    manifest, means = take_in(other)
    np.testing.assert_allclose(means.measured.published, single.measured.published, rtol=1e-12)
    np.testing.assert_allclose(means.measured.sd_ms, single.measured.sd_ms, rtol=1e-12)
    np.testing.assert_array_equal(means.measured.n_readers, single.measured.n_readers)
    assert means.stimuli == single.stimuli
    assert (means.measured.n_participants, means.measured.readings) == (8, {})
    assert (manifest.participants, manifest.reading.n_readings) == ({}, None)


def test_the_ceiling_is_of_halves_of_readers_or_of_items_spread(folder, take_in, tmp_path):
    manifest, experiment = take_in(folder)
    assert manifest.ceilings == {"grouped": split_half(own_corpus.values())}
    assert experiment.ceiling == manifest.ceilings["grouped"]
    assert experiment.ceiling.method is CeilingMethod.SPLIT_HALF
    other = own_corpus.write_corpus(tmp_path / "means", own_corpus.means(own_corpus.values()))
    manifest, experiment = take_in(other)
    times = experiment.measured
    assert experiment.ceiling == from_item_variance(times.published, times.sd_ms, times.n_readers)
    assert manifest.ceilings["grouped"] == experiment.ceiling
    assert 0.5 < experiment.ceiling.value < 1


def test_means_without_their_spread_have_no_ceiling_and_say_why(take_in, tmp_path):
    folder = own_corpus.write_corpus(tmp_path / "bare", own_corpus.means(own_corpus.values(), spread=False))
    manifest, experiment = take_in(folder)
    assert experiment.ceiling.value is None
    assert "n and sd" in experiment.ceiling.reason
    assert manifest.ceilings["grouped"] == experiment.ceiling
    assert "no column n and no column sd" in warned(manifest)["spread_unknown"]
    assert (manifest.reading.n_participants, take_in(folder, participants=("a", "b"))[0].n_participants) == (0, 2)


def test_the_order_of_rows_does_not_matter(folder, take_in):
    first = take_in(folder)[0].sha256
    change("times.csv", lambda rows: rows.sort(key=lambda row: (row["word_index"], row["time_ms"])))(folder)
    assert take_in(own_data.zipped(folder))[0].sha256 == first
    cells_are("times.csv", slice(1), time_ms="777")(folder)
    assert take_in(folder)[0].sha256 != first


def test_times_recorded_one_word_early_are_moved_on_if_that_is_declared(folder, take_in, refusal):
    _, expected = take_in(folder)
    times_are(own_corpus.single(own_corpus.one_early(own_corpus.values())))(folder)
    manifest, experiment = take_in(folder, alignment="original")
    assert manifest.reading.alignment is Alignment.ORIGINAL
    times, first = experiment.measured, np.arange(0, 120, 40)
    assert np.isnan(times.realigned[first]).all()
    kept = np.setdiff1d(np.arange(120), first)
    np.testing.assert_allclose(times.realigned[kept], expected.measured.published[kept], rtol=1e-12)
    realigned = times.readings["realigned"]
    np.testing.assert_array_equal(realigned.times_ms, own_corpus.values()[realigned.words, realigned.readers])
    assert len(realigned.times_ms) == len(kept) * 8
    (told,) = [line for line in refusal(folder) if line.startswith("error alignment_contradicted")]
    assert "declared corrected, but do not stand as corrected times do" in told
    assert told.endswith("counts for little; declare `original`)")


def test_an_alignment_that_the_times_contradict_is_refused(folder, refusal):
    (told,) = [line for line in refusal(folder, alignment="original") if line.startswith("error alignment")]
    assert "declared original, but do not stand as original times do: r of word length and time by lag" in told
    assert told.endswith("counts for little; declare `corrected`)")


@pytest.mark.parametrize("alignment", ["corrected", "original"])
def test_few_words_do_not_tell_how_times_stand_and_the_warning_says_so(folder, take_in, alignment):
    for name in ("words.csv", "times.csv"):
        keep(name, lambda rows: [row for row in rows if int(row["word_index"]) <= 10])(folder)
    manifest, experiment = take_in(folder, alignment=alignment)
    lengths = np.array([len(text) for text in experiment.stimuli.texts], dtype=np.float64)
    r = pearson(lengths, experiment.measured.published)
    assert r > 0.5
    assert warned(manifest)["alignment_unchecked"] == (
        f"times: 30 words with a time are too few to tell whether they stand as declared, {alignment}, which "
        f"is taken on trust (their r with the length of the word at which they stand is {r:.2f})"
    )


def test_times_without_regard_to_lengths_do_not_tell_how_they_stand(folder, take_in):
    times_are(own_corpus.single(np.random.default_rng(3).uniform(300, 400, (120, 8)).round()))(folder)
    assert "follow the lengths of words so little" in warned(take_in(folder)[0])["alignment_unchecked"]


def test_another_measure_is_taken_by_its_name(folder, take_in, refusal):
    rows = [row | {"gaze_ms": str(float(row["time_ms"]) + 50)} for row in own_corpus.single(own_corpus.values())]
    times_are(rows)(folder)
    _, times = take_in(folder)
    manifest, gaze = take_in(folder, measure="gaze_ms")
    np.testing.assert_allclose(gaze.measured.published, times.measured.published + 50)
    assert manifest.reading.measure == "gaze_ms"
    assert "'time_ms'" in warned(manifest)["column_unused"]
    (told,) = [line for line in refusal(folder, measure="go_past_ms") if "measure_missing" in line]
    assert "no column 'go_past_ms'" in told
    for name in ("participant", "story", "word_index", "time_ms", "gaze_ms"):
        assert f"'{name}'" in told
    (folder / "dataset.toml").write_text('measure = "gaze_ms"\n')
    assert take_in(folder)[0].sha256 == manifest.sha256


@pytest.mark.parametrize("form", ["single", "means"])
def test_amplitudes_may_be_negative_and_their_lags_are_not_looked_at(tmp_path, take_in, form):
    values = np.round(own_corpus.one_early(own_corpus.values())[:, :4] - 400)
    values[np.isnan(values)] = 0
    rows = {"single": own_corpus.single, "means": own_corpus.means}[form](values, "n400_uv")
    manifest, experiment = take_in(own_corpus.write_corpus(tmp_path / "eeg", rows), measure="n400_uv")
    np.testing.assert_allclose(experiment.measured.published, values.mean(axis=1), atol=1e-9)
    assert experiment.measured.published.min() < 0
    assert experiment.measured.readings == {}
    assert [*warned(manifest)] == ["not_stated"]


def test_what_is_strange_is_counted_and_kept(folder, take_in):
    rows = own_corpus.single(own_corpus.values())
    rows[0]["time_ms"], rows[1]["time_ms"], rows[2]["time_ms"] = "99", "3001", ""
    rows = [row for row in rows if (row["story"], row["word_index"]) != ("tale a", "6")]
    rows.append({"participant": "visitor", "story": "tale a", "word_index": "1", "time_ms": "300"})
    times_are(rows)(folder)
    manifest, experiment = take_in(folder)
    told = warned(manifest)
    assert told["time_outlying"] == "times: 2 of 952 lie outside 100-3,000 ms; they are kept"
    assert told["value_missing"] == "times: 1 reading has no value and is left out: line 4"
    assert told["reader_left_out"] == "times: 1 reader has fewer than 2 values and is left out: 'visitor'"
    assert told["word_without_time"] == "1 of 120 words has no value and is left out: 'tale a.6'"
    times = experiment.measured
    assert np.isnan(times.published[5])
    assert times.n_readers[[0, 2, 5]].tolist() == [8, 7, 0]
    assert times.readings["published"].times_ms.max() == 3001


def test_everything_wrong_is_told_at_once(folder, refusal):
    cells_are("words.csv", slice(2, 3), word="two words")(folder)
    rows = own_corpus.single(own_corpus.values())
    rows[4]["time_ms"] = "0"
    rows[9]["word_index"] = "41"
    times_are(rows)(folder)
    (folder / "dataset.toml").write_text("n_folds = 5\n")
    lines = refusal(folder)
    assert lines[0] == "the data set has 4 errors, 1 warning"
    assert [line.split(":")[0].removeprefix("error ") for line in lines[1:5]] == [
        "declaration_unsuited",
        "word_with_space",
        "time_not_positive",
        "word_unknown",
    ]


def test_a_missing_column_hides_nothing_that_can_be_told_without_it(folder, refusal):
    cells_are("words.csv", slice(3, 4), story="")(folder)
    cells_are("times.csv", slice(3, 4), time_ms="0")(folder)
    for name, column in (("words.csv", "word_index"), ("times.csv", "story")):
        change(name, lambda rows, column=column: [row.pop(column) for row in rows])(folder)
    lines = refusal(folder)
    for told in (
        "error column_missing: words.csv has no column word_index",
        "error cell_blank: words: no story in line 5",
        "error column_missing: times.csv has no column story",
        "error time_not_positive: times: time_ms is 0 or less in line 5",
    ):
        assert told in lines


@pytest.mark.parametrize(("separator", "named"), [(";", "';'"), ("\t", "tabs")])
def test_cells_that_commas_do_not_separate_are_told_as_that(folder, refusal, separator, named):
    for name in ("words.csv", "times.csv"):
        path = folder / name
        path.write_text(path.read_text("utf8").replace(",", separator), "utf8")
    wrong = f"cells are separated by {named}; save it with commas between cells"
    assert refusal(folder)[1:3] == [
        f"error table_malformed: words.csv: {wrong}",
        f"error table_malformed: times.csv: {wrong}",
    ]


def means_with(row, **cells):
    rows = own_corpus.means(own_corpus.values())
    rows[row].update(cells)
    return times_are(rows)


def only(n_words, name):
    """Leaves the first words of one story."""
    return lambda rows: [row for row in rows if row["story"] != name or int(row["word_index"]) <= n_words]


def keep(name, chosen):
    def alter(rows):
        rows[:] = chosen(rows)

    return change(name, alter)


def both(*changes):
    return lambda folder: [one(folder) for one in changes]


ONE_STORY = [
    keep(name, lambda rows: [row for row in rows if row["story"] == "tale a"]) for name in ("words.csv", "times.csv")
]
SHORT_STORY = [keep(name, only(2, "tale b")) for name in ("words.csv", "times.csv")]
UNREAD_STORY = keep("times.csv", lambda rows: [row for row in rows if row["story"] != "tale b"])
A_WORD_TOO_MANY = {"participant": "reader 1", "story": "tale b", "word_index": "41", "time_ms": "300"}


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda folder: (folder / "times.csv").unlink(), "file_missing", "there is no times.csv"),
        (lambda folder: (folder / "words.csv").unlink(), "file_missing", "there is no words.csv"),
        (
            lambda folder: (folder / "stimuli.csv").write_text("x"),
            "files_disagree",
            "'stimuli.csv', 'times.csv', 'words.csv'",
        ),
        (
            lambda folder: (folder / "words.csv").write_text("story,word\na,b\n"),
            "column_missing",
            "no column word_index",
        ),
        (lambda folder: (folder / "times.csv").write_text(""), "file_empty", "times.csv"),
        (
            change("times.csv", lambda rows: rows.append(A_WORD_TOO_MANY)),
            "word_unknown",
            "line 962 is of a word that words.csv does not have: 'tale b.41'",
        ),
        (cells_are("times.csv", slice(1), story="tail a"), "word_unknown", "'tail a.1'"),
        (cells_are("times.csv", slice(1), word_index="one"), "word_unknown", "'tale a.one'"),
        (UNREAD_STORY, "story_without_times", "'tale b'"),
        (
            change("times.csv", lambda rows: rows.append(rows[7])),
            "reading_repeated",
            "this comes again, in line 962: 'reader 0 tale a 8'",
        ),
        (
            times_are([*own_corpus.means(own_corpus.values()), own_corpus.means(own_corpus.values())[7]]),
            "reading_repeated",
            "in line 122: 'tale a 8'",
        ),
        (
            cells_are("words.csv", slice(3, 4), word_index="5"),
            "word_index_wrong",
            "'story tale a, line 5 has 5 and not 4'",
        ),
        (keep("words.csv", lambda rows: rows[:3] + rows[4:]), "word_index_wrong", "line 5 has 5 and not 4"),
        (keep("words.csv", lambda rows: [rows[1], rows[0], *rows[2:]]), "word_index_wrong", "line 2 has 2 and not 1"),
        (keep("words.csv", lambda rows: rows[:20] + rows[40:] + rows[20:40]), "story_in_pieces", "'tale a'"),
        (cells_are("words.csv", slice(3, 4), word="  "), "word_blank", "line 5"),
        (cells_are("words.csv", slice(3, 4), word="ice cream"), "word_with_space", "line 5"),
        (cells_are("words.csv", slice(3, 4), story=""), "cell_blank", "no story in line 5"),
        (cells_are("words.csv", slice(3, 4), log_frequency="rare"), "frequency_malformed", "line 5"),
        (cells_are("words.csv", slice(3, 4), log_frequency=""), "frequency_malformed", "line 5"),
        (cells_are("times.csv", slice(3, 5), time_ms="0"), "time_not_positive", "time_ms is 0 or less in lines 5-6"),
        (cells_are("times.csv", slice(3, 4), time_ms="-250"), "time_not_positive", "line 5"),
        (cells_are("times.csv", slice(3, 4), time_ms="fast"), "not_numbers", "'fast' in line 5"),
        (cells_are("times.csv", slice(3, 4), time_ms="inf"), "value_infinite", "line 5"),
        (cells_are("times.csv", slice(3, 4), time_ms="1e200"), "value_infinite", "beyond 1,000,000,000 in line 5"),
        (cells_are("words.csv", slice(3, 4), log_frequency="inf"), "frequency_malformed", "line 5"),
        (cells_are("words.csv", slice(None), log_frequency="3"), "frequency_constant", "leave the column out"),
        (cells_are("words.csv", slice(None), word="x"), "words_of_one_length", "equally long"),
        (cells_are("times.csv", slice(None), time_ms="nan"), "readers_missing", "no reader has 2 values"),
        (cells_are("times.csv", slice(None), time_ms="300"), "times_constant", "that vary"),
        (cells_are("times.csv", slice(3, 4), participant=" "), "cell_blank", "no participant in line 5"),
        (both(*SHORT_STORY), "story_too_short", "at least 3 words; fewer has 'tale b'"),
        (both(*ONE_STORY), "stories_too_few", "there is 'tale a' alone"),
        (
            times_are([{"story": "tale a", "word_index": "1", "time_ms": "300"}]),
            "measure_missing",
            "no column 'mean_ms', where there is no column participant",
        ),
        (
            times_are([{"participant": "a", "story": "tale a", "word_index": "1", "rt": "300"}]),
            "measure_missing",
            "no column 'time_ms', where single readings",
        ),
        (means_with(3, mean_ms="0"), "time_not_positive", "mean_ms is 0 or less in line 5"),
        (means_with(3, n="2.5"), "n_malformed", "line 5"),
        (means_with(3, n="0"), "n_malformed", "line 5"),
        (means_with(3, sd="-1"), "sd_malformed", "line 5"),
        (
            lambda folder: (folder / "dataset.toml").write_text('participants = ["reader 0"]'),
            "participant_unknown",
            "'reader 1'",
        ),
        (
            lambda folder: (folder / "dataset.toml").write_text('alignment = "late"'),
            "declaration_malformed",
            "original or corrected",
        ),
        (
            lambda folder: (folder / "dataset.toml").write_text('measure = "gaze"'),
            "measure_without_unit",
            "_ms or _uv; not so 'gaze'",
        ),
        (
            lambda folder: (folder / "dataset.toml").write_text('measure = "n400_uv"\nalignment = "original"'),
            "declaration_unsuited",
            "no time",
        ),
        (
            lambda folder: (folder / "dataset.toml").write_text("n_folds = 4"),
            "declaration_unsuited",
            "nothing is fitted",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(folder, refusal, spoil, code, words):
    spoil(folder)
    (told,) = [line for line in refusal(folder) if line.startswith(f"error {code}")][:1]
    assert words in told


def test_recordings_of_brains_have_no_measure(tmp_path, work):
    folder = own_data.write_dataset(tmp_path / "brains")
    order = Order(name="mine", source=folder, declared=Declaration(measure="time_ms"), max_bytes=10**7)
    with pytest.raises(RecordingRefused, match="error declaration_unsuited: measure is declared of reading times"):
        intake.take_in(order, work())


def test_the_catalogue_offers_a_corpus_for_reading(own_dir, tmp_path):
    catalogue = Catalogue(own_dir)
    assert "own/tales" in catalogue.names()
    benchmark = catalogue.benchmark("own/tales")
    assert (benchmark.kind, benchmark.title, benchmark.version, benchmark.n_folds) == (Kind.READING, "Tales", 1, 0)
    assert (benchmark.protocols, benchmark.synthetic) == (("grouped",), False)
    assert (benchmark.asks_layers, benchmark.asks_surprisal) == (False, True)
    with pytest.raises(ProtocolUnsupported, match="only under grouped"):
        benchmark.require(protocol_named("paper-2312.00575"))
    experiment = benchmark.experiment(DataStore(cache=tmp_path))
    assert experiment.data_sha256 == catalogue.own("own/tales").manifest.sha256
    (own_dir / "tales" / "1" / "readings.npy").write_bytes(b"x")
    with pytest.raises(DataChecksumMismatch, match=r"readings\.npy"):
        benchmark.experiment(DataStore(cache=tmp_path))


def answers(bits):
    """Surprisals as somebody brings them in a file."""
    zeros = np.zeros(len(bits), dtype=np.intp)
    surprisals = Surprisals(
        sum_bits=bits,
        boundary_bits=None,
        n_tokens=zeros,
        context_tokens=zeros,
        kind=SurprisalKind.IMPORTED,
        boundary_reason="brought as a file",
    )
    return Responses(surprisals=surprisals)


def test_a_subject_is_scored_as_on_a_corpus_that_is_shipped(own_dir, tmp_path):
    benchmark = Catalogue(own_dir).benchmark("own/tales")
    experiment, grouped = benchmark.experiment(DataStore(cache=tmp_path)), protocol_named("grouped")
    lengths = np.array([len(text) for text in experiment.stimuli.texts], dtype=np.float64)
    found = compare(answers(lengths), benchmark, experiment, grouped, subject="imported/length")
    assert found.raw == pytest.approx(pearson(lengths, own_corpus.values().mean(axis=1)), abs=1e-12)
    assert (found.benchmark, found.benchmark_version, found.synthetic) == ("own/tales", 1, False)
    assert (found.n.stimuli, found.n.participants) == (120, 8)
    assert found.ceiling == split_half(own_corpus.values())
    assert found.normalised == pytest.approx(found.raw / found.ceiling.value)
    assert (found.interval, found.interval_reason) == (None, "3 stories are too few; 5 are needed")
    length = score_baseline("baseline/word-length", benchmark, experiment, grouped)
    assert (length.interval, length.interval_reason) == (None, "3 stories are too few; 5 are needed")
    assert "imported" in {warning.code for warning in found.warnings}
    assert np.isfinite(found.measures["delta_ll_short_realigned_sum"])
    copy = compare(answers(experiment.measured.realigned), benchmark, experiment, grouped, subject="copy")
    noise = np.random.default_rng(0).gamma(2, 2, 120)
    chance = compare(answers(noise), benchmark, experiment, grouped, subject="noise")
    assert copy.raw == pytest.approx(1)
    assert abs(chance.raw) < 4 / np.sqrt(120)


def test_two_stories_of_few_words_without_frequencies_can_be_scored(tmp_path, take_in, own_dir):
    words = own_corpus.words(frequencies=False)
    keep_two = [row for row in words if row["story"] != "tale c"]
    folder = own_corpus.write_corpus(tmp_path / "two", own_corpus.means(own_corpus.values())[:80])
    own_data.write_table(folder / "words.csv", keep_two)
    _, experiment = take_in(folder)
    assert experiment.measured.log_frequency is None
    benchmark = Catalogue(own_dir).benchmark("own/tales")
    bits = np.random.default_rng(0).gamma(2, 2, 80)
    found = compare(answers(bits), benchmark, experiment, protocol_named("grouped"), subject="noise")
    assert np.isfinite(found.raw)
    assert not any(name.startswith("delta_ll") for name in found.measures)


def test_the_ceiling_of_times_one_word_early_is_that_of_times_at_their_words(folder, take_in):
    times_are(own_corpus.single(own_corpus.one_early(own_corpus.values())))(folder)
    manifest, _ = take_in(folder, alignment="original")
    moved = own_corpus.values()
    moved[::40] = np.nan
    assert manifest.ceilings["grouped"].value == pytest.approx(split_half(moved).value, abs=1e-12)


def test_a_real_corpus_brought_as_ones_own_is_the_published_one(data_store, take_in, tmp_path):
    known = benchmark_named("futrell2018").experiment(data_store("futrell2018"))
    times, places = known.measured, [name.split(".") for name in known.stimuli.ids]
    words = zip(places, known.stimuli.texts, times.log_frequency, strict=True)
    rows = zip(places, times.published, times.n_readers, times.sd_ms, strict=True)
    folder = tmp_path / "stories"
    folder.mkdir()
    own_data.write_table(
        folder / "words.csv",
        [{"story": s, "word_index": z, "word": word, "log_frequency": repr(float(f))} for (s, z), word, f in words],
    )
    own_data.write_table(
        folder / "times.csv",
        [
            {"story": s, "word_index": z, "mean_ms": repr(float(mean)), "n": repr(float(n)), "sd": repr(float(sd))}
            for (s, z), mean, n, sd in rows
        ],
    )
    manifest, brought = take_in(folder, alignment="original")
    assert brought.stimuli.texts == known.stimuli.texts
    for name in ("published", "realigned", "n_readers", "sd_ms", "log_frequency"):
        np.testing.assert_array_equal(getattr(brought.measured, name), getattr(times, name))
    expected = from_item_variance(times.published, times.sd_ms, times.n_readers)
    assert manifest.ceilings["grouped"].value == pytest.approx(expected.value, abs=1e-12)
    with pytest.raises(RecordingRefused, match="declared corrected, but do not stand as corrected times do"):
        take_in(folder)
