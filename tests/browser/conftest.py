"""A browser, and a filled server on each stack.

After every test the console holds no complaint, and nothing was asked of another server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from xdist.scheduler import LoadScopeScheduling

from storage.engine import Database
from tests.browser.driving import Browser, running_browser
from tests.browser.filling import fill
from tests.servers import Postgres, Redis
from tests.serving import Served, serving

DATABASE = "browser"
STACKS = ("embedded", "postgresql and redis")


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running server without a worker, and the id of a job that waits there."""

    served: Served
    waiting_job: str


class ByStack(LoadScopeScheduling):
    """Gives each stack to one process of the tests: a server and a browser for each are enough."""

    def _split_scope(self, nodeid: str) -> str:
        return next(stack for stack in STACKS if f"[{stack}" in nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByStack:
    return ByStack(config, log)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="session", params=STACKS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server on either stack; environment variables alone tell them apart."""
    folder = tmp_path_factory.mktemp("site")
    stack: dict[str, str] = {}
    if request.param != "embedded":
        postgres: Postgres = request.getfixturevalue("postgres")
        redis: Redis = request.getfixturevalue("redis_broker")
        postgres.execute(f"CREATE DATABASE {DATABASE}")
        stack = {"BROCA_DATABASE_URL": postgres.url(DATABASE), "BROCA_BROKER_URL": redis.url}
    with serving(folder, "--no-worker", **stack) as served:
        database = Database(stack.get("BROCA_DATABASE_URL", f"sqlite:///{served.data_dir / 'broca.db'}"))
        waiting = fill(database, served.url)
        database.dispose()
        yield Site(served=served, waiting_job=waiting)


@pytest.fixture
def browser(chromium: Browser, site: Site) -> Iterator[Browser]:
    """The browser at the server; afterwards its console holds no error, and nothing was asked of another server."""
    chromium.begin(site.served.url)
    yield chromium
    chromium.collect()
    assert [line["message"] for line in chromium.told if line["level"] in ("SEVERE", "WARNING")] == []
    assert chromium.requested, "the log of requests is empty: nothing was looked at"
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, chromium.requested)}
    assert origins - {"data://", "about://"} == {chromium.url}
