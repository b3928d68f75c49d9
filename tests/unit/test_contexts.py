"""What stimuli are read after: every mode answers for every stimulus once, and reads what it says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import OptionUnknown
from scoring.sentences import sentence_starts
from scoring.subjects.contexts import NOT_ASKED, contexts
from scoring.subjects.options import Pooling, PromptFormat, ReadingOptions
from scoring.types import Passage, Stimuli

STORIES = [["Mr.", "Fox", "ran.", "it", "was", "late!", "Did", "he?'", "No;'", "he", "slept."], ["One", "word."]]


def stimuli_of(passages):
    n = sum(map(len, passages))
    made = tuple(Passage.join(f"p{index}", texts) for index, texts in enumerate(passages))
    return Stimuli(ids=tuple(map(str, range(n))), passages=made, groups=("g",) * n)


def texts_of(mode):
    return [context.passage.text for context in contexts(stimuli_of(STORIES), mode)]


def test_a_story_is_read_from_its_start():
    assert texts_of("story") == [" ".join(words) for words in STORIES]


def test_all_stories_can_be_one_text():
    assert texts_of("concat") == [" ".join(" ".join(words) for words in STORIES)]


def test_a_stream_is_read_as_one_text_unless_another_context_is_chosen():
    stream = replace(stimuli_of(STORIES), is_stream=True)
    assert [context.passage.text for context in contexts(stream, "story")] == texts_of("concat")
    assert len(contexts(stream, "sentence")) == 4


def test_sentences_are_cut_where_the_rule_says():
    """Not after Mr., not before lower case (ran. it; No;' he), but at the end of a story."""
    assert texts_of("sentence") == ["Mr. Fox ran. it was late!", "Did he?'", "No;' he slept.", "One word."]
    assert sentence_starts(STORIES[0]) == [0, 6, 8]


def test_a_window_ends_with_its_stimulus_and_stays_in_its_passage():
    found = contexts(stimuli_of(STORIES), "window:3")
    assert [context.passage.text for context in found[:4]] == ["Mr.", "Mr. Fox", "Mr. Fox ran.", "Fox ran. it"]
    assert [context.passage.text for context in found[-2:]] == ["One", "One word."]
    assert [context.rows.tolist() for context in found[:3]] == [[0], [NOT_ASKED, 1], [NOT_ASKED, NOT_ASKED, 2]]


@given(
    st.lists(st.lists(st.text("ab.?", min_size=1, max_size=4), min_size=1, max_size=9), min_size=1, max_size=4),
    st.sampled_from(["story", "sentence", "concat", "window:1", "window:3", "window:99999"]),
)
def test_every_stimulus_is_answered_for_once_with_its_own_text(passages, mode):
    stimuli = stimuli_of(passages)
    found = contexts(stimuli, mode)
    rows = np.concatenate([context.rows[context.rows != NOT_ASKED] for context in found])
    assert sorted(rows.tolist()) == list(range(len(stimuli)))
    for context in found:
        for row, text in zip(context.rows, context.passage.texts, strict=True):
            assert row == NOT_ASKED or stimuli.texts[row] == text


def test_text_before_the_first_stimulus_stays_in_front():
    passage = Passage(name="p", text="  a b", spans=((2, 3), (4, 5)))
    stimuli = Stimuli(ids=("0", "1"), passages=(passage,), groups=("g", "g"))
    assert contexts(stimuli, "story")[0].passage is passage
    assert contexts(stimuli, "concat")[0].passage.spans == passage.spans


@pytest.mark.parametrize(
    "context", ["", "Story", "window", "window:0", "window:-1", "window:1e3", "story\n", "window:123456"]
)
def test_unknown_contexts_are_refused_by_name(context):
    with pytest.raises(OptionUnknown) as caught:
        ReadingOptions(context=context)
    assert caught.value.param == "options.context"


def test_reading_options_are_taken_from_all_options_and_checked():
    found = ReadingOptions.from_mapping({"dtype": "float32", "pooling": "mean", "context": "window:80"})
    assert (found.pooling, found.context, found.prompt_format) == (Pooling.MEAN, "window:80", PromptFormat.PLAIN)
    with pytest.raises(OptionUnknown, match="pooling 'max' is not one of last, mean") as caught:
        ReadingOptions.from_mapping({"pooling": "max"})
    assert caught.value.param == "options.pooling"
