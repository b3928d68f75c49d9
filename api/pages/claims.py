"""The claims of a published comparison, held against the numbers of any protocol: what was printed, what is found, and
the verdict that follows. The rules are told in `scoring.published.verdicts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from charts.documents import decimal, probability, short_label, signed, span
from scoring.analysis.table import AVERAGE, SIZE, WIDTH
from scoring.published import printed
from scoring.published.verdicts import Verdict, of_correlation, of_no_correlation, of_no_rise, of_rise

BEHAVIOUR = "futrell2018"
PLACES = {AVERAGE: "Figure 1B", BEHAVIOUR: "Figure 3A"}

Ask = Callable[..., Mapping[str, Any] | None]
"""The result of an analysis of this kind and these fields; None where it cannot be answered yet."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim, where the paper makes it, the number there, the number here, with a control, and what follows."""

    says: str
    place: str
    printed: str
    here: str
    control: str
    verdict: Verdict

    @property
    def tone(self) -> str:
        """How the verdict reads."""
        return {Verdict.HOLDS: "ok", Verdict.NOT_ASKED: "missing"}.get(self.verdict, "no")


def claims(ask: Ask, *, loss: str, is_published: bool) -> list[Claim]:
    """All claims that tables can be asked about, in the paper's order; `loss` is the property that stands for it."""
    found = [
        *_changes(ask),
        _goes_with(ask, AVERAGE, "mmlu", SIZE, says="Alignment goes with world knowledge (MMLU)", place="Figure 2A"),
        _goes_with(ask, AVERAGE, SIZE, WIDTH, says="Alignment goes with model size", place="Figure 2C"),
        _does_not_go_with(
            ask, AVERAGE, "bbh", says="Alignment does not go with reasoning as a whole (BBH)", place="Table 2"
        ),
        _goes_with(
            ask,
            AVERAGE,
            loss,
            None,
            says="Alignment goes with better next-word prediction",
            place="section 4.2",
            sign=-1,
        ),
        *(
            _does_not_go_with(ask, BEHAVIOUR, name, says=f"Behavioural alignment does not go with {what}", place=place)
            for name, what, place in (
                ("mmlu", "knowledge (MMLU)", "Figure 3B"),
                (SIZE, "size", "Figure 3C"),
                (loss, "next-word loss", "Figure 3D, E"),
            )
        ),
    ]
    return found if is_published else [_without_print(one) for one in found]


def _changes(ask: Ask) -> Iterator[Claim]:
    result = ask("paired")
    effects = {} if result is None else result["effects"]
    names = [AVERAGE, *(name for name in effects if name not in (AVERAGE, BEHAVIOUR)), BEHAVIOUR]
    for name in names:
        is_behaviour = name == BEHAVIOUR
        what = "brain alignment" if name == AVERAGE else f"alignment on {name}"
        says = "Tuning does not raise behavioural alignment" if is_behaviour else f"Tuning raises {what}"
        percent = printed.PERCENT.get(name)
        told = "no change or less for half of the models" if is_behaviour else ""
        yield _change(
            effects.get(name),
            says=says,
            place=PLACES.get(name, "Figure 1C"),
            said=told or ("" if percent is None else f"{signed(percent)} %"),
            is_rise=not is_behaviour,
        )


def _change(effect: Mapping[str, Any] | None, *, says: str, place: str, said: str, is_rise: bool) -> Claim:
    if effect is None:
        return _not_asked(says, place, said)
    percent = effect["mean_percent"]
    change = f"{signed(effect['mean_difference'], 3)}" if percent is None else f"{signed(percent, 2)} %"
    return Claim(
        says=says,
        place=place,
        printed=said,
        here=f"{change}; {_ups(effect['over_pairs'], 'pairs')}",
        control=_ups(effect["over_bases"], "bases"),
        verdict=of_rise(effect) if is_rise else of_no_rise(effect),
    )


def _goes_with(ask: Ask, score: str, name: str, given: str | None, *, says: str, place: str, sign: int = 1) -> Claim:
    r = printed.R.get(name)
    said = "" if r is None else f"r = {decimal(r)}"
    test = _test(ask, score, name)
    if test is None:
        return _not_asked(says, place, said)
    if given is None:
        families = [one for one in test["by_family"] if one["r"] is not None]
        control = ", ".join(f"inside {one['family']} {decimal(one['r'])}" for one in families) or "–"
        verdict = of_correlation(test["whole"], sign=sign)
    else:
        held = next((one["coefficient"] for one in test["partials"] if one["given"] == given), None)
        control = "nothing varies" if held is None else f"with {short_label(given)} held {_r(held)}"
        verdict = of_correlation(test["whole"], sign=sign, held=held, has_control=True)
    return Claim(says=says, place=place, printed=said, here=_r(test["whole"]), control=control, verdict=verdict)


def _does_not_go_with(ask: Ask, score: str, name: str, *, says: str, place: str) -> Claim:
    p = printed.BEHAVIOUR_P.get(name) if score == BEHAVIOUR else None
    rows = [one for one in printed.TABLE_2 if score == AVERAGE and one.property == name]
    said = f"p = {decimal(p)}" if p is not None else f"r = {decimal(rows[0].r, 3)}" if rows else ""
    test = _test(ask, score, name)
    if test is None:
        return _not_asked(says, place, said)
    families = [one for one in test["by_family"] if one["r"] is not None]
    control = ", ".join(f"inside {one['family']} {decimal(one['r'])}" for one in families) or "–"
    whole = test["whole"]
    here = f"{_r(whole)}, {probability(whole['p'])}"
    return Claim(says=says, place=place, printed=said, here=here, control=control, verdict=of_no_correlation(whole))


def _test(ask: Ask, score: str, name: str) -> Mapping[str, Any] | None:
    result = ask("correlate", benchmarks=[score], properties=[name])
    if result is None:
        return None
    found: Mapping[str, Any] = result["tests"][0]
    return found


def _not_asked(says: str, place: str, said: str) -> Claim:
    return Claim(says=says, place=place, printed=said, here="–", control="–", verdict=Verdict.NOT_ASKED)


def _without_print(claim: Claim) -> Claim:
    """Numbers of another protocol do not stand beside those of the paper."""
    return Claim(
        says=claim.says, place=claim.place, printed="", here=claim.here, control=claim.control, verdict=claim.verdict
    )


def _ups(over: Mapping[str, Any], what: str) -> str:
    p = "too few for a test" if over["test"] is None else probability(over["test"]["p"])
    return f"{over['n_up']} of {over['n']} {what} up, {p}"


def _r(found: Mapping[str, Any]) -> str:
    return f"r = {decimal(found['r'])}{span(found['interval'])}, n = {found['n']}"
