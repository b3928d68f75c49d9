"""The leaderboard under a person's hands: sorted, filtered, compared, taken away as CSV."""

from __future__ import annotations

import csv
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.browser.driving import Browser
from tests.browser.filling import SUBJECTS


def shown_models(browser: Browser, body: str = "tbody:not(.beside, .pinned)") -> list[str]:
    """The models of the table's rows, from the top."""
    return [one.text.partition("\n")[0] for one in browser.all(f"table.scores {body} th.name")]


def answered_models(browser: Browser) -> list[str]:
    """The models that the API answers for the address that the browser is at."""
    board = httpx.get(f"{browser.url}/v1/leaderboard", params=parse_qs(urlsplit(browser.path).query)).json()
    return [row["model"]["id"] for row in board["data"]]


@pytest.mark.parametrize("name", ["Model", "Size", "Average", "Scored", "futrell2018"])
def test_a_click_on_a_head_sorts_and_another_turns_it_round(browser: Browser, name: str) -> None:
    browser.open("/")
    directions, orders = [], []
    for _ in range(2):
        browser.follow("table.scores thead th > a", name)
        head = next(one for one in browser.all("table.scores thead th[aria-sort]") if name in one.text)
        directions.append(head.get_attribute("aria-sort"))
        orders.append(shown_models(browser))
        assert orders[-1] == answered_models(browser)
        assert set(orders[-1]) == {subject.id for subject in SUBJECTS}
    assert sorted(map(str, directions)) == ["ascending", "descending"]
    assert orders[0] != orders[1]


def test_filters_leave_the_rows_that_pass_them_and_stand_in_the_address(browser: Browser) -> None:
    browser.open("/")
    browser.one("select[name=family] option", "llama").click()
    browser.one("select[name=tuning] option", "instruct").click()
    browser.one("input[name=params_min]").send_keys("200000000")
    browser.follow(".filters button", "Show")
    passing = {
        one.id
        for one in SUBJECTS
        if (one.family, one.tuning) == ("llama", "instruct") and one.parameters >= 200_000_000
    }
    assert passing
    assert set(shown_models(browser)) == passing
    assert parse_qs(urlsplit(browser.path).query)["family"] == ["llama"]
    browser.follow(".filters a", "Clear")
    assert len(shown_models(browser)) == len(SUBJECTS)


def test_a_filter_that_cannot_be_says_so_beside_its_field(browser: Browser) -> None:
    browser.open("/")
    field = browser.one("input[name=params_min]")
    field.send_keys("many")
    browser.follow(".filters button", "Show")
    field = browser.one("input[name=params_min]")
    assert field.get_attribute("aria-invalid") == "true"
    assert browser.one(f"#{field.get_attribute('aria-describedby')}").is_displayed()
    browser.take_refusal(422)


def test_marked_models_stand_beside_one_another(browser: Browser) -> None:
    browser.open("/")
    chosen = shown_models(browser)[1:4]
    for name in chosen:
        browser.one(f"input[name=models][value='{name}']").click()
    browser.follow(".buttons button[form=compare]")
    assert urlsplit(browser.path).path == "/compare"
    (table,) = browser.tables()
    assert [cell.split(" ")[0] for cell in table[0][1:]] == chosen
    board = httpx.get(f"{browser.url}/v1/leaderboard").json()
    values = {row["model"]["id"]: row["scores"]["futrell2018"]["value"] for row in board["data"]}
    row = next(row for row in table if row[0].startswith("futrell2018"))
    assert [cell.split(" ")[0] for cell in row[1:]] == [f"{values[name]:.3f}" for name in chosen]


def test_pinned_rows_stay_on_top_whatever_the_filters_say(browser: Browser) -> None:
    browser.open("/?sort=-model")
    chosen = [one.id for one in SUBJECTS if one.family == "llama"][:2]
    for name in chosen:
        browser.follow(f"tbody a[aria-label='Pin {name}']")
    assert shown_models(browser, "#pinned") == sorted(chosen, reverse=True), "in the order of the board"
    browser.one("select[name=family] option", "t5").click()
    browser.follow(".filters button", "Show")
    assert set(shown_models(browser, "#pinned")) == set(chosen)
    assert set(shown_models(browser)) == {one.id for one in SUBJECTS if one.family == "t5"}
    browser.follow("main a", "Compare the pinned")
    (table,) = browser.tables()
    assert [cell.split(" ")[0] for cell in table[0][1:]] == chosen
    browser.driver.back()
    browser.follow(f"#pinned a[aria-label='Unpin {chosen[0]}']")
    assert shown_models(browser, "#pinned") == chosen[1:]
    browser.follow("main a", "Unpin all")
    assert shown_models(browser, "#pinned") == []


def test_the_csv_holds_exactly_the_rows_that_are_shown_in_their_order(browser: Browser) -> None:
    browser.open("/?family=gpt2&sort=model&benchmarks=futrell2018")
    shown = shown_models(browser)
    values = [one.get_attribute("value") for one in browser.all("tbody:not(.beside) td:last-child data")]
    next(one for one in browser.all("a[download]") if "CSV" in one.text).click()
    (path,) = browser.wait(lambda: list(browser.downloads.glob("*.csv")))
    rows = list(csv.DictReader(path.read_text("utf8").splitlines()))
    assert [row["model"] for row in rows] == shown
    assert [row["futrell2018_normalised"] for row in rows] == values
    assert 0 < len(rows) < len(SUBJECTS)
