"""Protocols as data: what is held out, how maps are fitted, how layers are chosen, how reading is measured.

A score without its protocol means nothing; the protocol is part of a score's identity. Each protocol is a frozen
object, so that reading one tells everything about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .errors import ProtocolUnsupported
from .registry import did_you_mean
from .regression.folds import Split, SplitKind
from .regression.rules import LEAST_SQUARES, NESTED_RIDGE, Method, PenaltyGrid, Regression, Scope, Selection


class LayerRule(StrEnum):
    """How the layer is chosen whose score counts."""

    NESTED = "nested"
    """Per outer fold and part: the highest median over units of the inner folds' mean r; ties the shallower."""
    BEST_ON_TEST = "best-on-test"
    """The highest score on the test rows themselves, which is optimistic."""
    LAST_BLOCK = "last-block"
    """The output of the last block."""


class Pooling(StrEnum):
    """How r of units and folds become one number for a part."""

    PARTICIPANTS = "participants"
    """Per participant the median over units, its mean over folds; then the mean over participants."""
    POOLED_UNITS = "pooled-units"
    """Per fold the median over all participants' units; then the mean over folds."""
    MEAN_UNITS = "mean-units"
    """Per participant the mean over units and folds; then the mean over participants."""


class FeatureRule(StrEnum):
    """What is done to features before the fit where rows are moments of a course."""

    DELAYED = "delayed"
    """The mean of each moment's stimuli, once for each delay of the recording."""
    DELAYED_COMPONENTS = "delayed-components"
    """Stimuli's vectors → 10 principal components of the training rows' → mean of each moment → delays → z-scored in
    each run; then training and test rows z-scored separately, responses too."""


@dataclass(frozen=True, kw_only=True)
class BrainRules:
    """How activations become a score."""

    split: Split
    regression: Regression
    layer: LayerRule
    pooling: Pooling
    features: FeatureRule = FeatureRule.DELAYED


class ReadingCeiling(StrEnum):
    """What a correlation with reading times can reach at most."""

    RELIABILITY = "reliability"
    """The root of the reliability of the means over readers."""
    CONSISTENCY = "consistency"
    """The published consistency between halves of the readers."""


@dataclass(frozen=True, kw_only=True)
class ReadingRules:
    """How surprisals become a score.

    `word_probability` (boundary, sum) says how a word's probability is made from its tokens', `times` (realigned,
    published) which alignment of reading times gives the raw score. With `is_stream` all passages are read as a single
    text, and its first word has no probability. With `drops_sentence_starts` r leaves out the first word of each
    sentence, with `is_absolute` its sign is dropped. `ceiling` says what it is divided by.
    """

    word_probability: str
    times: str
    is_stream: bool = False
    drops_sentence_starts: bool = False
    is_absolute: bool = False
    ceiling: ReadingCeiling = ReadingCeiling.RELIABILITY


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One way to turn responses into a score; `exceptions` hold what differs for single benchmarks, by name.

    `reading` is None where the protocol says nothing of reading.
    """

    name: str
    summary: str
    brain: BrainRules
    reading: ReadingRules | None = None
    exceptions: Mapping[str, BrainRules] = field(default_factory=dict)

    def brain_rules(self, benchmark: str) -> BrainRules:
        """The rules that hold for a benchmark."""
        return self.exceptions.get(benchmark, self.brain)


_GROUPED = BrainRules(
    split=Split(kind=SplitKind.GROUPS),
    regression=NESTED_RIDGE,
    layer=LayerRule.NESTED,
    pooling=Pooling.PARTICIPANTS,
)

GROUPED = Protocol(
    name="grouped",
    summary=(
        "Whole topics, stories or runs are held out; ridge with one penalty per unit, chosen inside the training "
        "folds; the layer is chosen inside them too."
    ),
    brain=_GROUPED,
    reading=ReadingRules(word_probability="boundary", times="realigned"),
    exceptions={"tuckute2024": replace(_GROUPED, split=Split(kind=SplitKind.SHUFFLED_ROWS))},
)

PASSAGE_GROUPED = Protocol(
    name="passage-grouped",
    summary="As grouped, but whole passages are held out: passages about the same topic may stand on both sides.",
    brain=replace(_GROUPED, split=Split(kind=SplitKind.PASSAGES)),
)

SHUFFLED = Protocol(
    name="shuffled",
    summary="As grouped, but rows are held out at random: neighbouring sentences stand on both sides. A control.",
    brain=replace(_GROUPED, split=Split(kind=SplitKind.SHUFFLED_ROWS)),
)

_PAPER = BrainRules(
    split=Split(kind=SplitKind.SHUFFLE_SPLIT, n_folds=10, seed=1),
    regression=LEAST_SQUARES,
    layer=LayerRule.BEST_ON_TEST,
    pooling=Pooling.POOLED_UNITS,
)

PAPER = Protocol(
    name="paper-2312.00575",
    summary=(
        "As the study made its numbers: random tenths of the rows are held out, least squares without penalty, and "
        "the layer that is best on the test rows; stories read as one stream, published times, absolute r."
    ),
    brain=_PAPER,
    reading=ReadingRules(
        word_probability="sum",
        times="published",
        is_stream=True,
        drops_sentence_starts=True,
        is_absolute=True,
        ceiling=ReadingCeiling.CONSISTENCY,
    ),
    exceptions={
        "wehbe2014": BrainRules(
            split=Split(kind=SplitKind.CONTIGUOUS_ROWS, n_folds=4),
            regression=Regression(
                method=Method.RIDGE,
                grid=PenaltyGrid(low=-6, high=9, n_penalties=16, is_relative=False),
                selection=Selection.INNER_FOLDS,
            ),
            layer=LayerRule.BEST_ON_TEST,
            pooling=Pooling.MEAN_UNITS,
            features=FeatureRule.DELAYED_COMPONENTS,
        )
    },
)

BRAIN_SCORE = Protocol(
    name="brain-score",
    summary=(
        "As Brain-Score's ridge benchmarks: shuffled folds of whole topics or stories, ridge with one penalty for all "
        "units by leave-one-out, the last block."
    ),
    brain=BrainRules(
        split=Split(kind=SplitKind.GROUP_K_FOLD, n_folds=10, seed=1234),
        regression=Regression(
            method=Method.RIDGE,
            grid=PenaltyGrid(low=-3, high=3, n_penalties=7, is_relative=False),
            selection=Selection.LEAVE_ONE_OUT,
            scope=Scope.ALL,
        ),
        layer=LayerRule.LAST_BLOCK,
        pooling=Pooling.POOLED_UNITS,
    ),
)

PROTOCOLS = {protocol.name: protocol for protocol in (GROUPED, PASSAGE_GROUPED, SHUFFLED, PAPER, BRAIN_SCORE)}


def protocol_named(name: str) -> Protocol:
    """The protocol of this name. Raises ProtocolUnsupported with the known names."""
    if name not in PROTOCOLS:
        known = tuple(PROTOCOLS)
        raise ProtocolUnsupported(
            f"{name!r} is not one of {', '.join(known)}", hint=did_you_mean(name, known), param="protocol"
        )
    return PROTOCOLS[name]
