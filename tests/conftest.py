"""Fixtures for tests that touch real servers: a migrated database for each test, and a hub on loopback."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models; threads that wait for one another cost ten times as much

import gc
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from huggingface_hub.utils._http import close_session

from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from scoring.datasets.manifest import dataset_named
from storage.engine import Database
from tests.fake_hub import FakeHub
from tests.servers import Postgres, Redis, postgres_server, redis_server

TEMPLATE = "broca_template"


def pytest_collection_finish() -> None:
    """What all tests import stays: later collections of garbage need not look through it again."""
    gc.collect()
    gc.freeze()


def migrated(url: str) -> str:
    database = Database(url)
    database.migrate()
    database.dispose()
    return url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis_broker() -> Iterator[Redis]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "broca.db"
    migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_url_template(postgres: Postgres) -> str:
    postgres.execute(f"CREATE DATABASE {TEMPLATE}")
    return migrated(postgres.url(TEMPLATE))


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    return (f"test_{number}" for number in count())


@pytest.fixture
def empty_postgres_url(postgres: Postgres, database_names: Iterator[str]) -> Iterator[str]:
    """The address of a PostgreSQL database without tables."""
    name = next(database_names)
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres: Postgres, postgres_url_template: str, database_names: Iterator[str]) -> Iterator[str]:
    """The address of a fresh migrated PostgreSQL database."""
    name = next(database_names)
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a fresh migrated SQLite database."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'broca.db')}"


@pytest.fixture
def redis_url(redis_broker: Redis) -> str:
    """The address of an empty Redis, as Celery takes it."""
    redis_broker.flush()
    return redis_broker.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh migrated database, once on SQLite and once on PostgreSQL."""
    name = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return str(request.getfixturevalue(name))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub on loopback that this process and those it starts take for the real one."""
    close_session()
    with FakeHub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield running
        close_session()


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Opens databases that are closed when the test ends."""
    opened: list[Database] = []

    def open_one(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_one
    for database in opened:
        database.dispose()


@pytest.fixture
def database(database_url: str, open_database: Callable[[str], Database]) -> Database:
    """A fresh migrated database, once on SQLite and once on PostgreSQL."""
    return open_database(database_url)


@pytest.fixture(scope="session")
def data_mirror() -> Path:
    """The folder with files of real data sets; a test that needs it is skipped where there is none."""
    mirror = os.environ.get("BROCA_DATA_MIRROR")
    if not mirror:
        pytest.skip("BROCA_DATA_MIRROR is not set: there is no real data here")
    return Path(mirror)


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The folder with real small models; a test that needs it is skipped where there is none."""
    folder = os.environ.get("BROCA_MODEL_DIR")
    if not folder:
        pytest.skip("BROCA_MODEL_DIR is not set: there are no real models here")
    return Path(folder)


@pytest.fixture
def data_store(tmp_path: Path) -> Callable[[str], DataStore]:
    """Gives the data of a benchmark without a download; skips where a mirror would have to hold it and does not."""
    mirror = os.environ.get("BROCA_DATA_MIRROR")
    store = DataStore(cache=tmp_path / "datasets", mirror=Path(mirror) if mirror else None, offline=True)

    def for_benchmark(name: str) -> DataStore:
        benchmark = benchmark_named(name)
        if not benchmark.synthetic and not store.is_ready(dataset_named(benchmark.dataset)):
            pytest.skip(f"the files of {benchmark.dataset} are not here; BROCA_DATA_MIRROR may name a folder with them")
        return store

    return for_benchmark
