"""What an imported subject answers to a benchmark's stimuli, and what it says where it cannot."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scoring.errors import ImportUnsuited, ModelIncomplete, OptionUnknown
from scoring.responses import SurprisalKind
from scoring.subjects.imported import STATIC, ImportedSubject, refuse_options
from scoring.subjects.imports.manifest import FileFormat, ImportKind, Manifest, Unit
from scoring.types import Passage, Stimuli

STORIES = ("The cat sat.", "A cat ran off")


def words(*texts: str) -> Stimuli:
    """Stories whose words are the stimuli, named `0.1`, `0.2` …"""
    passages = tuple(Passage.join(f"story-{place}", text.split()) for place, text in enumerate(texts))
    spans = [(story, zone) for story, passage in enumerate(passages) for zone in range(1, len(passage.spans) + 1)]
    ids = tuple(f"{story}.{zone}" for story, zone in spans)
    return Stimuli(ids=ids, passages=passages, groups=tuple(str(story) for story, _ in spans))


def sentences(*texts: str) -> Stimuli:
    passages = tuple(Passage.join(f"passage-{place}", [text]) for place, text in enumerate(texts))
    names = tuple(f"s{place}" for place in range(len(texts)))
    return Stimuli(ids=names, passages=passages, groups=names)


def imported(
    folder: Path, text: str, kind: ImportKind, file_format: FileFormat = FileFormat.CSV, **said: object
) -> ImportedSubject:
    manifest = Manifest(
        kind=kind,
        format=file_format,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        n_bytes=len(text),
        n_rows=1,
        n_layers=None,
        width=None,
        created="2026-01-02T03:04:05+00:00",
        **said,  # type: ignore[arg-type]
    )
    manifest.write(folder)
    (folder / manifest.data_file).write_text(text)
    return ImportedSubject.from_folder(folder, identifier="imported/mine")


def vectors(folder: Path, text: str) -> ImportedSubject:
    return imported(folder, text, ImportKind.WORD_VECTORS, FileFormat.TEXT)


def surprisals(folder: Path, text: str, *, allow_mismatch: bool = False) -> ImportedSubject:
    return imported(folder, text, ImportKind.SURPRISALS, unit=Unit.BITS, allow_mismatch=allow_mismatch)


def tokens(*stories: tuple[str, ...], value: float = 1.0) -> str:
    """A table of tokens; the first of each story has no value, the n-th has n times `value`."""
    lines = ["token,surprisal,offset,story"]
    for story, pieces in enumerate(stories):
        offset = 0
        for place, piece in enumerate(pieces):
            lines.append(f'"{piece}",{place * value if place else ""},{offset},{story}')
            offset += len(piece)
    return "\n".join(lines) + "\n"


def test_a_stimulus_is_the_mean_of_its_words_however_they_are_spelt(tmp_path: Path) -> None:
    subject = vectors(tmp_path, "The 1 0\nthe 0 1\ncat 2 2\nU.S. 4 4\ndon't 6 6\n")
    found = subject.respond(
        sentences("The cat,", "THE (Cat)", "U.S. don't!", "the unknown", "nothing here"), layers=True, surprisal=False
    )
    assert list(found.layers) == [STATIC]
    np.testing.assert_allclose(found.layers[STATIC], [[1.5, 1], [1, 1.5], [5, 5], [0, 1], [0, 0]])
    assert found.conditions["imported"] is True
    counts = {name: found.conditions[name] for name in found.conditions if name.startswith("n_")}
    assert counts == {"n_words": 10, "n_words_without_vector": 3, "n_stimuli_without_vector": 1}


def test_vectors_for_no_stimulus_at_all_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImportUnsuited, match="none of the 2 stimuli"):
        vectors(tmp_path, "chat 1 2\n").respond(sentences("a cat", "the cat"), layers=True, surprisal=False)


def test_asking_for_what_a_file_does_not_hold_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImportUnsuited, match="asks for surprisals; imported/mine holds word vectors"):
        vectors(tmp_path, "cat 1 2\n").respond(words("a cat"), layers=False, surprisal=True)
    with pytest.raises(ImportUnsuited, match="asks for activations; imported/mine holds surprisals"):
        surprisals(tmp_path, "stimulus_id,surprisal\n0.1,1\n").respond(words("a cat"), layers=True, surprisal=False)


def test_activations_are_put_in_the_order_of_the_stimuli(tmp_path: Path) -> None:
    table = "stimulus_id,layer,f\ns1,top,1\nother,top,9\ns0,top,0\n"
    subject = imported(tmp_path, table, ImportKind.ACTIVATIONS)
    found = subject.respond(sentences("a", "b"), layers=True, surprisal=False)
    assert found.layers["top"].tolist() == [[0], [1]]
    assert found.conditions["n_rows_unused"] == 1
    with pytest.raises(ImportUnsuited, match=r"2 of the 4 stimuli .* the first is 's2'"):
        subject.respond(sentences("a", "b", "c", "d"), layers=True, surprisal=False)


def test_word_surprisals_are_given_by_id_and_missing_ones_counted(tmp_path: Path) -> None:
    subject = surprisals(tmp_path, "story,zone,surprisal\n0,3,3\n0,1,1\n1,1,\n1,2,5\n7,1,2\n")
    found = subject.respond(words(*STORIES), layers=False, surprisal=True)
    assert found.surprisals is not None
    np.testing.assert_array_equal(found.surprisals.sum_bits, [1, np.nan, 3, np.nan, 5, np.nan, np.nan])
    assert found.surprisals.boundary_bits is None
    assert found.surprisals.kind is SurprisalKind.IMPORTED
    assert found.surprisals.n_tokens.tolist() == [0] * 7
    assert found.conditions["n_words_without_surprisal"] == 4
    assert found.conditions["n_rows_unused"] == 1
    with pytest.raises(ImportUnsuited, match=r"no row for any of the 2 stimuli; the first is 's0'"):
        subject.respond(sentences("a", "b"), layers=False, surprisal=True)


def test_a_column_of_words_is_compared(tmp_path: Path) -> None:
    table = "story,zone,word,surprisal\n0,1,The,1\n0,2,dog,2\n0,3,sat.,3\n"
    stimuli = words(STORIES[0])
    with pytest.raises(ImportUnsuited, match="1 word of 3 differ between benchmark and file: 'cat' is 'dog' in row 2"):
        surprisals(tmp_path, table).respond(stimuli, layers=False, surprisal=True)
    found = surprisals(tmp_path, table, allow_mismatch=True).respond(stimuli, layers=False, surprisal=True)
    assert found.surprisals is not None
    np.testing.assert_array_equal(found.surprisals.sum_bits, [1, np.nan, 3])
    assert found.conditions["n_words_differing"] == 1


def test_tokens_are_summed_into_the_words_that_hold_their_last_character(tmp_path: Path) -> None:
    table = tokens(("The", " c", "at", " ", "sat", "."), ("A", " cat", " ran", " o", "ff", " "))
    found = surprisals(tmp_path, table).respond(words(*STORIES), layers=False, surprisal=True)
    assert found.surprisals is not None
    np.testing.assert_array_equal(found.surprisals.sum_bits, [np.nan, 3, 12, np.nan, 1, 2, 7])
    assert found.surprisals.n_tokens.tolist() == [1, 2, 3, 1, 1, 1, 2]
    assert found.surprisals.context_tokens.tolist() == [0, 1, 3, 0, 1, 2, 3]
    assert found.conditions["n_words_without_surprisal"] == 2


def test_a_word_that_differs_is_named_or_counts_as_missing(tmp_path: Path) -> None:
    table = tokens(("The", " dog", " sat."), ("A", " cat", " ran", " off"))
    with pytest.raises(ImportUnsuited, match=r"1 word of 7 differ.*word 2 of story-0 is 'cat', in the file 'dog'"):
        surprisals(tmp_path, table).respond(words(*STORIES), layers=False, surprisal=True)
    found = surprisals(tmp_path, table, allow_mismatch=True).respond(words(*STORIES), layers=False, surprisal=True)
    assert found.surprisals is not None
    np.testing.assert_array_equal(found.surprisals.sum_bits, [np.nan, np.nan, 2, np.nan, 1, 2, 3])
    assert found.conditions["n_words_differing"] == 1


def test_words_that_were_left_out_or_put_in_shift_nothing(tmp_path: Path) -> None:
    table = tokens(("The", " sat."), ("A", " big", " cat", " ran", " off"))
    found = surprisals(tmp_path, table, allow_mismatch=True).respond(words(*STORIES), layers=False, surprisal=True)
    assert found.surprisals is not None
    np.testing.assert_array_equal(found.surprisals.sum_bits, [np.nan, np.nan, 1, np.nan, 2, 3, 4])
    assert found.conditions["n_words_differing"] == 2


def test_another_text_is_not_excused_by_allowing_a_mismatch(tmp_path: Path) -> None:
    table = tokens(("Quite", " other", " words"), ("A", " cat", " and", " so", " on"))
    with pytest.raises(ImportUnsuited, match="differ"):
        surprisals(tmp_path, table, allow_mismatch=True).respond(words(*STORIES), layers=False, surprisal=True)


def test_a_story_without_tokens_is_missing_and_one_too_many_is_unused(tmp_path: Path) -> None:
    table = tokens(("The", " cat", " sat."), ("A", " cat", " ran", " off"), ("More",))
    found = surprisals(tmp_path, table).respond(words(*STORIES), layers=False, surprisal=True)
    assert found.conditions["n_rows_unused"] == 1
    longer = surprisals(tmp_path, table).respond(words(*STORIES, "More", "Even more"), layers=False, surprisal=True)
    assert longer.surprisals is not None
    assert np.isnan(longer.surprisals.sum_bits[-2:]).all()


def test_a_token_across_two_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportUnsuited, match="'e cat' in row 2 spans two words"):
        surprisals(tmp_path, tokens(("Th", "e cat", " sat."))).respond(words(STORIES[0]), layers=False, surprisal=True)


def test_words_of_more_than_a_thousand_bits_on_average_are_refused(tmp_path: Path) -> None:
    table = tokens(("The", " c", "at", " s", "at."), value=250.0)
    with pytest.raises(ImportUnsuited, match="more than 1000 bits on average"):
        surprisals(tmp_path, table).respond(words(STORIES[0]), layers=False, surprisal=True)


def test_options_of_reading_are_refused() -> None:
    refuse_options("imported/mine", {})
    with pytest.raises(OptionUnknown, match="nothing that context could change") as caught:
        refuse_options("imported/mine", {"context": "sentence"})
    assert caught.value.param == "options.context"


def test_a_folder_without_a_manifest_is_incomplete(tmp_path: Path) -> None:
    with pytest.raises(ModelIncomplete):
        ImportedSubject.from_folder(tmp_path, identifier="imported/mine")


def test_opening_what_was_imported_loads_no_torch() -> None:
    code = "import sys, scoring.subjects.opening; print('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
