"""A job under a person's hands: checked, submitted, watched until it ends, cancelled, repeated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.browser.conftest import Site
from tests.browser.driving import Browser
from tests.serving import TIMEOUT_S

BENCHMARK = "demo-reading"


@contextmanager
def working(site: Site) -> Iterator[None]:
    """A worker that works while the block lasts."""
    worker = site.served.start_worker()
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(timeout=TIMEOUT_S)


def fill_in(browser: Browser, model: str, *, device: str | None = None) -> None:
    """Opens the form and fills it in as a person does."""
    browser.open("/submit")
    browser.one("input[name=model]").send_keys(model)
    browser.one(f"input[name=benchmarks][value={BENCHMARK}]").click()
    if device is not None:
        browser.one("form details > summary").click()
        browser.one("select[name=device_class] option", device).click()
        browser.one("input[name=force]").click()


def press(browser: Browser, text: str) -> None:
    """Presses the button with this text, and waits for the page that it leads to."""
    browser.follow("main button", text)


def shown_status(browser: Browser) -> str:
    return browser.text("#job p .status")


def job_of(browser: Browser) -> dict[str, object]:
    """The job of the page that the browser is at, as the API says it."""
    found: dict[str, object] = httpx.get(f"{browser.url}/v1{browser.path}").json()
    return found


def test_a_job_is_checked_submitted_and_ends_before_ones_eyes_without_a_reload(browser: Browser, site: Site) -> None:
    fill_in(browser, "demo/tiny")
    press(browser, "Check first")
    assert browser.one("#checked").text.startswith("This can be scored.")
    assert browser.one("input[name=model]").get_attribute("value") == "demo/tiny"
    press(browser, "Submit")
    assert shown_status(browser) == "queued"
    browser.run("window.isSame = true")
    with working(site):
        browser.wait(lambda: shown_status(browser) == "succeeded")
    assert browser.run("return window.isSame") is True
    assert job_of(browser)["status"] == "succeeded"
    log = [one.text for one in browser.all("#log li > span")]
    assert (log[0], log[-1]) == ("The job is in the queue.", "Every benchmark has its score.")
    assert browser.all("#job button") == [], "what has succeeded is neither cancelled nor repeated"
    browser.follow("#job td a", "score")
    card = browser.one("section.card:target")
    raw = httpx.get(f"{browser.url}/v1/scores/{card.get_attribute('id')}").json()["raw"]
    assert browser.one("section.card:target .big").text == f"{raw:.3f}"


def test_a_job_that_waits_is_cancelled_repeated_and_cancelled_again(browser: Browser) -> None:
    fill_in(browser, "demo/tiny", device="gpu")
    press(browser, "Submit")
    first = browser.path
    assert shown_status(browser) == "queued"
    press(browser, "Cancel")
    assert (browser.path, shown_status(browser)) == (first, "cancelled")
    assert job_of(browser)["status"] == "cancelled"
    press(browser, "Repeat what has no score")
    assert browser.path != first
    assert shown_status(browser) == "queued"
    assert job_of(browser)["retry_of"] == first.rpartition("/")[2]
    press(browser, "Cancel")
    assert shown_status(browser) == "cancelled"


def test_a_cancel_from_elsewhere_is_seen_without_a_reload(browser: Browser) -> None:
    fill_in(browser, "demo/tiny", device="gpu")
    press(browser, "Submit")
    browser.run("window.isSame = true")
    httpx.post(f"{browser.url}/v1{browser.path}/cancel").raise_for_status()
    browser.wait(lambda: shown_status(browser) == "cancelled")
    assert browser.run("return window.isSame") is True
    assert browser.text("#job button") == "Repeat what has no score"


def test_what_cannot_be_scored_is_said_beside_its_field_with_the_rest_kept(browser: Browser) -> None:
    fill_in(browser, "not a model")
    press(browser, "Submit")
    browser.take_refusal(422)
    field = browser.one("input[name=model]")
    assert field.get_attribute("value") == "not a model"
    assert field.get_attribute("aria-invalid") == "true"
    assert browser.one(f"#{field.get_attribute('aria-describedby')}").is_displayed()
    assert browser.one(f"input[name=benchmarks][value={BENCHMARK}]").is_selected()


def test_jobs_are_filtered_by_status_and_lead_to_their_pages(browser: Browser, site: Site) -> None:
    browser.open("/jobs")
    n_jobs = len(browser.all("#jobs tbody tr"))
    browser.one("select[name=status] option", "failed").click()
    press(browser, "Show")
    statuses = [one.text for one in browser.all("#jobs tbody .status")]
    assert 0 < len(statuses) < n_jobs
    assert set(statuses) == {"failed"}
    browser.follow("#jobs tbody th a")
    assert "ask <its owners> & wait" in browser.one("#job").text
    browser.open(f"/jobs/{site.waiting_job}")
    assert shown_status(browser) == "queued"


def test_the_list_goes_on_by_itself(browser: Browser) -> None:
    asked = {"model": "demo/tiny", "benchmarks": [BENCHMARK], "device_class": "gpu", "force": True}
    job_id = httpx.post(f"{browser.url}/v1/jobs", json=asked).raise_for_status().json()["id"]
    browser.open("/jobs")
    browser.run("window.isSame = true")
    row = f"#jobs tr:has(a[href='/jobs/{job_id}'])"
    assert browser.text(f"{row} .status") == "queued"
    httpx.post(f"{browser.url}/v1/jobs/{job_id}/cancel").raise_for_status()
    browser.wait(lambda: browser.text(f"{row} .status") == "cancelled")
    assert browser.run("return window.isSame") is True
    assert browser.all(f"#under-way a[href='/jobs/{job_id}']") == []


def test_the_focus_stays_where_it_is_while_a_job_is_drawn_again(browser: Browser) -> None:
    fill_in(browser, "demo/tiny", device="gpu")
    press(browser, "Submit")
    focus = "return document.activeElement.getAttribute('aria-label')"
    while browser.run(focus) != "Runs":
        browser.tab()
    httpx.post(f"{browser.url}/v1{browser.path}/cancel").raise_for_status()
    browser.wait(lambda: shown_status(browser) == "cancelled")
    assert browser.run(focus) == "Runs"
