"""The report on a published comparison: its numbers are those of the analyses, and nothing that is missing is drawn."""

from __future__ import annotations

import csv
import importlib.util
import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from broca.reproduction import asking
from broca.reproduction.asking import PROPERTIES, coefficient, effect, held
from broca.reproduction.claims import Claim, Verdict, claims
from broca.reproduction.figures import figures
from broca.reproduction.tables import NOT_PRINTED, largest_gap, table_2, table_5
from broca.reproduction.writing import write
from charts.documents import decimal
from scoring.analysis.table import AVERAGE
from scoring.published import paper, printed

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "images" / "reproduction"
FINDINGS = (ROOT / "docs" / "explanation" / "published-findings.md").read_text("utf8")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that writes the page of the documentation."""
    spec = importlib.util.spec_from_file_location("reproduction_script", ROOT / "docs" / "images" / "reproduction.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report as a user gets it."""
    made = tmp_path_factory.mktemp("reproduction")
    assert write(made) == made / "index.html"
    return made


def by_place() -> dict[str, Claim]:
    return {one.place: one for one in claims()}


def letters(svg: str) -> list[str]:
    return [text.strip() for text in ET.fromstring(svg).itertext() if text.strip()]


def marks(svg: str) -> dict[str, int]:
    """How many marks of each kind a picture holds."""
    roles = [one.get("aria-roledescription") or one.get("class", "") for one in ET.fromstring(svg).iter(f"{SVG}path")]
    return {role: roles.count(role) for role in roles}


def rows_under(heading: str) -> dict[str, list[str]]:
    """The rows of the first table under a heading of the findings, by their first cell."""
    section = FINDINGS.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in rows[2:]}


def test_the_page_of_the_documentation_is_what_the_script_writes(script: ModuleType) -> None:
    assert script.PAGE.read_text("utf8") == script.page()


def test_the_pictures_of_the_documentation_are_what_the_script_draws(script: ModuleType) -> None:
    drawn = dict(script.pictures())
    assert set(drawn) == {path.name for path in PICTURES.glob("*.svg")}
    for name, text in drawn.items():
        kept = (PICTURES / name).read_text("utf8")
        assert letters(text) == letters(kept), name
        assert marks(text) == marks(kept), name


def test_the_findings_say_of_tuning_what_the_tables_give() -> None:
    names = {
        "Pereira 2018": "pereira2018",
        "Blank 2014": "blank2014",
        "Wehbe 2014": "wehbe2014",
        "average column": AVERAGE,
        "Futrell 2018": "futrell2018",
    }
    rows = rows_under("Tuning")
    assert set(rows) == set(names)
    for said, name in names.items():
        found = effect(name)
        change, up, p_pairs, bases_up, p_bases, interval = rows[said]
        digits = 1 if name == "futrell2018" else 2
        assert plain(change)[0] == pytest.approx(round(found["mean_percent"], digits))
        assert plain(up)[0] == found["over_pairs"]["n_up"]
        assert plain(bases_up)[0] == found["over_bases"]["n_up"]
        for text, over in ((p_pairs, "over_pairs"), (p_bases, "over_bases")):
            assert plain(text)[0] == pytest.approx(round(found[over]["test"]["p"], decimals(text)))
        bounds = (found["percent_interval"]["low"], found["percent_interval"]["high"])
        assert plain(interval) == pytest.approx([round(bound, 1) for bound in bounds])


def test_the_findings_say_of_properties_what_the_tables_give() -> None:
    rows = rows_under("Size, width and knowledge")
    assert len(rows) == len(PROPERTIES)
    for (said, cells), name in zip(rows.items(), PROPERTIES, strict=True):
        found = coefficient(AVERAGE, name)
        r, _, interval, size_held, width_held = cells
        assert plain(r)[0] == pytest.approx(round(found["r"], 3)), said
        bounds = (found["interval"]["low"], found["interval"]["high"])
        assert plain(interval) == pytest.approx([round(bound, 2) for bound in bounds]), said
        for text, given in ((size_held, "log10_parameters"), (width_held, "log10_width")):
            if given != name:
                assert plain(text)[0] == pytest.approx(round(held(AVERAGE, name, given)["r"], 2)), said


def plain(text: str) -> list[float]:
    """The numbers of a cell, with the signs and points that the page writes them with."""
    found = re.findall(r"[−+-]?(?:\d+\.?\d*|\.\d+)", text.replace("**", ""))
    return [float(one.replace("−", "-")) for one in found]


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


def test_claims_have_the_verdicts_that_the_numbers_give() -> None:
    verdicts = {place: claim.verdict for place, claim in by_place().items()}
    assert verdicts == {
        "Figure 1B": Verdict.NOT_OVER_BASES,
        "Figure 1C": Verdict.NOT_OVER_BASES,
        "Figure 2A": Verdict.NOT_WITH_SIZE,
        "Figure 2C": Verdict.NOT_WITHOUT_WIDTH,
        "Table 2": Verdict.HOLDS,
        "section 4.2": Verdict.OTHER_SIGN,
        "Figure 3A": Verdict.HOLDS,
        "Figure 3B to 3E": Verdict.HOLDS,
    }, "of the three data sets the last one"
    by_data_set = [one.verdict for one in claims() if one.place == "Figure 1C"]
    assert by_data_set == [Verdict.HOLDS, Verdict.NOT_SHOWN, Verdict.NOT_OVER_BASES]


def test_claims_hold_the_golden_numbers() -> None:
    said = by_place()
    assert said["Figure 1B"].here.startswith("+5.98 % of the average column, +6.32 %")
    assert said["Figure 2A"].here == "r = .805 [.28, .96]"
    assert said["Figure 2A"].control == "with size held r = −.16 [−.83, .71]"
    assert (said["section 4.2"].printed, said["section 4.2"].here[:8]) == ("r = −.54", "r = .545")
    assert said["Figure 3B to 3E"].here == said["Figure 3B to 3E"].printed, "these p are what the paper prints"


def test_what_is_printed_agrees_with_the_tables_but_for_the_sign_of_the_loss() -> None:
    for name in ("pereira2018", "blank2014"):
        assert effect(name)["mean_percent"] == pytest.approx(printed.PERCENT[name], abs=0.1)
    for name, r in printed.R.items():
        found = coefficient(AVERAGE, name)["r"]
        assert abs(found) == pytest.approx(abs(r), abs=0.01)
        assert (found * r > 0) == (name != "wikitext2_loss")


def test_table_2_gives_no_number_that_the_tables_do_not_hold() -> None:
    rows = table_2().rows
    assert [row[0] for row in rows if row[4] != NOT_PRINTED] == ["MMLU, overall", "BBH, overall"]
    assert len(rows) == 11
    assert rows[0][2:5:2] == (".809", ".805")
    assert rows[0][6] == decimal(held(AVERAGE, "mmlu", "log10_parameters")["r"], 3)


def test_table_5_has_every_model_with_its_printed_average() -> None:
    rows = {row[0]: row for row in table_5().rows}
    assert len(rows) == 33
    assert rows["flan-t5-xl"] == ("flan-t5-xl", ".314", ".215", ".072", ".200", ".2003", "+9.3")
    assert rows["t5-xl"][-1] == "–"
    assert largest_gap() < 0.001
    assert {name for name, row in rows.items() if plain(row[1])[0] > paper.CEILINGS["pereira2018"]} >= {"llama-7b"}


def test_the_folder_is_complete_and_asks_nobody(folder: Path) -> None:
    page = (folder / "index.html").read_text("utf8")
    assert not re.search(r"<script|http|@import|url\(", page)
    named = set(re.findall(r'(?:src|srcset|href)="([^"]+)"', page))
    assert {name for name in named if not (folder / name).is_file()} == set()
    assert len([name for name in named if name.endswith("-dark.svg")]) == len(figures()) == 11
    assert "prefers-color-scheme: dark" in page
    for words in ("Which claims the tables bear", "What is not here", "cannot be checked", "+5.98 %", "Figure 1D"):
        assert words in page
    assert "<h2>Table 5" in page


@pytest.fixture(scope="module", params=["figure-2a", "figure-2a-dark"])
def picture(folder: Path, request: pytest.FixtureRequest) -> str:
    return (folder / f"{request.param}.svg").read_text("utf8")


def test_a_picture_shows_every_model_and_what_is_known_of_r(picture: str) -> None:
    assert marks(picture)["point"] == 17
    shown = " ".join(letters(picture))
    for words in ("brain average against MMLU", "r = .81 [.28, .96], n = 17 from 8 bases", "MMLU (share of right"):
        assert words in shown


def test_numbers_of_a_figure_are_csv(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((folder / "figure-2c.csv").read_text("utf8"))))
    (one,) = [row for row in rows if row["model"] == "flan-t5-xl"]
    assert (one["family"], one["base"], float(one["average"])) == ("t5", "t5-xl", 0.2)
    table = list(csv.reader(io.StringIO((folder / "table-5.csv").read_text("utf8"))))
    assert (len(table), table[0][0]) == (34, "model")


def test_every_analysis_of_the_report_is_one_that_the_service_answers() -> None:
    kinds = {figure.analysis["kind"] for figure in figures()}
    assert kinds == {"paired", "correlate"}
    questions: list[Mapping[str, Any]] = [figure.analysis["question"] for figure in figures()]
    assert {question["protocol"] for question in questions} == {paper.PROTOCOL}
    assert {model["family"] for model in asking.correlations(AVERAGE)["result"]["models"]} == {"t5", "llama"}


def test_the_command_writes_the_report_without_torch_sql_or_a_server(tmp_path: Path) -> None:
    code = """
import sys
from broca import cli
sys.argv = ["broca", "reproduce", "2312.00575", "--out", sys.argv[1]]
try:
    cli.main()
except SystemExit as ended:
    assert not ended.code, ended.code
print([name for name in ("torch", "transformers", "sqlalchemy", "celery") if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "out" / "index.html")
    assert done.stderr.splitlines()[-1] == "[]"
    assert (tmp_path / "out" / "table-2.csv").is_file()


@pytest.mark.parametrize("arguments", [("2401.00001",), ("2312.00575", "--out", "/dev/null/no")])
def test_what_cannot_be_reproduced_or_written_is_refused(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "broca", "reproduce", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "file_unusable" in done.stderr
