"""What the paper claims, beside what its own tables give: over pairs, over bases, and with size or width held.

A verdict follows from the numbers by the rules of `scoring.published.verdicts`; the sentences beside them say why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Any

from charts.documents import decimal, probability, signed, span
from scoring.analysis.table import AVERAGE, SIZE, WIDTH
from scoring.published import printed
from scoring.published.verdicts import ALPHA, excludes_zero, of_no_rise, of_rise
from scoring.published.verdicts import Verdict as Shared

from .asking import BEHAVIOUR, changes, coefficient, effect, held, mixed, of_family


class Verdict(StrEnum):
    """What the tables say of a claim: as the rules that all share have it, with controls by name."""

    HOLDS = "holds"
    """Over models or pairs, and over bases."""
    NOT_OVER_BASES = "does not survive counting bases"
    """p over pairs is below .05 and p over bases is not."""
    NOT_WITH_SIZE = "does not survive size"
    """The interval over bases includes zero once the number of parameters is held."""
    NOT_WITHOUT_WIDTH = "cannot be told from width"
    """The interval over bases includes zero once the hidden width is held."""
    NOT_SHOWN = "not shown"
    """p over pairs is not below .05 either."""
    OTHER_SIGN = "has the other sign"
    """The tables give a correlation of the opposite sign."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim with the place where it stands, its number there and here, the number with a control, and why."""

    says: str
    place: str
    printed: str
    here: str
    control: str
    verdict: Verdict
    why: str


def claims() -> tuple[Claim, ...]:
    """All claims that the tables can be asked about, in the paper's order."""
    return (
        _average_change(),
        *(_change(name) for name in ("pereira2018", "blank2014", "wehbe2014")),
        _knowledge(),
        _size(),
        _reasoning(),
        _loss(),
        _behaviour(),
        _behaviour_and_properties(),
    )


def _average_change() -> Claim:
    both, found, whole = changes()["result"]["average"], effect(AVERAGE), mixed()["result"]["whole"]
    bases = Counter(pair["base"] for pair in changes()["result"]["pairs"])
    ((shared, n_shared),) = bases.most_common(1)
    return Claim(
        says="Instruction-tuning raises brain alignment",
        place="Figure 1B",
        printed=f"{signed(printed.PERCENT[AVERAGE])} %",
        here=f"{signed(both['of_average'], 2)} % of the average column, {signed(both['of_percentages'], 2)} % as the "
        f"mean of the three data sets; {_ups(found, 'over_pairs', 'pairs')}",
        control=_ups(found, "over_bases", "bases"),
        verdict=Verdict(of_rise(found)),
        why=f"{n_shared} of the {bases.total()} tuned models come from one base, {shared}: they are not as many draws. "
        f"Over bases the interval of the change is {_percents(found)}. With size and data set held, a mixed "
        f"model gives {signed(whole['percent'])} %, {probability(whole['p'])}.",
    )


def _change(name: str) -> Claim:
    found = effect(name)
    why = {
        "pereira2018": f"The interval over bases is {_percents(found)}. No exact two-sided test of 8 bases can give a "
        f"p below .0078. By family: {_by_family(name)}. {_further()}",
        "blank2014": "Not even 17 pairs tell the change from none: the interval over bases is "
        f"{_percents(found)}, and the two pairs of width 1,024 stand where least squares collapses.",
        "wehbe2014": f"{found['over_pairs']['n_equal']} of the 17 pairs are equal to three digits; the interval over "
        f"bases is {_percents(found)}.",
    }
    return Claim(
        says=f"It raises alignment on {name}",
        place="Figure 1C",
        printed=f"{signed(printed.PERCENT[name])} %",
        here=f"{signed(found['mean_percent'], 2)} %; {_ups(found, 'over_pairs', 'pairs')}",
        control=_ups(found, "over_bases", "bases"),
        verdict=Verdict(of_rise(found)),
        why=why[name],
    )


def _by_family(name: str) -> str:
    """The mean percentage of each family's pairs."""
    family_of = {pair["tuned"]: pair["family"] for pair in changes()["result"]["pairs"]}
    percents: dict[str, list[float]] = {}
    for _, tuned, benchmark, *_, percent in changes()["table"]["rows"]:
        if benchmark == name:
            percents.setdefault(family_of[tuned], []).append(percent)
    return ", ".join(f"{family} {signed(fmean(found), 1)} % ({len(found)} pairs)" for family, found in percents.items())


def _further() -> str:
    """What else than tuning lies between the bases and the tuned models."""
    (found,) = (one["detail"] for one in changes()["warnings"] if one["code"] == "mixed_lineage")
    return f"{found[0].upper()}{found[1:]}."


def _knowledge() -> Claim:
    left = held(AVERAGE, "mmlu", SIZE)
    goes_with_size = coefficient("mmlu", SIZE)
    return Claim(
        says="Alignment goes with world knowledge (MMLU)",
        place="Figure 2A",
        printed=f"r = {decimal(printed.R['mmlu'])}",
        here=_r(coefficient(AVERAGE, "mmlu"), 3),
        control=f"with size held {_r(left)}",
        verdict=Verdict.HOLDS if excludes_zero(left) else Verdict.NOT_WITH_SIZE,
        why=f"MMLU goes with size (r = {decimal(goes_with_size['r'])}), and what is left with size held is not "
        "distinguishable from zero. That is not the same as refuted.",
    )


def _size() -> Claim:
    left, inside = held(AVERAGE, SIZE, WIDTH), of_family(AVERAGE, SIZE, "llama")
    width = held(AVERAGE, WIDTH, SIZE)
    return Claim(
        says="Alignment goes with model size",
        place="Figure 2C",
        printed=f"r = {decimal(printed.R[SIZE])}",
        here=_r(coefficient(AVERAGE, SIZE), 3),
        control=f"with width held {_r(left)}",
        verdict=Verdict.HOLDS if excludes_zero(left) else Verdict.NOT_WITHOUT_WIDTH,
        why="The correlation itself holds, also over bases. But a wider layer gives the linear map more weights, and "
        f"width with size held keeps r = {decimal(width['r'])}: the two go together too closely to be told apart. "
        f"Inside LLaMA r is {decimal(inside['r'])} (n = {inside['n']}).",
    )


def _reasoning() -> Claim:
    found = coefficient(AVERAGE, "bbh")
    (row,) = (one for one in printed.TABLE_2 if one.property == "bbh")
    return Claim(
        says="Alignment does not go with reasoning as a whole (BBH)",
        place="Table 2",
        printed=f"r = {decimal(row.r, 3)}, p = {row.p} (adjusted)",
        here=f"{_r(found, 3)}, {probability(found['p'])}",
        control=f"with size held {_r(held(AVERAGE, 'bbh', SIZE))}",
        verdict=Verdict.NOT_SHOWN if excludes_zero(found) else Verdict.HOLDS,
        why="The interval includes zero with and without a control. Groups of tasks are not in the tables.",
    )


def _loss() -> Claim:
    found = coefficient(AVERAGE, "wikitext2_loss")
    t5, llama = (of_family(AVERAGE, "wikitext2_loss", family)["r"] for family in ("t5", "llama"))
    is_same = found["r"] * printed.R["wikitext2_loss"] > 0
    return Claim(
        says="Alignment goes with better next-word prediction",
        place="section 4.2",
        printed=f"r = {decimal(printed.R['wikitext2_loss'])}",
        here=_r(found, 3),
        control=f"inside T5 {decimal(t5)}, inside LLaMA {decimal(llama)}",
        verdict=Verdict.HOLDS if is_same else Verdict.OTHER_SIGN,
        why="Losses of T5 are near .7 and those of LLaMA near 4: they are not losses of the same thing, and over both "
        "families the tables give the opposite of what the text prints. Neither sign is a finding about prediction.",
    )


def _behaviour() -> Claim:
    found = effect(BEHAVIOUR)
    return Claim(
        says="Tuning does not raise behavioural alignment",
        place="Figure 3A",
        printed="no change or less for half of the models",
        here=f"{signed(found['mean_percent'])} %, median {signed(found['median_percent'])} %; "
        f"{_ups(found, 'over_pairs', 'pairs')}",
        control=_ups(found, "over_bases", "bases"),
        verdict=Verdict.HOLDS if of_no_rise(found) is Shared.HOLDS else Verdict.NOT_SHOWN,
        why="No rise is seen. That tuning leaves reading times alone does not follow: the interval is "
        f"{_percents(found)}.",
    )


def _behaviour_and_properties() -> Claim:
    ps = {
        "MMLU": (printed.BEHAVIOUR_P["mmlu"], coefficient(BEHAVIOUR, "mmlu")),
        "size": (printed.BEHAVIOUR_P[SIZE], coefficient(BEHAVIOUR, SIZE)),
        **{
            f"loss ({name})": (
                printed.BEHAVIOUR_LOSS_P[family],
                coefficient(BEHAVIOUR, "wikitext2_loss", family=family),
            )
            for family, name in (("t5", "T5"), ("llama", "LLaMA"))
        },
    }
    is_any = any(found["p"] < ALPHA for _, found in ps.values())
    llama = ps["loss (LLaMA)"][1]
    return Claim(
        says="Behavioural alignment goes with none of size, knowledge and loss",
        place="Figure 3B to 3E",
        printed="; ".join(f"{name} p = {decimal(p)}" for name, (p, _) in ps.items()),
        here="; ".join(f"{name} {probability(found['p'])}" for name, (_, found) in ps.items()),
        control="none below .05",
        verdict=Verdict.NOT_SHOWN if is_any else Verdict.HOLDS,
        why=f"With so few models little could be seen: inside LLaMA r is {decimal(llama['r'])} and n = {llama['n']}.",
    )


def _ups(found: Mapping[str, Any], over: str, what: str) -> str:
    counted = found[over]
    return f"{counted['n_up']} of {counted['n']} {what} up, {probability(counted['test']['p'])}"


def _r(found: Mapping[str, Any], digits: int = 2) -> str:
    return f"r = {decimal(found['r'], digits)}{span(found['interval'])}"


def _percents(found: Mapping[str, Any]) -> str:
    interval = found["percent_interval"]
    return f"{signed(interval['low'])} to {signed(interval['high'])} %"
