"""The reference of the science says what the code does: protocols, families, measures, baselines, warnings."""

import fnmatch
import re
from pathlib import Path

import pytest

from scoring import baselines
from scoring.controls import CONTROLS
from scoring.datasets.download import DataStore
from scoring.evaluate import score
from scoring.metrics import outcome
from scoring.protocols import PROTOCOLS, FeatureRule, LayerRule, Pooling
from scoring.regression.folds import SplitKind
from scoring.regression.rules import Method, Selection
from scoring.results import NOT_COMPARABLE
from scoring.subjects import demo_model
from scoring.subjects.families.base import families
from scoring.subjects.language_model import LanguageModel
from tests.unit.test_docs import code_spans, page, sections, tables

ROOT = Path(__file__).parents[2]
MEASURES = "docs/reference/measures.md"
PLANTED_IN_CODE = re.compile(r'ScoreWarning\(code="(\w+)"')


def rows_of(name, title):
    return tables(sections(page(name), 2)[title])[1:]


def first_cells(title):
    return [span for cells in rows_of(MEASURES, title) for span in code_spans(cells[0])]


def split_of(rules):
    folds = f", {rules.split.n_folds} folds" if rules.split.n_folds else ""
    return f"`{rules.split.kind}`{folds}, seed {rules.split.seed}"


def regression_of(rules):
    regression = rules.regression
    if regression.method is Method.LEAST_SQUARES:
        return "`least-squares`"
    grid = regression.grid
    scale = " · trace(K)/n" if grid.is_relative else ""
    penalties = f"{grid.n_penalties} from 10^{grid.low:g} to 10^{grid.high:g}{scale}"
    return f"`{regression.method}`, {penalties}, `{regression.selection}`, one a `{regression.scope}`"


def test_protocols_are_shown_as_they_are():
    expected = []
    for protocol in PROTOCOLS.values():
        for name, rules in {"": protocol.brain, **protocol.exceptions}.items():
            shown = f"`{protocol.name}`, `{name}`" if name else f"`{protocol.name}`"
            words = (f"`{word}`" for word in (rules.layer, rules.pooling, rules.features))
            expected.append([shown, split_of(rules), regression_of(rules), *words])
    body = sections(page("docs/reference/protocols.md"), 2)["Brains"]
    assert [cells for cells in tables(body) if len(cells) == 6][1:] == expected


def test_rules_of_reading_are_shown_as_they_are():
    expected = [
        [
            f"`{protocol.name}`",
            f"`{rules.word_probability}`",
            f"`{rules.times}`",
            "one stream" if rules.is_stream else "each story",
            "left out" if rules.drops_sentence_starts else "kept",
            "absolute" if rules.is_absolute else "signed",
            f"`{rules.ceiling}`",
        ]
        for protocol in PROTOCOLS.values()
        if (rules := protocol.reading) is not None
    ]
    assert rows_of("docs/reference/protocols.md", "Reading times") == expected


def test_words_of_protocols_are_explained():
    body = sections(page("docs/reference/protocols.md"), 2)["Brains"]
    explained = {cells[0].strip("`") for cells in tables(body) if len(cells) == 2}
    used = {*SplitKind, *LayerRule, *Pooling, *FeatureRule, *Selection} - {Selection.GENERALISED, Selection.NONE}
    assert {str(word) for word in used} == explained - {"word"}


def test_summaries_of_protocols_are_those_of_the_code():
    text = " ".join(page("docs/reference/protocols.md").split())
    assert [name for name, each in PROTOCOLS.items() if f"- `{name}`: {each.summary}" not in text] == []


def test_families_are_shown_as_they_are():
    def stack(one):
        return f"`{one.blocks}`, " + (f"`{one.final_norm}`" if one.final_norm else "–")

    expected = [
        [
            f"`{family.name}`",
            str(family.layout),
            ", ".join(f"`{name}`" for name in family.model_types),
            "; ".join(stack(one) for one in family.stacks),
        ]
        for family in sorted(families(), key=lambda family: family.name)
    ]
    assert tables(page("docs/reference/model-families.md"))[1:] == expected


def test_metrics_are_those_of_the_code():
    assert set(first_cells("Metrics")) == {outcome.PEARSON, outcome.LOG_LIKELIHOOD}


def test_baselines_are_those_of_the_code():
    named = {value for name, value in vars(baselines).items() if name.isupper() and isinstance(value, str)}
    assert set(first_cells("Baselines")) == named | {"untrained/<id>@<seed>"}


def test_warnings_are_those_of_the_code():
    modules = [path.read_text("utf8") for path in (ROOT / "scoring").rglob("*.py")]
    in_code = {code for text in modules for code in PLANTED_IN_CODE.findall(text)}
    assert set(first_cells("Warnings")) == in_code | set(CONTROLS.values()) | {NOT_COMPARABLE}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    demo_model.build(folder)
    return LanguageModel.from_folder(folder, identifier="tiny")


@pytest.mark.parametrize(
    ("benchmark", "title"), [("demo-fmri", "Measures of brains"), ("demo-reading", "Measures of reading")]
)
def test_every_measure_of_a_score_is_explained(benchmark, title, tiny, tmp_path):
    found = score(tiny, benchmark, data=DataStore(cache=tmp_path, offline=True))
    explained = [name.replace("…", "*") for name in first_cells(title)]
    unknown = [name for name in found.measures if not any(fnmatch.fnmatch(name, pattern) for pattern in explained)]
    assert unknown == []
    assert {each.name for each in found.sensitivity} <= set(first_cells("Sensitivity"))
