"""Made-up texts of realistic length and the tokenizer for them, all drawn under a seed; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from scoring.types import Passage, Stimuli

N_WORD_FORMS = 3000
N_PIECES = 4000
"""With so many pieces for so many word forms there are 1.3 tokens a word, full stops counted: English in GPT-2."""

WORDS_OF_A_SENTENCE = (9, 13)
"""Fewest and most words of a sentence."""

_ONSETS = ("b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "br", "st", "th", "sh", "tr")
_VOWELS = ("a", "e", "i", "o", "u", "ea", "ou")
_CODAS = ("", "", "", "n", "r", "s", "t", "l", "nd", "st")


def sentences_in_passages(sizes: Sequence[int], *, seed: int) -> Stimuli:
    """Sentences as stimuli: one passage of `size` sentences for each of `sizes`."""
    words = _Words(seed)
    return _stimuli([[words.sentence() for _ in range(size)] for size in sizes])


def words_in_stories(n_stories: int, n_words: int, *, seed: int) -> Stimuli:
    """Words as stimuli: stories of `n_words` words each, made of sentences."""
    words = _Words(seed)
    return _stimuli([words.story(n_words) for _ in range(n_stories)])


@cache
def tokenizer(limit: int) -> Any:
    """A byte-level BPE tokenizer learnt from made-up text, with `<s>` as BOS, for models that read `limit` tokens."""
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=N_PIECES,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = _Words(seed=0)
    learnt.train_from_iterator((words.sentence() for _ in range(5000)), trainer)
    wrap: Any = PreTrainedTokenizerFast
    return wrap(
        tokenizer_object=learnt, bos_token="<s>", eos_token="</s>", model_max_length=limit, padding_side="right"
    )


class _Words:
    """A stream of sentences over one list of word forms, whose frequencies follow Zipf's law."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._forms = _word_forms()
        frequencies = 1.0 / np.arange(2, len(self._forms) + 2)
        self._probabilities = frequencies / frequencies.sum()

    def sentence(self) -> str:
        """A sentence with a capital at its head and a full stop at its end."""
        fewest, most = WORDS_OF_A_SENTENCE
        n_words = int(self._random.integers(fewest, most + 1))
        drawn = self._random.choice(len(self._forms), size=n_words, p=self._probabilities)
        return " ".join(self._forms[index] for index in drawn).capitalize() + "."

    def story(self, n_words: int) -> list[str]:
        """The first `n_words` words of sentences on end; punctuation stays with its word."""
        words: list[str] = []
        while len(words) < n_words:
            words += self.sentence().split()
        return words[:n_words]


@cache
def _word_forms() -> tuple[str, ...]:
    """Distinct forms of one to four syllables, the frequent ones short; the same for every text and the tokenizer."""
    random = np.random.default_rng(20261121)
    forms: dict[str, None] = {}
    while len(forms) < N_WORD_FORMS:
        n_syllables = 1 + int(random.integers(0, 2 + 2 * len(forms) // N_WORD_FORMS))
        parts = [str(random.choice(sounds)) for _ in range(n_syllables) for sounds in (_ONSETS, _VOWELS, _CODAS)]
        forms["".join(parts)] = None
    return tuple(forms)


def _stimuli(texts_of_passages: Sequence[Sequence[str]]) -> Stimuli:
    passages = tuple(Passage.join(f"passage-{index}", texts) for index, texts in enumerate(texts_of_passages))
    names = [passage.name for passage in passages for _ in passage.spans]
    ids = tuple(f"{name}.{index}" for index, name in enumerate(names))
    return Stimuli(ids=ids, passages=passages, groups=tuple(names))
