"""`imported/<name>`: a subject whose answers were brought as a file. Needs no torch, and reads no text itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImportUnsuited, OptionUnknown, shown
from ..responses import Responses, SurprisalKind, Surprisals
from ..types import FeatureArray, Stimuli
from .imports.alignment import Aligned, align_tokens, align_words
from .imports.content import Activations, TokenSurprisals, WordVectors
from .imports.manifest import ImportKind, Manifest
from .imports.reading import read_rows, read_vectors

STATIC = "static"
"""The layer that word vectors make."""

Counts = dict[str, str | int | float | bool | None]

_HOLDS = {
    ImportKind.WORD_VECTORS: "word vectors",
    ImportKind.SURPRISALS: "surprisals",
    ImportKind.ACTIVATIONS: "activations",
}


class ImportedSubject:
    """Gives the responses that a file holds to the stimuli that they are about.

    Word vectors are one layer: the mean over a stimulus' words, each looked up as it stands, then without punctuation
    around it, and each of both in lower case too. Counts of what the file lacks stand in the conditions.
    """

    def __init__(self, data: Path, manifest: Manifest, *, identifier: str) -> None:
        self._data = data
        self._manifest = manifest
        self._identifier = identifier

    @classmethod
    def from_folder(cls, folder: Path, *, identifier: str) -> ImportedSubject:
        """What lies in the folder of an import. Raises ModelIncomplete."""
        manifest = Manifest.read(folder)
        return cls(folder / manifest.data_file, manifest, identifier=identifier)

    @property
    def identifier(self) -> str:
        """The name under which scores stand."""
        return self._identifier

    def respond(
        self,
        stimuli: Stimuli,
        *,
        layers: bool,
        surprisal: bool,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> Responses:
        """The file's answers to these stimuli.

        Raises ImportUnsuited where the benchmark asks for what the file does not hold.
        """
        kind = self._manifest.kind
        has_surprisals = kind is ImportKind.SURPRISALS
        if surprisal and not has_surprisals:
            raise self._unsuited("surprisals", "import surprisals under another name")
        if layers and has_surprisals:
            raise self._unsuited("activations", "import activations or word vectors under another name")
        if has_surprisals:
            surprisals, counts = self._surprisals(stimuli)
            features: Mapping[str, FeatureArray] = {}
        else:
            surprisals = None
            features, counts = self._static(stimuli) if kind is ImportKind.WORD_VECTORS else self._layers(stimuli)
        on_progress(1.0)
        return Responses(layers=features, surprisals=surprisals, conditions=self._conditions() | counts)

    def _unsuited(self, asked: str, hint: str) -> ImportUnsuited:
        return ImportUnsuited(
            f"the benchmark asks for {asked}; {self._identifier} holds {_HOLDS[self._manifest.kind]} and has none",
            hint=hint,
        )

    def _conditions(self) -> Counts:
        manifest = self._manifest
        return {
            "imported": True,
            "import_kind": manifest.kind,
            "import_format": manifest.format,
            "import_source": manifest.source,
            "import_sha256": manifest.sha256,
        }

    def _static(self, stimuli: Stimuli) -> tuple[Mapping[str, FeatureArray], Counts]:
        spellings = [[_spellings(word) for word in text.split()] for text in stimuli.texts]
        wanted = {spelling for words in spellings for word in words for spelling in word}
        content = read_vectors(self._data, self._manifest, wanted)
        rows = [[_row(word, content) for word in words] for words in spellings]
        known = [[row for row in words if row is not None] for words in rows]
        n_without = sum(not words for words in known)
        if n_without == len(stimuli):
            raise ImportUnsuited(f"none of the {len(stimuli)} stimuli has a word of {self._identifier}")
        zero = np.zeros(content.vectors.shape[1], dtype=np.float32)
        means = [content.vectors[words].mean(axis=0, dtype=np.float64) if words else zero for words in known]
        n_words = sum(map(len, rows))
        return {STATIC: np.array(means, dtype=np.float32)}, {
            "n_words": n_words,
            "n_words_without_vector": n_words - sum(map(len, known)),
            "n_stimuli_without_vector": n_without,
        }

    def _layers(self, stimuli: Stimuli) -> tuple[Mapping[str, FeatureArray], Counts]:
        content = read_rows(self._data, self._manifest)
        assert isinstance(content, Activations), "the manifest says so"
        places = {stimulus: row for row, stimulus in enumerate(content.stimulus_ids)}
        missing = [stimulus for stimulus in stimuli.ids if stimulus not in places]
        if missing:
            raise ImportUnsuited(
                f"{len(missing)} of the {len(stimuli)} stimuli of the benchmark are not in {self._identifier};"
                f" the first is {shown(missing[0])}",
                hint="a file of activations has a row for every stimulus, named as the benchmark names it",
            )
        rows = [places[stimulus] for stimulus in stimuli.ids]
        chosen = {name: features[rows] for name, features in content.layers.items()}
        return chosen, {"n_rows_unused": content.n_rows - len(rows)}

    def _surprisals(self, stimuli: Stimuli) -> tuple[Surprisals, Counts]:
        content = read_rows(self._data, self._manifest)
        assert not isinstance(content, Activations), "the manifest says so"
        by_token = isinstance(content, TokenSurprisals)
        aligned = (
            align_tokens(content, stimuli) if isinstance(content, TokenSurprisals) else align_words(content, stimuli)
        )
        aligned.require_agreement(allow_mismatch=self._manifest.allow_mismatch)
        surprisals = Surprisals(
            sum_bits=aligned.bits,
            boundary_bits=None,
            n_tokens=aligned.n_tokens,
            context_tokens=aligned.context_tokens,
            kind=SurprisalKind.IMPORTED,
            boundary_reason="an imported file does not give the probability that a word ends",
        )
        return surprisals, self._counts(aligned, by_token=by_token)

    def _counts(self, aligned: Aligned, *, by_token: bool) -> Counts:
        return {
            "import_unit": self._manifest.unit,
            "import_rows": "tokens" if by_token else "words",
            "n_words_without_surprisal": int(np.isnan(aligned.bits).sum()),
            "n_words_differing": len(aligned.differing),
            "n_rows_unused": aligned.n_rows_unused,
        }


def refuse_options(identifier: str, options: Mapping[str, Any]) -> None:
    """Raises OptionUnknown where an option is about loading or reading: what was imported is neither here."""
    if options:
        name = min(options)
        raise OptionUnknown(
            f"{identifier} was made elsewhere: there is nothing that {name} could change",
            hint="leave the options out",
            param=f"options.{name}",
        )


def _spellings(word: str) -> tuple[str, ...]:
    """The ways to look a word up, best first: as it stands, in lower case, and both without punctuation around it."""
    first = next((place for place, letter in enumerate(word) if letter.isalnum()), 0)
    last = next((place for place, letter in enumerate(reversed(word)) if letter.isalnum()), 0)
    bare = word[first : len(word) - last]
    return tuple(dict.fromkeys((word, word.lower(), bare, bare.lower())))


def _row(spellings: Sequence[str], content: WordVectors) -> int | None:
    return next((content.rows[spelling] for spelling in spellings if spelling in content.rows), None)
