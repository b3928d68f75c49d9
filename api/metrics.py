"""What the service tells Prometheus: this process's requests, and the state of the whole service from the database.

Every name and what it means is in docs/reference/metrics.md. Labels take few values: routes are templates, codes are
those of the API, and nothing that somebody can choose freely (a model, a key) is one.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from storage.engine import Database
from storage.errors import StorageError
from storage.files import n_bytes
from storage.state import ServiceState, read_state
from storage.tally import STAGE_BOUNDS_S

from .errors import error_codes
from .settings import ApiSettings
from .version import package_version

MEDIA_TYPE = "text/plain; version=1.0.0; charset=utf-8"
STATE_KEPT_S = 5.0
"""For so long the state of the database is answered from memory, however many scrape."""

FOLDERS_KEPT_S = 60.0
FOLDERS = ("models", "responses", "datasets", "imported", "own")
LATENCY_BOUNDS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class RequestMetrics:
    """What this process counts by itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "broca_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "broca_http_request_seconds",
            "Time until a request was answered in full; event streams are not among them.",
            ["method", "route"],
            buckets=LATENCY_BOUNDS_S,
            registry=registry,
        )
        self.streams = Gauge("broca_sse_clients", "Event streams that are open.", registry=registry)
        self.lag = Gauge(
            "broca_event_loop_lag_seconds", "By how much the event loop was late at its last look.", registry=registry
        )


class Metrics:
    """Everything that one app tells. Text for a scrape is made by `text`, which may ask the database."""

    def __init__(self, settings: ApiSettings) -> None:
        self.registry = CollectorRegistry()
        self.of_requests = RequestMetrics(self.registry)
        self._service = _Service(settings)
        self.registry.register(self._service)

    def text(self, database: Database) -> bytes:
        """All metrics in Prometheus's text format; a database that is away is told as `broca_database_up 0`."""
        self._service.look(database)
        return generate_latest(self.registry)


class _Service(Collector):
    """The state of the service, looked up at most every few seconds."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._state: ServiceState | None = None
        self._folders: dict[str, int] = {}
        self._state_until = self._folders_until = 0.0
        self._lock = threading.Lock()

    def look(self, database: Database) -> None:
        """Ask the database again where the last answer is old; one scrape asks, others wait for it."""
        with self._lock:
            if time.monotonic() >= self._state_until:
                self._state = self._read(database)
                self._state_until = time.monotonic() + STATE_KEPT_S
            if time.monotonic() >= self._folders_until:
                home, own = self._settings.home, self._settings.own_dir
                folders = {name: own if name == "own" else home / name for name in FOLDERS}
                self._folders = {name: n_bytes(folder, with_incoming=True) for name, folder in folders.items()}
                self._folders_until = time.monotonic() + FOLDERS_KEPT_S

    def describe(self) -> Iterable[Metric]:
        """Nothing: what is told is known only once the database was asked."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families of the service's state."""
        yield _gauge("broca_info", "1; the label says the version.", {package_version(): 1}, "version")
        yield _gauge("broca_database_up", "1 where the database answers, else 0.", {"": float(self._state is not None)})
        yield from self._disk()
        if self._state is not None:
            yield from _queue(self._state)
            yield from _workers(self._state)
            yield from _totals(self._state)

    def _read(self, database: Database) -> ServiceState | None:
        try:
            with database.read() as session:
                return read_state(session, worker_silence_s=self._settings.worker_silence_s)
        except StorageError:
            return None

    def _disk(self) -> Iterator[Metric]:
        try:
            usage = shutil.disk_usage(self._settings.home)
        except OSError:
            return
        yield _gauge("broca_disk_free_bytes", "Bytes free where the data folder is.", {"": usage.free})
        yield _gauge("broca_disk_total_bytes", "Bytes of the disk where the data folder is.", {"": usage.total})
        yield _gauge("broca_folder_bytes", "Bytes of a folder in the data folder.", self._folders, "folder")


def _queue(state: ServiceState) -> Iterator[Metric]:
    queued = GaugeMetricFamily(
        "broca_runs_queued", "Runs that wait.", labels=["priority", "device_class", "background"]
    )
    due_s = {("any", "false"): 0.0}
    for alike in state.waiting:
        who = (alike.device_class or "any", str(alike.is_background).lower())
        queued.add_metric([str(alike.priority), *who], alike.n_runs)
        due_s[who] = max(due_s.get(who, 0.0), alike.due_s)
    yield queued
    yield _gauge("broca_runs_running", "Runs that a worker holds.", state.running, "stage")
    oldest = GaugeMetricFamily(
        "broca_queue_oldest_due_seconds",
        "For how long the oldest due run has waited.",
        labels=["device_class", "background"],
    )
    for who, age_s in due_s.items():
        oldest.add_metric([*who], age_s)
    yield oldest
    yield _gauge("broca_jobs", "Jobs that are not finished.", state.live_jobs, "status")


def _workers(state: ServiceState) -> Iterator[Metric]:
    yield _gauge("broca_workers", "Workers heard of lately.", state.workers, "device")
    yield _gauge("broca_worker_memory_bytes", "Memory for models of all workers.", state.memory_bytes, "device")


def _totals(state: ServiceState) -> Iterator[Metric]:
    codes = set(error_codes()) | {""}

    def by(name: str) -> dict[str, float]:
        return {label: value for (kind, label), value in state.totals.items() if kind == name}

    yield _counter("broca_attempts", "Attempts begun: claims of runs.", {"": by("attempts").get("", 0)})
    yield _counter("broca_leases_lost", "Runs taken back from silent workers.", {"": by("leases_lost").get("", 0)})
    handed_back = by("runs_handed_back").get("", 0)
    yield _counter("broca_runs_handed_back", "Runs handed back by workers that stopped.", {"": handed_back})
    failed = CounterMetricFamily("broca_attempts_failed", "Attempts that are repeated later.", labels=["code"])
    for code, value in _bounded(by("attempts_failed"), codes).items():
        failed.add_metric([code], value)
    yield failed
    ended = CounterMetricFamily("broca_runs_ended", "Runs that are finished.", labels=["status", "code"])
    for status in sorted({label.partition("|")[0] for label in by("runs_ended")}):
        of_status = {
            label.partition("|")[2]: value
            for label, value in by("runs_ended").items()
            if label.partition("|")[0] == status
        }
        for code, value in _bounded(of_status, codes).items():
            ended.add_metric([status, code], value)
    yield ended
    yield _counter("broca_jobs_ended", "Jobs that are finished.", by("jobs_ended"), "status")
    yield _stages(by("stage_seconds_bucket"), by("stage_seconds_count"), by("stage_seconds_sum"))


def _stages(buckets: dict[str, float], counts: dict[str, float], sums: dict[str, float]) -> Metric:
    family = HistogramMetricFamily("broca_stage_seconds", "How long a stage of a run took.", labels=["stage"])
    for stage, count in counts.items():
        told = [(f"{bound:g}", buckets.get(f"{stage}|{bound:g}", 0.0)) for bound in STAGE_BOUNDS_S]
        family.add_metric([stage], buckets=[*told, ("+Inf", count)], sum_value=sums.get(stage, 0.0))
    return family


def _bounded(values: dict[str, float], known: set[str]) -> dict[str, float]:
    """Values by code, those of codes that the API does not know under `other`."""
    bounded: dict[str, float] = {}
    for code, value in values.items():
        shown = code if code in known else "other"
        bounded[shown] = bounded.get(shown, 0.0) + value
    return bounded


def _gauge(name: str, says: str, values: Iterable[str] | dict[str, float], label: str | None = None) -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label] if label else [])
    return _filled(family, values, label)


def _counter(name: str, says: str, values: dict[str, float], label: str | None = None) -> Metric:
    family = CounterMetricFamily(name, says, labels=[label] if label else [])
    return _filled(family, values, label)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: object, label: str | None) -> Metric:
    assert isinstance(values, dict)
    for of_label, value in values.items():
        family.add_metric([of_label] if label else [], value)
    return family
