"""A real browser: opens pages, presses keys, and keeps what it was told and what it asked for.

What belongs here: how a browser is driven. What does not: what pages have to hold.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium.common import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

TIMEOUT_S = 60.0
WIDE, PHONE = (1280, 900), (390, 844)
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--no-default-browser-check",
    "--force-device-scale-factor=1",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""The last lets no name be looked up: a page that needed another server would break."""

Value = TypeVar("Value")


class Browser:
    """A browser at one server. `told` are the lines of its console, `requested` the addresses that pages asked for."""

    def __init__(self, driver: Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads
        self.url = ""
        self.told: list[dict[str, Any]] = []
        self.requested: list[str] = []
        self.statuses: dict[str, int] = {}

    def begin(self, url: str) -> None:
        """Forgets everything that was before, and looks at this server as a person with a wide light screen does."""
        self.driver.get("about:blank")
        self.collect()
        self.told, self.requested, self.statuses = [], [], {}
        self.url = url
        self.cdp("Storage.clearDataForOrigin", origin=url, storageTypes="all")
        self.cdp("Emulation.setScriptExecutionDisabled", value=False)
        self.look()
        for left in self.downloads.iterdir():
            left.unlink()

    def look(self, *, theme: str = "light", size: tuple[int, int] = WIDE, n_points: int = 1) -> None:
        """Takes a screen of this size and so many points for each pixel, of somebody who prefers this theme."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": n_points, "mobile": size == PHONE}
        self.cdp("Emulation.setDeviceMetricsOverride", **metrics)

    def cdp(self, command: str, **parameters: Any) -> Any:
        """What the browser's own protocol answers."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def open(self, path: str, status: int = 200) -> None:
        """Opens a page of the server; fails where its status is another."""
        self.driver.get(f"{self.url}{path}")
        self.collect()
        assert self.statuses.get(self.driver.current_url.partition("#")[0]) == status, (path, self.statuses)

    @property
    def path(self) -> str:
        """Where the browser is, after the server's address."""
        return str(self.driver.current_url).removeprefix(self.url)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def run_async(self, script: str, *arguments: Any) -> Any:
        """What a script in the page hands to its last argument, a function."""
        return self.driver.execute_async_script(script, *arguments)

    def text(self, selector: str) -> str:
        """What stands in the first element that a selector finds now, though a script may replace it at any time."""
        return str(self.run("return document.querySelector(arguments[0]).innerText.trim()", selector))

    def all(self, selector: str) -> list[WebElement]:
        """The elements that a selector finds."""
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def one(self, selector: str, text: str | None = None) -> WebElement:
        """The only element that a selector finds, of those with this text."""
        found = [one for one in self.all(selector) if text is None or one.text.strip() == text]
        assert len(found) == 1, (selector, text, [one.text for one in self.all(selector)])
        return found[0]

    def follow(self, selector: str, text: str | None = None) -> None:
        """Clicks on what leads to another page, and waits until it is there."""
        self.run("window.isLeft = true")
        self.wait(lambda: self.one(selector, text).click() or True)
        self.wait(lambda: not self.run("return window.isLeft") and self.is_complete())

    def is_complete(self) -> bool:
        """Whether everything of the page has come."""
        return bool(self.run("return document.readyState === 'complete'"))

    def wait(self, condition: Callable[[], Value]) -> Value:
        """The value of the condition once it is true; asked again where a script replaced what it was about."""
        gone = [StaleElementReferenceException]
        waiting = WebDriverWait(self.driver, TIMEOUT_S, poll_frequency=0.05, ignored_exceptions=gone)
        found: Value = waiting.until(lambda _: condition())
        return found

    def tab(self) -> None:
        """Presses the tab key."""
        ActionChains(self.driver, duration=0).send_keys(Keys.TAB).perform()

    def tables(self) -> list[list[list[str]]]:
        """What a person reads in the tables of the page, cell by cell."""
        script = "return [...document.querySelectorAll('table')].map(t => [...t.rows].map(r => [...r.cells].map("
        found: list[list[list[str]]] = self.run(script + "c => c.innerText.replace(/\\s+/g, ' ').trim())))")
        return found

    def take_refusal(self, status: int) -> None:
        """Takes the line that browsers write on a page which was refused, as this one was with this status."""
        self.collect()
        assert self.statuses[self.driver.current_url] == status, self.statuses
        lines = [line for line in self.told if f"status of {status}" in line["message"]]
        assert len(lines) == 1, self.told
        self.told.remove(lines[0])

    def collect(self) -> None:
        """Takes over what the browser has logged since it was last asked."""
        self.told += self.driver.get_log("browser")
        for line in self.driver.get_log("performance"):
            event = json.loads(line["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                self.requested.append(event["params"]["request"]["url"])
            elif event["method"] == "Network.responseReceived" and event["params"]["type"] == "Document":
                self.statuses[event["params"]["response"]["url"]] = event["params"]["response"]["status"]


@contextmanager
def running_browser(folder: Path) -> Iterator[Browser]:
    """A browser of its own with nothing in it; raises where Chromium or its driver is not installed."""
    options = ChromeOptions()
    options.binary_location = _installed("chromium")
    downloads = folder / "downloads"
    downloads.mkdir()
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(_installed("chromedriver")))
    try:
        driver.set_script_timeout(TIMEOUT_S)
        browser = Browser(driver, downloads)
        browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        yield browser
    finally:
        driver.quit()


def _installed(program: str) -> str:
    """Where it is; both are named to Selenium, which would else look for them on the network."""
    found = shutil.which(program)
    if found is None:
        raise FileNotFoundError(f"{program} is not installed (Debian: apt install chromium chromium-driver)")
    return found
