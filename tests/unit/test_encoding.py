"""Tokens and their stimuli under every kind of tokenizer; windows and batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from scoring.errors import ContextTooShort, DataMalformed, TextUnalignable
from scoring.subjects.contexts import contexts
from scoring.subjects.encoder import masked_rows
from scoring.subjects.encoding import encode as encode_context
from scoring.subjects.framing import bos_id
from scoring.subjects.planning import Window, batches, windows
from scoring.types import Passage, Stimuli

TEXT = ["It", "wasn't", "(only)", "café-au-lait,", "“naïve”", "…", "3.5%", "日本語", "well-known;", "end."]


def wrapped(tokenizer, **specials):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **specials)


def byte_level(*, trim_offsets):
    """GPT-2's kind: bytes as letters, no merges beyond them; offsets with or without the leading space."""
    vocabulary = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("Ġ", "e")] if "Ġe" in vocabulary else []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=trim_offsets)
    tokenizer.decoder = decoders.ByteLevel()
    return wrapped(tokenizer)


def pieces(normalizer, pre_tokenizer):
    """SentencePiece's kind, with a byte for whatever the vocabulary lacks."""
    letters = [
        "<unk>",
        *(f"<0x{byte:02X}>" for byte in range(256)),
        "▁",
        *"abcdefghijklmnopqrstuvwxyz.,-()",
        "▁w",
        "▁e",
    ]
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    bpe = models.BPE(
        vocab=vocabulary, merges=[("▁", "w"), ("▁", "e")], byte_fallback=True, unk_token="<unk>", fuse_unk=True
    )
    tokenizer = Tokenizer(bpe)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    return wrapped(tokenizer)


def llama2_style():
    return pieces(normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None)


def metaspace():
    return pieces(None, pre_tokenizers.Metaspace())


def encode(tokenizer, passage):
    n = len(passage.spans)
    stimuli = Stimuli(ids=tuple(map(str, range(n))), passages=(passage,), groups=("g",) * n)
    (context,) = contexts(stimuli, "story")
    return encode_context(tokenizer, context)


TOKENIZERS = {
    "byte-level, trimmed offsets": lambda: byte_level(trim_offsets=True),
    "byte-level, untrimmed offsets": lambda: byte_level(trim_offsets=False),
    "llama-2 style": llama2_style,
    "metaspace": metaspace,
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_every_token_goes_to_the_word_that_holds_its_last_character(kind):
    passage = Passage.join("text", TEXT)
    encoded = encode(TOKENIZERS[kind](), passage)
    assert len(encoded.ids) == len(encoded.stimulus_of_token)
    assert (np.diff(encoded.stimulus_of_token) >= 0).all()
    assert set(encoded.stimulus_of_token) == set(range(len(TEXT)))
    assert encoded.stimulus_of_token[encoded.last_token].tolist() == list(range(len(TEXT)))


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_words_alone_and_in_their_passage_have_as_many_tokens(kind):
    """Where no merge crosses a space, a word's tokens are those of ` word`."""
    tokenizer = TOKENIZERS[kind]()
    encoded = encode(tokenizer, Passage.join("text", TEXT))
    counts = np.bincount(encoded.stimulus_of_token)
    for index, word in enumerate(TEXT[1:], start=1):
        longer = tokenizer(f"{TEXT[index - 1]} {word}", add_special_tokens=False)["input_ids"]
        before = tokenizer(TEXT[index - 1], add_special_tokens=False)["input_ids"]
        assert counts[index] == len(longer) - len(before)


@given(st.lists(st.text("abé日-'.,", min_size=1, max_size=8), min_size=1, max_size=12))
def test_no_text_loses_a_token(words):
    encoded = encode(byte_level(trim_offsets=False), Passage.join("text", words))
    assert len(encoded.last_token) == len(words)
    assert np.bincount(encoded.stimulus_of_token).sum() == len(encoded.ids)


def test_a_token_that_straddles_two_words_is_an_error_that_names_it():
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "a b": 2, "[UNK]": 3}, unk_token="[UNK]"))
    with pytest.raises(TextUnalignable, match="'a b' in text straddles 'a' and 'b'"):
        encode(wrapped(tokenizer), Passage.join("text", ["a", "b"]))


def test_a_tokenizer_that_drops_characters_is_refused():
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("!", behavior="removed")
    with pytest.raises(TextUnalignable, match="drops a character of text near 'a!b'"):
        encode(wrapped(tokenizer), Passage.join("text", ["a!b"]))


def test_bos_comes_first_then_eos_then_none():
    plain = Tokenizer(models.WordLevel({"a": 0, "<s>": 1, "</s>": 2}, unk_token="a"))
    assert bos_id(wrapped(plain, bos_token="<s>", eos_token="</s>")) == 1
    assert bos_id(wrapped(plain, eos_token="</s>")) == 2
    assert bos_id(wrapped(plain)) is None


@given(st.integers(1, 400), st.integers(2, 60), st.data())
def test_windows_own_every_token_once_and_keep_enough_past(n_tokens, capacity, data):
    stride = data.draw(st.integers(1, capacity - 1))
    planned = windows(n_tokens, text=3, capacity=capacity, stride=stride)
    owned = [token for window in planned for token in range(window.first_owned, window.stop)]
    assert owned == list(range(n_tokens))
    assert all(len(window) <= capacity and window.text == 3 for window in planned)
    assert all(window.first_owned - window.start >= capacity - stride for window in planned[1:])


def test_a_text_that_fits_is_one_window():
    assert windows(50, text=0, capacity=50, stride=25) == [Window(text=0, start=0, stop=50, first_owned=0)]


@given(st.integers(1, 60), st.integers(1, 20))
def test_masked_tokens_stand_in_the_middle_of_their_windows(n_tokens, capacity):
    passage = Passage.join("text", ["a"] * n_tokens)
    text = encode(byte_level(trim_offsets=False), passage)
    rows = masked_rows([text], capacity=capacity)
    n = len(text.ids)
    assert [row.first_owned for row in rows] == list(range(n))
    for row in rows:
        assert len(row) == min(capacity, n)
        before, after = row.first_owned - row.start, row.stop - 1 - row.first_owned
        assert abs(before - after) <= 1 or row.start == 0 or row.stop == n


def test_a_context_without_room_is_refused():
    with pytest.raises(ContextTooShort):
        windows(10, text=0, capacity=1, stride=1)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=40), st.integers(1, 300))
def test_batches_hold_every_window_within_the_padded_budget(lengths, budget):
    planned = [Window(text=index, start=0, stop=n, first_owned=0) for index, n in enumerate(lengths)]
    made = batches(planned, token_budget=budget)
    assert sorted(window.text for batch in made for window in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(map(len, batch)) <= budget for batch in made)


def test_passages_refuse_overlapping_and_empty_stimuli():
    with pytest.raises(DataMalformed, match="overlap"):
        Passage(name="p", text="abcdef", spans=((0, 3), (2, 5)))
    with pytest.raises(DataMalformed, match="empty stimulus"):
        Passage(name="p", text="abcdef", spans=((2, 2),))
    with pytest.raises(DataMalformed, match="leave its text"):
        Passage(name="p", text="abc", spans=((0, 9),))
