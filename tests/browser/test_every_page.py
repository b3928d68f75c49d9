"""What holds of every page: readable for everybody, with a keyboard, on a phone, without scripts, and lying still."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.browser.conftest import Site
from tests.browser.driving import PHONE, WIDE, Browser
from tests.browser.filling import SUBJECTS
from tests.browser.judging import grave_violations, look_through

MODELS = ",".join(subject.id for subject in SUBJECTS[:3])
PAGES: Mapping[str, str] = {
    "board": "/",
    "whole board": "/?all=true&include_synthetic=true&include_baselines=true",
    "published board": "/?protocol=published-2312.00575",
    "model": f"/models/{SUBJECTS[-1].id}",
    "benchmarks": "/benchmarks",
    "benchmark": "/benchmarks/demo-reading",
    "findings": "/findings",
    "measured findings": "/findings?protocol=grouped",
    "compare": f"/compare?models={MODELS}",
    "pairs": "/pairs",
    "published pairs": "/pairs?protocol=published-2312.00575",
    "scatter": "/scatter",
    "published scatter": "/scatter?protocol=published-2312.00575",
    "data": "/data",
    "jobs": "/jobs",
    "waiting job": "/jobs/{waiting_job}",
    "submit": "/submit",
    "reference": "/docs",
}
MAX_SHIFT = 0.01
"""Of the layout, cumulative; what a person does not see. From 0.1 on it counts as bad (web.dev/cls)."""

REACHABLE = """
const focusable = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
const seen = one => one.checkVisibility({visibilityProperty: true}) && !one.disabled && one.type !== 'hidden';
const reachable = [...document.querySelectorAll(focusable)].filter(seen);
"""
NAMES = REACHABLE + "return reachable.map(one => one.outerHTML.slice(0, 120))"
FOCUSED = (
    REACHABLE
    + """
const one = document.activeElement, style = getComputedStyle(one);
const isOutlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
const isSeen = style.outlineStyle === 'auto' || isOutlined;
return one === document.body ? null : {place: reachable.indexOf(one), name: one.outerHTML.slice(0, 120), isSeen}
"""
)
SHIFTS = """
const done = arguments[0];
new PerformanceObserver(list => done(list.getEntries())).observe({type: 'layout-shift', buffered: true});
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done([]))))
"""
FIELDS = "return [...document.querySelectorAll('main [name]')].map(one => [one.name, one.type, one.value])"
HIDE_WHAT_SCRIPTS_ADD = "for (const one of document.querySelectorAll('.copier, .theme')) one.hidden = true"


@pytest.fixture(params=list(PAGES))
def path(request: pytest.FixtureRequest, site: Site) -> str:
    """The address of each page in turn."""
    return PAGES[request.param].format(waiting_job=site.waiting_job)


def test_nothing_grave_stands_in_the_way_of_anybody_by_day_or_night(browser: Browser, path: str) -> None:
    browser.open(path)
    assert grave_violations(browser) == []


def test_the_first_look_needs_no_script(browser: Browser, path: str) -> None:
    browser.open(path)
    browser.run(HIDE_WHAT_SCRIPTS_ADD)
    tables, fields, text = browser.tables(), browser.run(FIELDS), browser.text("body")
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(path)
    assert not any(one.is_displayed() for one in browser.all("button.theme")), "scripts still run"
    assert browser.tables() == tables
    assert browser.run(FIELDS) == fields
    assert browser.text("body") == text


def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(browser: Browser, path: str) -> None:
    browser.open(path)
    names = browser.run(NAMES)
    assert names
    places = set()
    browser.tab()
    while (focused := browser.run(FOCUSED)) is not None:
        assert focused["isSeen"], focused["name"]
        places.add(focused["place"])
        browser.tab()
    assert [name for place, name in enumerate(names) if place not in places] == []


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_it_fits_the_screen_and_nothing_moves_once_it_is_there(
    browser: Browser, path: str, size: tuple[int, int]
) -> None:
    browser.look(size=size)
    browser.open(path)
    look_through(browser)
    assert browser.run("return innerWidth") == size[0]
    assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    shifts = [one for one in browser.run_async(SHIFTS) if not one["hadRecentInput"]]
    assert sum(one["value"] for one in shifts) < MAX_SHIFT, shifts


def test_a_page_that_is_not_there_says_so_as_a_page(browser: Browser) -> None:
    browser.open("/models/nobody/has-this", status=404)
    browser.take_refusal(404)
    assert browser.one("h1").text.startswith("404")
    assert browser.one("nav a", "Leaderboard").is_displayed()


def test_the_switch_of_the_theme_turns_page_and_pictures_and_is_remembered(browser: Browser) -> None:
    browser.open(PAGES["model"])
    look_through(browser)
    background = "return getComputedStyle(document.documentElement).backgroundColor"
    pictures = "return [...document.images].map(one => one.currentSrc)"
    by_day = browser.run(background)
    assert not any("dark" in source for source in browser.run(pictures))
    button = browser.one("button.theme", "Theme: system")
    button.click()
    assert (button.text, browser.run(background)) == ("Theme: light", by_day)
    button.click()
    assert button.text == "Theme: dark"
    assert browser.run(background) != by_day
    browser.open(PAGES["model"])
    assert browser.one("button.theme").text == "Theme: dark"
    assert browser.run(background) != by_day
    look_through(browser)
    assert all("theme=dark" in source for source in browser.run(pictures))


def test_the_command_that_a_page_shows_is_copied_with_the_address_of_the_server(browser: Browser) -> None:
    may = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.cdp("Browser.grantPermissions", origin=browser.url, permissions=may)
    browser.open("/benchmarks")
    browser.one("button.copier", "Copy").click()
    browser.wait(lambda: browser.text("button.copier") == "Copied")
    copied = browser.run_async("navigator.clipboard.readText().then(arguments[0])")
    assert copied == f'curl -s "{browser.url}/v1/benchmarks"'
