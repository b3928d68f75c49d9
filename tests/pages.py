"""Pages as tests look at them: taken apart, with everything in the database that a page can show."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from starlette.testclient import TestClient

from scoring import results as science
from storage import models, runs
from storage.engine import Database
from storage.models import NewModel
from storage.runs import Problem
from tests.integration.test_api_jobs import work_off
from tests.integration.test_storage_leaderboard import CEILING, a_score, claim, put, submit

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HOST = "testserver"
OWN_FORM = {**BROWSER, "Sec-Fetch-Site": "same-origin", "Origin": f"http://{HOST}"}
VOID = {"meta", "source", "link", "input", "br", "img", "hr", "path", "circle", "rect"}
LEADING = ("href", "src", "srcset", "action", "data-events")


@dataclass
class Element:
    """An element, with all the text in it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


FIELDS = {"input", "select", "textarea", "progress"}
UNLABELLED = {"hidden", "submit"}


class Page(HTMLParser):
    """A page taken apart; fails where an element is closed out of turn or says something twice.

    And where two elements have one id, a field has no label, a picture no text in its place, or the head of a column
    or row does not say which it is of.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._unlabelled: list[Element] = []
        self.feed(text)
        self.close()
        assert self._open == [], [one.tag for one in self._open]
        self._require_names()

    def _require_names(self) -> None:
        ids = [one.attributes["id"] for one in self.elements if "id" in one.attributes]
        assert len(ids) == len(set(ids)), f"twice: {sorted(str(one) for one in ids if ids.count(one) > 1)}"
        labelled = {one.attributes.get("for") for one in self.elements if one.tag == "label"}
        nameless = [one for one in self._unlabelled if one.attributes.get("id", "") not in labelled]
        assert nameless == []
        for one in self.elements:
            assert one.tag != "img" or one.attributes.get("alt"), one
            assert one.tag != "th" or one.attributes.get("scope"), one
            described = (one.attributes.get("aria-describedby") or "").split()
            named = (one.attributes.get("aria-labelledby") or "").split()
            assert {*described, *named} <= set(ids), (one, described, named)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} says something twice: {names}"
        self.elements.append(Element(tag, dict(attrs)))
        has_name = any(one.tag == "label" for one in self._open) or "aria-label" in self.elements[-1].attributes
        if tag in FIELDS and not has_name and self.elements[-1].attributes.get("type") not in UNLABELLED:
            self._unlabelled.append(self.elements[-1])
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop().tag == tag, f"</{tag}> is out of turn"

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """The elements of this tag that have these attributes."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [one for one in self.elements if one.tag == tag and wanted.items() <= one.attributes.items()]

    def links(self, path: str) -> set[str]:
        """Where the page leads, as paths of this server; fails where it leads elsewhere."""
        found = set()
        for one in self.elements:
            for name in LEADING:
                if (link := one.attributes.get(name)) is not None:
                    target = urlsplit(urljoin(f"http://{HOST}{path}", link))
                    assert (target.scheme, target.netloc) == ("http", HOST), (path, link)
                    found.add(target.path + (f"?{target.query}" if target.query else ""))
        return found


def get(client: TestClient, path: str, status: int = 200) -> Page:
    """The page at a path."""
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
    assert answer.headers["content-type"].startswith("text/html"), path
    return Page(answer.text)


def put_everything(database: Database, client: TestClient) -> str:
    """Scores with ceilings, layers, participants and baselines, missing cells, jobs of all kinds; the id of a live one.

    m0 is scored on two benchmarks, m1 failed on the second, nobody asked for m2 there.
    """
    layers = tuple(_layer(n, None if n == 1 else 0.1 * n) for n in range(3))
    person = science.Share(name="P01", raw=0.31, n_units=4)
    part = science.PartScore(name="whole", raw=0.3, weight=1.0, participants=(person,))
    for number in range(3):
        raw = 0.4 - number / 10
        put(database, a_score(f"m{number}", "futrell2018", raw, ceiling=CEILING, layers=layers, parts=(part,)))
        facts = NewModel(id=f"m{number}", revision="r1", family="fam<b>ily", tuning="base", parameters=10**8 + number)
        with database.write() as session:
            models.remember(session, facts)
    put(database, a_score("m0", "blank2014", 0.11))
    put(database, a_score("baseline/random", "futrell2018", 0.01, ceiling=CEILING))
    submit(database, "m1", "blank2014")
    claimed = claim(database)
    with database.write() as session:
        runs.fail(session, claimed.token, claimed.runs[0].id, Problem(code="model_gated", detail="ask <its> owner"))
    client.post("/v1/jobs", json={"model": "demo/tiny", "benchmarks": ["demo-fmri", "demo-reading"]})
    work_off(database, "c" * 40)
    queued = client.post("/v1/jobs", json={"model": "gpt2", "benchmarks": ["demo-fmri"], "labels": {"a": "<script>"}})
    return str(queued.json()["id"])


def _layer(number: int, raw: float | None) -> science.LayerScore:
    reason = "undefined" if raw is None else None
    return science.LayerScore(name=f"block.{number}", depth=number / 2, raw=raw, reason=reason, parts=())
