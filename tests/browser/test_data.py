"""A data set brought by the form: what is wrong is told beside it, and what is right is taken in."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests import own_data
from tests.browser.driving import Browser
from tests.browser.judging import grave_violations

NAME = "tales"


def bring(browser: Browser, archive: Path) -> None:
    """Chooses the file and sends the form."""
    browser.one("#file").send_keys(str(archive))
    browser.follow("#add button", "Add")


def test_what_is_wrong_is_told_beside_the_form_and_what_is_right_is_taken_in(browser: Browser, tmp_path: Path) -> None:
    right = own_data.write_dataset(tmp_path / "right")
    wrong = own_data.write_dataset(tmp_path / "wrong")
    own_data.change_table(wrong / "stimuli.csv", lambda rows: rows[3].update(text=" "))
    browser.open("/data")
    browser.one("#name").send_keys(NAME)
    browser.one("#title").send_keys("Tales & <numbers>")
    browser.one("#n_folds").send_keys("3")
    bring(browser, own_data.zipped(wrong))
    browser.take_refusal(422)
    assert "no text in line 5" in browser.text("#report")
    assert "no text in line 5" in browser.text("#refused-file")
    assert browser.one("#file").get_attribute("aria-invalid") == "true"
    assert browser.one("#title").get_attribute("value") == "Tales & <numbers>"
    assert grave_violations(browser) == []
    assert httpx.get(f"{browser.url}/v1/benchmarks/own/{NAME}").status_code == 404
    bring(browser, own_data.zipped(right))
    assert f"own/{NAME} was added, version 1" in " ".join(browser.text("#added").split())
    assert grave_violations(browser) == []
    taken = httpx.get(f"{browser.url}/v1/benchmarks/own/{NAME}").json()
    assert (taken["title"], taken["n_folds"]) == ("Tales & <numbers>", 3)
    browser.follow("#added a", "Score a model on it")
    assert browser.one(f"input[name=benchmarks][value='own/{NAME}']").is_selected()


def test_a_name_that_cannot_be_is_refused_beside_its_field(browser: Browser, tmp_path: Path) -> None:
    archive = own_data.zipped(own_data.write_dataset(tmp_path / "mine"))
    browser.open("/data")
    browser.one("#name").send_keys("no/such name")
    bring(browser, archive)
    browser.take_refusal(422)
    assert browser.one("#name").get_attribute("aria-invalid") == "true"
    assert browser.one("#refused-name").is_displayed()
