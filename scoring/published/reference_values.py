"""Numbers that were found independently of this code and need no model: what data sets hold, what is computed of them.

Those of Brain-Score come from its loaders and its tests; the others were computed with other programs on the same
files. Ceilings and noise rest on random subsets there and here, so they agree in so many digits and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Quantity(StrEnum):
    """What is counted or computed of the data of a benchmark."""

    STIMULI = "stimuli"
    """Sentences, words or moments that were shown."""
    PASSAGES = "passages"
    """Texts that stimuli stand in."""
    ROWS = "rows"
    """Measured rows of a recording."""
    UNITS = "units"
    """Units of a recording, or of one of its parts: those without a missing value there."""
    PARTICIPANTS = "participants"
    """Participants or readers."""
    SUM = "sum"
    """The sum of all values that there are."""
    MEAN_TIME = "mean time"
    """The mean over words of published mean reading times, in milliseconds."""
    CEILING = "ceiling"
    """The ceiling under a protocol."""
    NOISE = "noise"
    """The normalised score of 25 uniform random features under a protocol."""
    BASELINE = "baseline"
    """The raw score of a baseline under a protocol, in one part where a part is named."""


@dataclass(frozen=True, kw_only=True)
class ReferenceValue:
    """A number and how far from it ours may be; `part` and `protocol` where the quantity has them."""

    benchmark: str
    quantity: Quantity
    expected: float
    tolerance: float
    source: str
    part: str | None = None
    protocol: str | None = None
    baseline: str | None = None

    @property
    def name(self) -> str:
        """The quantity in words."""
        told = [self.baseline or self.quantity, *([f"of {self.part}"] if self.part else [])]
        return " ".join([*told, *([f"under {self.protocol}"] if self.protocol else [])])


LOADER = "Brain-Score's loader"
TESTS = "Brain-Score's tests"
CORPUS = "the corpus' own files"
SKLEARN = "scikit-learn on the same files"


def _counts(benchmark: str, source: str, **counts: int) -> tuple[ReferenceValue, ...]:
    return tuple(
        ReferenceValue(
            benchmark=benchmark, quantity=Quantity[name.upper()], expected=count, tolerance=0.0, source=source
        )
        for name, count in counts.items()
    )


def _fitted(
    benchmark: str, quantity: Quantity, protocol: str, expected: float, tolerance: float, **more: str
) -> ReferenceValue:
    told = {"source": TESTS if quantity is not Quantity.BASELINE else SKLEARN, **more}
    return ReferenceValue(
        benchmark=benchmark, quantity=quantity, protocol=protocol, expected=expected, tolerance=tolerance, **told
    )


VALUES: tuple[ReferenceValue, ...] = (
    *_counts("futrell2018", CORPUS, stimuli=10_256, passages=10),
    ReferenceValue(benchmark="futrell2018", quantity=Quantity.MEAN_TIME, expected=338.5, tolerance=0.05, source=CORPUS),
    _fitted("futrell2018", Quantity.BASELINE, "grouped", 0.253, 0.001, baseline="baseline/word-length"),
    *_counts("pereira2018-example", CORPUS, stimuli=627),
    *(
        _fitted("pereira2018-example", Quantity.BASELINE, protocol, expected, 0.005, part=part, baseline=name)
        for name, protocol, part, expected in (
            ("baseline/nuisance", "grouped", "384sentences", 0.070),
            ("baseline/nuisance", "grouped", "243sentences", 0.131),
            ("baseline/nuisance", "shuffled", "384sentences", 0.070),
            ("baseline/nuisance", "shuffled", "243sentences", 0.128),
        )
    ),
    *_counts("pereira2018", LOADER, stimuli=627, participants=10, units=13_553),
    *(
        ReferenceValue(
            benchmark="pereira2018", quantity=Quantity.UNITS, part=part, expected=count, tolerance=0.0, source=LOADER
        )
        for part, count in (("243sentences", 8_031), ("384sentences", 12_155))
    ),
    ReferenceValue(
        benchmark="pereira2018",
        quantity=Quantity.SUM,
        expected=1935595.263162177,
        tolerance=1e-3,
        source=LOADER,
    ),
    _fitted("pereira2018-243", Quantity.CEILING, "paper-2312.00575", 0.35378928, 0.01),
    _fitted("pereira2018-384", Quantity.CEILING, "paper-2312.00575", 0.36343748, 0.01),
    _fitted("pereira2018-384", Quantity.CEILING, "brain-score", 0.1352125, 0.01),
    _fitted("pereira2018-243", Quantity.NOISE, "paper-2312.00575", 0.0186, 0.03),
    _fitted("pereira2018-384", Quantity.NOISE, "paper-2312.00575", 0.0334, 0.03),
    *_counts("pereira2018-auditory", LOADER, units=5_692),
    ReferenceValue(
        benchmark="pereira2018-auditory",
        quantity=Quantity.SUM,
        expected=-257124.1144940494,
        tolerance=1e-3,
        source=LOADER,
    ),
    *_counts("blank2014", LOADER, rows=1_317, units=60, participants=5, passages=8),
    _fitted("blank2014", Quantity.CEILING, "paper-2312.00575", 0.21026591, 0.01),
    _fitted("blank2014", Quantity.NOISE, "paper-2312.00575", 0.0, 0.03),
    *_counts("fedorenko2016", LOADER, stimuli=416, units=97, participants=5, passages=52),
    *_counts("tuckute2024", LOADER, stimuli=1_000, units=1),
    *_counts("wehbe2014", "its authors' files, trimmed", rows=1_211),
)
