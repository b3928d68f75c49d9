"""Pairs and scatter under a person's hands: what is chosen is drawn, listed, and taken away as CSV."""

from __future__ import annotations

import csv
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.browser.driving import Browser
from tests.browser.filling import SUBJECTS
from tests.browser.judging import look_through

PUBLISHED = "published-2312.00575"
TUNED = [one for one in SUBJECTS if one.base]
DRAWN = "return [...document.querySelectorAll('picture img')].map(one => one.currentSrc)"


def answer(browser: Browser) -> dict[str, list[dict[str, object]]]:
    """What the API answers for the address that the browser is at."""
    found: dict[str, list[dict[str, object]]] = httpx.get(f"{browser.url}/v1{browser.path}").json()
    return found


def taken_away(browser: Browser) -> list[dict[str, str]]:
    """The rows of the CSV that the page offers."""
    next(one for one in browser.all("a[download]") if "CSV" in one.text).click()
    (path,) = browser.wait(lambda: list(browser.downloads.glob("*.csv")))
    return list(csv.DictReader(path.read_text("utf8").splitlines()))


def choose(browser: Browser, name: str, value: str) -> None:
    browser.one(f"select[name={name}] option[value='{value}']").click()


def shown_names(browser: Browser) -> list[str]:
    """What stands at the head of each row of the table."""
    return [one.text.partition("\n")[0] for one in browser.all("table.scores tbody th.name")]


def test_pairs_are_filtered_drawn_and_taken_away(browser: Browser) -> None:
    browser.open("/pairs")
    assert sorted(shown_names(browser)) == sorted(one.id for one in TUNED)
    choose(browser, "family", "gpt2")
    choose(browser, "tuning", "instruct")
    browser.one("input[name=benchmarks][value=futrell2018]").click()
    browser.follow(".filters button", "Show")
    passing = [one for one in TUNED if (one.family, one.tuning) == ("gpt2", "instruct")]
    assert shown_names(browser) == [str(pair["tuned"]) for pair in answer(browser)["data"]]
    assert sorted(shown_names(browser)) == sorted(one.id for one in passing)
    look_through(browser)
    (drawn,) = browser.run(DRAWN)
    assert parse_qs(urlsplit(drawn).query) == parse_qs(urlsplit(browser.path).query)
    rows = taken_away(browser)
    assert {(row["tuned"], row["base"]) for row in rows} == {(one.id, one.base) for one in passing}
    shown = {float(str(one.get_attribute("value"))) for one in browser.all("#pairs td > data")}
    assert shown == {float(row["difference"]) for row in rows}


@pytest.mark.parametrize("protocol", ["grouped", PUBLISHED])
def test_two_columns_that_are_chosen_stand_against_one_another(browser: Browser, protocol: str) -> None:
    browser.open(f"/scatter?protocol={protocol}")
    choose(browser, "x", "mmlu")
    choose(browser, "y", "futrell2018")
    browser.follow(".filters button", "Show")
    found = httpx.get(f"{browser.url}/v1{browser.path}").json()
    assert (found["x"], found["y"]) == ("mmlu", "futrell2018")
    assert browser.text(".board .big") == f"r = {found['coefficient']['r']:.3f}".replace("-", "−")
    assert sorted(shown_names(browser)) == sorted(point["model"] for point in found["data"])
    look_through(browser)
    (drawn,) = browser.run(DRAWN)
    assert parse_qs(urlsplit(drawn).query) == parse_qs(urlsplit(browser.path).query)
    rows = taken_away(browser)
    assert {row["model"] for row in rows} == {point["model"] for point in found["data"]}
    browser.follow(".filters a", "Swap x and y")
    assert [browser.one(f"select[name={name}]").get_attribute("value") for name in "xy"] == ["futrell2018", "mmlu"]


def test_the_picture_of_points_is_dark_on_a_dark_screen(browser: Browser) -> None:
    browser.look(theme="dark")
    browser.open("/scatter")
    look_through(browser)
    assert all("theme=dark" in source for source in browser.run(DRAWN))
