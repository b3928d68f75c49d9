"""What `broca doctor` looks at: each look is a function that gives findings, and none of them changes anything."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib import metadata
from importlib.util import find_spec

import httpx

from api.settings import ApiSettings
from scoring.datasets.manifest import datasets as known_datasets
from storage.engine import Database
from storage.errors import StorageError
from storage.health import Health, look
from worker.queue import broker_problem

LEAST_FREE_BYTES = 5 * 1024**3
"""Less than a model of middling size takes."""

MOST_SKEW_S = 5.0
HUB_TIMEOUT_S = 5.0
TORCH_TIMEOUT_S = 120


class Verdict(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    """As it should be."""
    WARN = "warn"
    """The service works; something that it may need is not there."""
    FAIL = "fail"
    """The service does not work like this."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one look found; `hint` says what to do about it."""

    check: str
    verdict: Verdict
    detail: str
    hint: str | None = None


def everything(settings: ApiSettings) -> Iterator[Finding]:
    """All findings, the quick ones first."""
    yield python(settings)
    yield from data_folder(settings)
    yield from service(settings)
    yield broker(settings)
    yield device(settings)
    yield token(settings)
    yield hub(settings)
    yield datasets(settings)


def worker_here(settings: ApiSettings) -> Iterator[Finding]:
    """Whether a worker of this host was heard of lately: what a container's health check asks."""
    found = _health(settings)
    if isinstance(found, Finding):
        yield found
        return
    host = socket.gethostname()
    n_here = sum(worker.host == host for worker in found.workers)
    detail = f"{n_here} workers of {host} were heard of in the last {settings.worker_silence_s:g} s"
    yield Finding(check="worker", verdict=Verdict.OK if n_here else Verdict.FAIL, detail=detail)


def python(_: ApiSettings) -> Finding:
    """The versions of Python and of what matters most."""
    names = ("broca", "fastapi", "celery", "sqlalchemy", "torch", "transformers")
    versions = [f"{name} {version}" for name in names if (version := _version(name)) is not None]
    is_enough = sys.version_info >= (3, 11)
    return Finding(
        check="versions",
        verdict=Verdict.OK if is_enough else Verdict.FAIL,
        detail=f"Python {sys.version.split()[0]}, {', '.join(versions)}",
        hint=None if is_enough else "Broca needs Python 3.11 or newer",
    )


def data_folder(settings: ApiSettings) -> Iterator[Finding]:
    """Whether the data folder can be written, and how much room it has."""
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        hint = "let BROCA_DATA_DIR name a folder that this user may write"
        yield Finding(check="data folder", verdict=Verdict.FAIL, detail=f"{home}: {error.strerror}", hint=hint)
        return
    yield Finding(check="data folder", verdict=Verdict.OK, detail=f"{home} can be written")
    free = shutil.disk_usage(home).free
    is_enough = free >= LEAST_FREE_BYTES
    yield Finding(
        check="disk",
        verdict=Verdict.OK if is_enough else Verdict.WARN,
        detail=f"{free / 1e9:.1f} GB are free",
        hint=None if is_enough else "models are downloaded there; make room, or lower BROCA_CACHE_BYTES",
    )


def service(settings: ApiSettings) -> Iterator[Finding]:
    """The database, its clock, and who works."""
    found = _health(settings)
    if isinstance(found, Finding):
        yield found
        return
    yield Finding(check="database", verdict=Verdict.OK, detail=f"{found.address}, schema {found.schema}")
    if found.damage is not None:
        hint = "stop the service and restore the last backup: broca restore FILE --force"
        yield Finding(check="integrity", verdict=Verdict.FAIL, detail=found.damage, hint=hint)
    skew_s = abs((datetime.now(UTC) - found.now).total_seconds())
    yield Finding(
        check="clock",
        verdict=Verdict.OK if skew_s <= MOST_SKEW_S else Verdict.WARN,
        detail=f"this machine and the database are {skew_s:.1f} s apart",
        hint=None if skew_s <= MOST_SKEW_S else "leases go by the database's clock alone; let NTP set both",
    )
    devices = ", ".join(f"{worker.device} on {worker.host}" for worker in found.workers)
    yield Finding(
        check="workers",
        verdict=Verdict.OK if found.workers else Verdict.WARN,
        detail=devices or f"none was heard of in the last {settings.worker_silence_s:g} s",
        hint=None if found.workers else "jobs wait until broca worker runs somewhere",
    )


def broker(settings: ApiSettings) -> Finding:
    """Whether the broker answers; jobs do not need it."""
    problem = broker_problem(settings)
    return Finding(
        check="broker",
        verdict=Verdict.OK if problem is None else Verdict.WARN,
        detail="it answers" if problem is None else problem,
        hint=None if problem is None else "workers find jobs all the same, seconds later; look at BROCA_BROKER_URL",
    )


def device(_: ApiSettings) -> Finding:
    """What torch runs on here, asked in a process of its own."""
    if find_spec("torch") is None:
        hint = "the API needs none; a worker does"
        return Finding(check="torch", verdict=Verdict.WARN, detail="torch is not installed here", hint=hint)
    program = (
        "import torch; n = torch.cuda.device_count() if torch.cuda.is_available() else 0; print(n, torch.version.cuda)"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=TORCH_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return Finding(check="torch", verdict=Verdict.FAIL, detail="torch cannot be imported", hint="install it again")
    n_gpus, cuda = done.stdout.split()
    if int(n_gpus):
        return Finding(check="torch", verdict=Verdict.OK, detail=f"{n_gpus} GPUs, CUDA {cuda}")
    if shutil.which("nvidia-smi") is None:
        return Finding(check="torch", verdict=Verdict.OK, detail="CPU; no GPU's driver is here")
    hint = "install a torch that is built for this driver's CUDA"
    return Finding(
        check="torch", verdict=Verdict.WARN, detail=f"a driver is here, torch (CUDA {cuda}) sees no GPU", hint=hint
    )


def token(_: ApiSettings) -> Finding:
    """Whether there is a token of the hub; it is not shown."""
    if os.environ.get("HF_TOKEN"):
        return Finding(check="hub token", verdict=Verdict.OK, detail="HF_TOKEN is set")
    hint = "gated models need one, in the environment of the workers"
    return Finding(check="hub token", verdict=Verdict.WARN, detail="HF_TOKEN is not set", hint=hint)


def hub(_: ApiSettings) -> Finding:
    """Whether the hub answers."""
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    try:
        status = httpx.get(f"{address}/api/models?limit=1", timeout=HUB_TIMEOUT_S).status_code
    except httpx.HTTPError as error:
        hint = "local and imported models are scored all the same"
        detail = f"{httpx.URL(address).host} does not answer: {type(error).__name__}"
        return Finding(check="hub", verdict=Verdict.WARN, detail=detail, hint=hint)
    verdict = Verdict.OK if status < 500 else Verdict.WARN
    return Finding(check="hub", verdict=verdict, detail=f"{httpx.URL(address).host} answers with {status}")


def datasets(settings: ApiSettings) -> Finding:
    """Which data sets are here."""
    store = settings.data_store(offline=True)
    names = known_datasets()
    here = [name for name, dataset in names.items() if store.is_ready(dataset)]
    return Finding(
        check="data sets",
        verdict=Verdict.OK if here else Verdict.WARN,
        detail=f"{len(here)} of {len(names)} are here{': ' if here else ''}{', '.join(here)}",
        hint=None if here else "broca data get NAME brings one; workers do so when they need it",
    )


def _health(settings: ApiSettings) -> Health | Finding:
    try:
        database = Database(settings.resolved_database_url)
    except ValueError as error:
        return Finding(check="database", verdict=Verdict.FAIL, detail=str(error), hint="look at BROCA_DATABASE_URL")
    try:
        if not database.is_current():
            detail, hint = "the schema is not that of this version", "run broca migrate"
            return Finding(check="database", verdict=Verdict.FAIL, detail=detail, hint=hint)
        return look(database, worker_silence_s=settings.worker_silence_s)
    except StorageError as error:
        hint = "is it running, and is BROCA_DATABASE_URL right?"
        return Finding(check="database", verdict=Verdict.FAIL, detail=str(error), hint=hint)
    finally:
        database.dispose()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
