"""What is judged of a page as it lies before one, whichever way led to it."""

from __future__ import annotations

from importlib.resources import files

from tests.browser.driving import Browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = ("serious", "critical")
AXE = (files("selenium_axe_python") / "axe-core" / "axe.min.js").read_text("utf8")
JUDGE = "axe.run(document, {runOnly: arguments[0], resultTypes: ['violations', 'passes']}).then(arguments[1])"
SCROLL = """
const step = () => {
  const before = scrollY;
  scrollBy({top: innerHeight, behavior: 'instant'});
  requestAnimationFrame(() => scrollY === before ? arguments[0]() : step());
};
step()
"""
ALL_PICTURES = "return [...document.images].every(one => one.complete && one.naturalWidth)"


def grave_violations(browser: Browser) -> list[tuple[str, str, str]]:
    """What axe-core finds serious or critical on a light screen and on a dark one: theme, rule, element."""
    browser.run(AXE)
    grave = []
    for theme in ("light", "dark"):
        browser.look(theme=theme)
        found = browser.run_async(JUDGE, RULES)
        assert found["passes"], "nothing was judged"
        for one in found["violations"]:
            grave += [(theme, one["id"], node["html"]) for node in one["nodes"] if one["impact"] in GRAVE]
    return grave


def look_through(browser: Browser) -> None:
    """Scrolls to the end, and waits for the pictures that come only when they are looked at."""
    browser.run_async(SCROLL)
    browser.wait(lambda: browser.run(ALL_PICTURES))
