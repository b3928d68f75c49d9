"""Files of single reading times: what is read from them, to which words the times belong, what is refused."""

from hashlib import sha256

import numpy as np
import pytest

from scoring.datasets import natural_stories
from scoring.datasets.download import DataStore
from scoring.datasets.manifest import Alignment, DataFile, Dataset
from scoring.datasets.single_readings import by_reader, readings_of
from scoring.errors import DataMalformed
from scoring.reliability import from_item_variance, split_half
from scoring.results import CeilingMethod

HEAD = "WorkerId\tWorkTimeInSeconds\tcorrect\titem\tzone\tRT\tword\tnItem\tmeanItemRT\tsdItemRT\tgmeanItemRT\tgsdItemRT"
WORDS = [
    {"item": item, "zone": zone, "word": word}
    for item, zone, word in [("1", "1", "a"), ("1", "2", "b"), ("2", "1", '"c'), ("2", "2", "d."), ("2", "3", "e")]
]
READ = [
    ("A2", 1, 2, 310),
    ("A1", 1, 1, 250),
    ("A2", 1, 1, 300),
    ("A1", 2, 3, 420.5),
    ("A1", 2, 1, 1500),
    ("A3", 2, 1, 90),
]


def line(worker, item, zone, time):
    return f'{worker}\t1200\t6\t{item}\t{zone}\t{time}\t"c\t2\t300\t20\t290\t1.1'


def write(path, read, head=HEAD):
    path.write_text("\n".join([head, *(line(*reading) for reading in read)]) + "\n")
    return path


def table(readings):
    return sorted(zip(readings.words.tolist(), readings.readers.tolist(), readings.times_ms.tolist(), strict=True))


def test_corrected_times_are_those_of_their_words_and_published_they_stand_one_word_before(tmp_path):
    found = readings_of(write(tmp_path / "RTs.tsv", READ), WORDS, Alignment.CORRECTED)
    assert table(found["realigned"]) == [(0, 0, 300), (0, 1, 250), (1, 0, 310), (2, 1, 1500), (2, 2, 90), (4, 1, 420.5)]
    assert table(found["published"]) == [(0, 0, 310), (3, 1, 420.5)]


def test_original_times_are_those_of_the_next_words(tmp_path):
    found = readings_of(write(tmp_path / "RTs.tsv", READ), WORDS, Alignment.ORIGINAL)
    assert table(found["published"]) == [(0, 0, 300), (0, 1, 250), (1, 0, 310), (2, 1, 1500), (2, 2, 90), (4, 1, 420.5)]
    assert table(found["realigned"]) == [(1, 0, 300), (1, 1, 250), (3, 1, 1500), (3, 2, 90)]


@pytest.mark.parametrize("alignment", Alignment)
def test_single_times_and_their_means_are_moved_the_same_way(tmp_path, alignment):
    """What is published of a corrected file is, realigned again, the corrected file less each story's first word."""
    found = readings_of(write(tmp_path / "RTs.tsv", READ), WORDS, alignment)
    published, own = (by_reader(found[name], 5) for name in ("published", "realigned"))
    stories = np.array([word["item"] for word in WORDS])
    shifted = np.full_like(own, np.nan)
    for row in range(1, 5):
        if stories[row] == stories[row - 1]:
            shifted[row, : published.shape[1]] = published[row - 1]
    own[[0, 2]] = np.nan
    np.testing.assert_array_equal(shifted, own)


def test_a_file_that_is_not_of_these_stories_is_refused(tmp_path):
    path = tmp_path / "RTs.tsv"
    for bad in (("A1", 3, 1, 300), ("A1", 1, 3, 300), ("A1", 1, 1, "NA?")):
        with pytest.raises(DataMalformed, match=r"line 8 of RTs\.tsv is no reading of a word: 'A1 1200"):
            readings_of(write(path, [*READ, bad]), WORDS, Alignment.CORRECTED)
    with pytest.raises(DataMalformed, match="reads a word twice"):
        readings_of(write(path, [*READ, READ[0]]), WORDS, Alignment.CORRECTED)
    with pytest.raises(DataMalformed, match="positive number of milliseconds"):
        readings_of(write(path, [*READ, ("A3", 1, 1, "NaN")]), WORDS, Alignment.CORRECTED)
    with pytest.raises(DataMalformed, match="has no column WorkerId, RT"):
        readings_of(write(path, READ, HEAD.replace("WorkerId", "worker").replace("\tRT", "\trt")), WORDS, "corrected")
    path.write_text(f"{HEAD}\nA1\t1200\n")
    with pytest.raises(DataMalformed, match="line 2 of"):
        readings_of(path, WORDS, Alignment.CORRECTED)


def corpus(*, n_stories=4, n_words=60, n_readers=6):
    """Words of random length, and who read them for how long: slowed by a word's length, and by the one before."""
    rng = np.random.default_rng(0)
    words = [
        {"item": str(story), "zone": str(zone), "word": "x" * rng.integers(1, 12)}
        for story in range(1, n_stories + 1)
        for zone in range(1, n_words + 1)
    ]
    lengths = np.array([len(word["word"]) for word in words])
    before = np.array([0 if word["zone"] == "1" else lengths[row - 1] for row, word in enumerate(words)])
    read = [
        (f"A{reader}", word["item"], word["zone"], int(300 + 8 * lengths[row] + 5 * before[row] + rng.normal(0, 30)))
        for reader in range(n_readers)
        for row, word in enumerate(words)
    ]
    return words, read


def test_times_that_contradict_their_declaration_are_refused(tmp_path):
    words, read = corpus()
    path = write(tmp_path / "RTs.tsv", read)
    assert len(readings_of(path, words, Alignment.CORRECTED)["published"].words) == 6 * 4 * 59
    with pytest.raises(DataMalformed, match="declared original"):
        readings_of(path, words, Alignment.ORIGINAL)


def natural_stories_of(tmp_path, monkeypatch, words, read, *, alignment=Alignment.CORRECTED, declared=True):
    """A corpus of these readings in the format of the real one, its manifest entry naming the file or not."""
    write(tmp_path / "processed_RTs.tsv", read)
    rows = ["word\tzone\titem", *("\t".join((word["word"], word["zone"], word["item"])) for word in words)]
    (tmp_path / "words.tok.tsv").write_text("\n".join(rows) + "\n")
    times = np.array([time for *_, time in read]).reshape(-1, len(words))
    means, sd = times.mean(axis=0), times.std(axis=0, ddof=1)
    rows = [f"{row}\t{len(times)}\t{mean}\t{spread}" for row, mean, spread in zip(rows[1:], means, sd, strict=True)]
    info = ["word\tzone\titem\tnItem\tmeanItemRT\tsdItemRT", *rows]
    (tmp_path / "processed_wordinfo.tsv").write_text("\n".join(info) + "\n")
    (tmp_path / "unigram_freqs.tsv").write_text("1.1.word\t1\tx\t9\tNA\n")
    names = ("words.tok.tsv", "processed_wordinfo.tsv", "unigram_freqs.tsv", "processed_RTs.tsv")
    *files, extra = (
        DataFile(
            name=name,
            public=None,
            mirror=name,
            sha256=sha256((tmp_path / name).read_bytes()).hexdigest(),
            alignment=alignment if name == "processed_RTs.tsv" else Alignment.CORRECTED,
        )
        for name in names
    )
    extras = (extra,) if declared else ()
    dataset = Dataset(name="ns", title="t", licence="l", citation="c", files=tuple(files), extras=extras)
    monkeypatch.setattr(natural_stories, "dataset_named", lambda name: dataset)
    return DataStore(cache=tmp_path / "cache", mirror=tmp_path)


def test_where_single_times_are_at_hand_halves_of_the_readers_are_the_ceiling(tmp_path, monkeypatch):
    words, read = corpus()
    experiment = natural_stories.load(natural_stories_of(tmp_path, monkeypatch, words, read))
    assert set(experiment.measured.readings) == {"published", "realigned"}
    times = np.array([time for *_, time in read], dtype=float).reshape(6, -1).T
    np.testing.assert_array_equal(by_reader(experiment.measured.readings["realigned"], len(words)), times)
    assert experiment.ceiling == split_half(times)
    assert experiment.ceiling.method is CeilingMethod.SPLIT_HALF
    assert 0.9 < experiment.ceiling.value < 1


def test_without_single_times_the_spread_of_the_means_is_the_ceiling(tmp_path, monkeypatch):
    words, read = corpus()
    store = natural_stories_of(tmp_path, monkeypatch, words, read)
    (tmp_path / "processed_RTs.tsv").unlink()
    experiments = [
        natural_stories.load(store),
        natural_stories.load(natural_stories_of(tmp_path, monkeypatch, words, read, declared=False)),
    ]
    for experiment in experiments:
        times = experiment.measured
        assert times.readings == {}
        assert experiment.ceiling == from_item_variance(times.published, times.sd_ms, times.n_readers)


def test_single_times_of_an_undeclared_alignment_are_refused(tmp_path, monkeypatch):
    store = natural_stories_of(tmp_path, monkeypatch, *corpus(), alignment=None)
    with pytest.raises(DataMalformed, match=r"does not declare the alignment of processed_RTs\.tsv"):
        natural_stories.load(store)
