"""The supervisor with its real child processes, on SQLite and PostgreSQL: what a claim turns into."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from scoring import SCORING_VERSION
from scoring.benchmarks.base import benchmark_named
from scoring.subjects import demo_model
from scoring.subjects.cache_lock import LOCK
from storage import jobs, leaderboard, models, runs, scores, workers
from storage.errors import DatabaseUnavailable
from storage.events import list_events
from storage.identity import Setting
from storage.jobs import NewJob
from storage.models import NewModel
from storage.runs import Need
from storage.tables import RunRow
from tests.fake_hub import Fault
from worker import attempt
from worker.exchange import Failure, Progress, Stage
from worker.ledger import ClaimLost, Ledger
from worker.reconciler import forget
from worker.retries import backoff_s, elsewhere
from worker.settings import WorkerSettings
from worker.supervisor import Supervisor

TIMEOUT_S = 120
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For claims about child processes and files, which no database has a part in; each starts processes that take long."""

BOTH_DEMOS = tuple((name, benchmark_named(name).version) for name in ("demo-fmri", "demo-reading"))


@pytest.fixture
def settings(tmp_path, database_url):
    return WorkerSettings(
        data_dir=tmp_path / "home",
        database_url=database_url,
        broker_url=None,
        model_dir=tmp_path / "models",
        data_mirror=None,
        device="cpu",
        lease_s=3,
        beat_s=0.5,
        poll_s=0.2,
        backoff_s=0.1,
        untrained_twins=False,
    )


@pytest.fixture
def start(settings, open_database):
    """Starts supervisors of this process, which are stopped when the test ends."""
    started = []

    def start_one(**changes):
        supervisor = Supervisor(settings.model_copy(update=changes), open_database(settings.resolved_database_url))
        started.append(supervisor)
        supervisor.start()
        return supervisor

    yield start_one
    for supervisor in started:
        supervisor.stop()


def submit(database, *, model="demo/tiny", benchmarks=BOTH_DEMOS, protocol="grouped", **changes):
    order = NewJob(
        model_id=model,
        requested_revision=None,
        benchmarks=benchmarks,
        protocol=protocol,
        scoring_version=SCORING_VERSION,
        **changes,
    )
    with database.write() as session:
        return jobs.submit(session, order).id


def the_job(database, job_id):
    with database.read() as session:
        return jobs.get(session, job_id)


def wait_for(condition, timeout_s=TIMEOUT_S):
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.05)
    return value


def finished(database, job_id):
    return wait_for(lambda: (job := the_job(database, job_id)).finished_at and job)


def test_a_job_becomes_scores_and_every_step_an_event(database, start):
    start()
    job = finished(database, submit(database))
    assert job.status == "succeeded"
    with database.read() as session:
        found = {run.benchmark: scores.get(session, run.score_id) for run in job.runs}
        stages = [event.data.get("stage") for event in list_events(session, job.id) if event.type == "run.progress"]
        model = models.get(session, "demo/tiny")
    assert found["demo-fmri"].score.raw > 0.3
    assert found["demo-fmri"].score.layers[0].name == "embed"
    assert found["demo-reading"].score.word_probability == "boundary"
    assert found["demo-fmri"].revision == model.revision == job.runs[0].revision
    assert (model.family, model.n_layers) == ("llama", 3)
    assert {"resolve", "load"} <= set(stages)


def test_one_load_serves_every_queued_run_of_a_model(database, start):
    first = submit(database, benchmarks=BOTH_DEMOS[:1])
    second = submit(database, benchmarks=BOTH_DEMOS[1:])
    start()
    tokens = wait_for(lambda: running_tokens(database, [first, second]))
    assert len(set(tokens)) == 1
    assert {finished(database, job_id).status for job_id in (first, second)} == {"succeeded"}


def running_tokens(database, job_ids):
    """The claims that hold the runs of these jobs, once all are held."""
    tokens = [run.token for job_id in job_ids for run in the_job(database, job_id).runs]
    return all(tokens) and tokens


def test_a_known_score_is_given_again_without_scoring(database, start):
    start()
    first = finished(database, submit(database))
    again = finished(database, submit(database))
    assert [run.score_id for run in again.runs] == [run.score_id for run in first.runs]
    with database.read() as session:
        stages = {event.data.get("stage") for event in list_events(session, again.id)}
    assert "load" not in stages


@ON_SQLITE
def test_another_protocol_of_a_scored_model_loads_no_model(database, start):
    start()
    finished(database, submit(database, benchmarks=BOTH_DEMOS[:1]))
    job = finished(database, submit(database, benchmarks=BOTH_DEMOS[:1], protocol="brain-score"))
    assert job.status == "succeeded"
    with database.read() as session:
        stages = {event.data.get("stage") for event in list_events(session, job.id)}
        assert scores.get(session, job.runs[0].score_id).score.protocol == "brain-score"
    assert "load" not in stages


def test_force_makes_a_new_score_that_supersedes_the_old(database, start):
    start()
    first = finished(database, submit(database, benchmarks=BOTH_DEMOS[1:])).runs[0].score_id
    second = finished(database, submit(database, benchmarks=BOTH_DEMOS[1:], force=True)).runs[0].score_id
    with database.read() as session:
        old, new = scores.get(session, first), scores.get(session, second)
    assert old.superseded_by == second
    assert new.score.raw == old.score.raw


@ON_SQLITE
def test_known_responses_serve_other_jobs_until_one_is_forced(database, start, settings):
    """An entry that is written again is another file; one that is only read stays the file that it is."""
    start()
    first = finished(database, submit(database, benchmarks=BOTH_DEMOS[1:]))
    (entry,) = settings.response_cache.iterdir()
    written = entry.stat().st_ino
    second = finished(database, submit(database, benchmarks=BOTH_DEMOS[1:], options={"dtype": "float32"}))
    assert [path.stat().st_ino for path in settings.response_cache.iterdir()] == [written]
    third = finished(database, submit(database, benchmarks=BOTH_DEMOS[1:], force=True))
    assert [path.name for path in settings.response_cache.iterdir()] == [entry.name]
    assert entry.stat().st_ino != written
    with database.read() as session:
        found = [scores.get(session, job.runs[0].score_id) for job in (first, second, third)]
    assert len({score.id for score in found}) == 3
    assert found[0].score == found[1].score == found[2].score


@ON_SQLITE
def test_options_reach_the_model_and_the_identity_of_its_score(database, start, settings):
    start()
    chosen = {"context": "sentence", "pooling": "mean"}
    default = finished(database, submit(database, benchmarks=BOTH_DEMOS[:1]))
    other = finished(database, submit(database, benchmarks=BOTH_DEMOS[:1], options=chosen))
    with database.read() as session:
        plain, changed = (scores.get(session, job.runs[0].score_id) for job in (default, other))
        board = leaderboard.query(session, protocol="grouped", include_synthetic=True)
    assert (changed.options, changed.default_options) == (chosen, False)
    assert {name: changed.score.conditions[name] for name in chosen} == chosen
    assert plain.score.conditions["pooling"] == "last"
    assert changed.score.raw != plain.score.raw
    assert [row.cells["demo-fmri"].score_id for row in board.rows] == [plain.id]
    assert len([*settings.response_cache.iterdir()]) == 2


def test_missing_data_fails_its_own_run_and_no_other(database, start):
    start()
    job = finished(database, submit(database, benchmarks=(("pereira2018-example", 1), *BOTH_DEMOS)))
    assert job.status == "partially_succeeded"
    by_name = {run.benchmark: run for run in job.runs}
    assert by_name["pereira2018-example"].error["code"] == "data_missing"
    assert "BROCA_DATA_MIRROR" in by_name["pereira2018-example"].error["hint"]
    assert by_name["demo-fmri"].status == by_name["demo-reading"].status == "succeeded"


@ON_SQLITE
def test_changed_data_fails_its_own_run_and_no_other(database, start, tmp_path):
    mirror = tmp_path / "mirror" / "pereira2018_example"
    mirror.mkdir(parents=True)
    for name in ("stimuli.csv", "responses.npy"):
        (mirror / name).write_bytes(b"something else")
    start(data_mirror=mirror.parent)
    job = finished(database, submit(database, benchmarks=(("pereira2018-example", 1), BOTH_DEMOS[1])))
    assert job.runs[0].error["code"] == "data_checksum_mismatch"
    assert job.runs[1].status == "succeeded"


def test_a_model_that_is_not_there_fails_the_job_with_its_code(database, start):
    start()
    job = finished(database, submit(database, model="local/nothing"))
    assert job.status == "failed"
    assert {run.error["code"] for run in job.runs} == {"model_not_found"}


def scoring_processes():
    """Scoring processes below this one that are still alive."""
    return [child for child in psutil.Process().children(recursive=True) if is_scoring(child)]


def is_scoring(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "worker.pipeline" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def test_a_cancelled_job_ends_its_scoring_process(database, start):
    start()
    job_id = submit(database)
    wait_for(scoring_processes)
    with database.write() as session:
        assert jobs.cancel(session, job_id).status == "cancelled"
    wait_for(lambda: not scoring_processes(), timeout_s=15)
    assert {run.status for run in the_job(database, job_id).runs} == {"cancelled"}
    assert finished(database, submit(database)).status == "succeeded"


def test_a_worker_that_stops_hands_its_runs_back_unspent(database, start):
    supervisor = start()
    job_id = submit(database)
    wait_for(scoring_processes)
    supervisor.stop()
    runs_now = the_job(database, job_id).runs
    assert {(run.status, run.attempt) for run in runs_now} == {("queued", 0)}
    assert not scoring_processes()
    start()
    assert finished(database, job_id).status == "succeeded"


def test_a_crashed_scoring_process_is_tried_again_then_given_up(database, start):
    start(max_attempts=2)
    job_id = submit(database, benchmarks=BOTH_DEMOS[:1])

    def kill_whatever_scores():
        for process in scoring_processes():
            process.kill()
        return the_job(database, job_id).finished_at

    wait_for(kill_whatever_scores)
    (run,) = the_job(database, job_id).runs
    assert (run.status, run.error["code"], run.attempt) == ("failed", "worker_lost", 2)
    assert "signal SIGKILL" in run.error["detail"]


def test_cancelling_while_workers_hand_back_never_deadlocks(database):
    """Both take rows of runs and then rows of jobs, one worker's thread against one of the web process."""
    for _ in range(12):
        job_id = submit(database)
        with database.write() as session:
            claim = runs.claim(session, worker="w", lease_s=60)
        ledger = Ledger(claim, WorkerSettings(), database)
        with ThreadPoolExecutor(2) as pool:
            back, cancelled = pool.submit(ledger.hand_back), pool.submit(cancel, database, job_id)
        back.result()
        assert cancelled.result() == "cancelled"
        assert {run.status for run in the_job(database, job_id).runs} == {"cancelled"}


def cancel(database, job_id):
    with database.write() as session:
        return jobs.cancel(session, job_id).status


def test_a_database_that_is_away_is_waited_for_while_the_leases_last(database):
    submit(database)
    with database.write() as session:
        claim = runs.claim(session, worker="w", lease_s=60)
    ledger = Ledger(claim, WorkerSettings(lease_s=0.5), Away())
    ledger.show({None: Progress(stage=Stage.FIT, fraction=0.1)})
    assert len(ledger.open_runs) == 2
    time.sleep(0.6)
    with pytest.raises(ClaimLost):
        ledger.show({None: Progress(stage=Stage.FIT, fraction=0.2)})


class Away:
    """A database that cannot be reached."""

    def write(self):
        raise DatabaseUnavailable("away")

    read = write


class AwayAtFirst:
    """A database that cannot be reached for the first `n` times."""

    def __init__(self, database, n):
        self._database, self._n = database, n

    def write(self):
        return self._there().write()

    def read(self):
        return self._there().read()

    def _there(self):
        self._n -= 1
        if self._n >= 0:
            raise DatabaseUnavailable("away")
        return self._database

    def dispose(self):
        self._database.dispose()


def test_a_worker_asks_ever_less_often_for_a_database_that_is_away_and_a_bell_ends_the_pause(
    database, settings, caplog
):
    """At a poll of 50 ms, pauses of 50, 100, 200, 400, … ms; each a line without a traceback."""
    shaky = AwayAtFirst(database, 10**6)
    supervisor = Supervisor(settings.model_copy(update={"poll_s": 0.05, "beat_s": 0.05}), shaky)
    supervisor.start()
    try:
        time.sleep(5)
        said = [record for record in caplog.records if record.name == "worker.supervisor" and "away" in record.message]
        assert {record.exc_info for record in said} == {None}
        assert 8 <= len(said) <= 16
        shaky._n = 0
        job_id = submit(database, model="local/nothing")
        supervisor.ring()
        wait_for(lambda: the_job(database, job_id).started_at, timeout_s=1)
    finally:
        supervisor.stop()


def claimed(database):
    """A new job, and the claim that holds its runs."""
    job_id = submit(database)
    with database.write() as session:
        return job_id, runs.claim(session, worker="w", lease_s=60)


def shaken(claim, database):
    """A ledger whose database is away for a moment."""
    return Ledger(claim, WorkerSettings(backoff_s=0), AwayAtFirst(database, 2))


@pytest.fixture
def short_ticks(monkeypatch):
    monkeypatch.setattr("worker.ledger.TICK_S", 0.01)


BUSY = Failure(code="hub_unavailable", detail="busy", retryable=True)


@pytest.mark.usefixtures("short_ticks")
@pytest.mark.parametrize(
    ("write", "ends"),
    [
        (lambda ledger: ledger.fail(ledger.open_runs, BUSY), {("queued", 1)}),
        (lambda ledger: ledger.fail(ledger.open_runs, BUSY.model_copy(update={"retryable": False})), {("failed", 1)}),
        (lambda ledger: ledger.hand_back(), {("queued", 0)}),
    ],
)
def test_the_end_of_a_run_is_written_once_the_database_is_back(database, write, ends):
    job_id, claim = claimed(database)
    ledger = shaken(claim, database)
    write(ledger)
    assert ledger.open_runs == ()
    assert {(run.status, run.attempt) for run in the_job(database, job_id).runs} == ends


@pytest.mark.usefixtures("short_ticks")
def test_what_is_asked_and_noted_meanwhile_waits_for_the_database(database):
    _, claim = claimed(database)
    shaken(claim, database).remember(NewModel(id="demo/tiny", revision="abc"))
    with database.read() as session:
        assert models.get(session, "demo/tiny").revision == "abc"
    ledger = shaken(claim, database)
    ledger.end_known(claim.runs[0], "no key")
    setting = Setting(benchmark="b", benchmark_version=1, data_sha256="d", protocol="grouped", scoring_version="1")
    assert shaken(claim, database).beside(setting) == (None, ())
    assert len(ledger.open_runs) == 2


@pytest.mark.usefixtures("short_ticks")
def test_a_run_whose_end_cannot_be_written_stays_open_until_the_lease_ends(database):
    job_id, claim = claimed(database)
    ledger = Ledger(claim, WorkerSettings(lease_s=0.2), Away())
    with pytest.raises(ClaimLost):
        ledger.fail(ledger.open_runs[:1], BUSY)
    assert len(ledger.open_runs) == 2
    assert {run.status for run in the_job(database, job_id).runs} == {"running"}


def test_an_answer_that_cannot_be_recorded_costs_its_own_run_and_no_other(database, start, monkeypatch):
    def collect(folder, run_id, score):
        if score.benchmark == "demo-reading":
            raise RuntimeError("a fault of ours")
        return {}

    monkeypatch.setattr(attempt, "collect", collect)
    start(max_attempts=1, lease_s=60)
    job = finished(database, submit(database))
    ended = {run.benchmark: (run.status, run.error and run.error["code"]) for run in job.runs}
    assert ended == {"demo-fmri": ("succeeded", None), "demo-reading": ("failed", "internal")}


def test_runs_are_given_back_unspent_while_somebody_changes_the_model_cache(database, start, settings, monkeypatch):
    monkeypatch.setattr(attempt, "CACHE_PATIENCE_S", 0.2)
    settings.model_cache.mkdir(parents=True)
    with (settings.model_cache / LOCK).open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        job_id = submit(database)
        start()
        wait_for(lambda: told(database, job_id).count("run.queued") >= 2)
    wait_for(scoring_processes)
    attempts = [run.attempt for run in the_job(database, job_id).runs]
    assert max(attempts) == 1, "the one of them whose pause is longer may still be queued"


def told(database, job_id):
    with database.read() as session:
        return [event.type for event in list_events(session, job_id)]


@ON_SQLITE
def test_a_run_that_takes_too_long_is_ended(database, start):
    start(run_timeout_s=0.5)
    job = finished(database, submit(database, benchmarks=BOTH_DEMOS[:1]))
    assert job.runs[0].error["code"] == "timeout"


def test_a_live_worker_is_known_and_one_that_left_is_not(database, start):
    supervisor = start()

    def alive():
        with database.read() as session:
            return workers.alive(session, within_s=30)

    (worker,) = wait_for(alive)
    assert (worker.device, worker.pid) == ("cpu", os.getpid())
    supervisor.stop()
    assert not alive()


WORKER = """
from worker.exchange import Progress, Stage
from worker.ledger import ClaimLost, Ledger
from worker.retries import backoff_s
from worker.settings import WorkerSettings
from worker.tasks import run_worker
run_worker(WorkerSettings())
"""


@pytest.fixture
def worker_process(settings):
    """Starts whole Celery workers as processes of their own."""
    started = []
    environment = os.environ | {
        "BROCA_DATA_DIR": str(settings.data_dir),
        "BROCA_DATABASE_URL": settings.resolved_database_url,
        "BROCA_LEASE_S": "3",
        "BROCA_BEAT_S": "0.5",
        "BROCA_POLL_S": "0.5",
        "BROCA_BACKOFF_S": "0.1",
        "PYTHONPATH": str(Path.cwd()),
    }

    def start_one():
        started.append(subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stderr=subprocess.DEVNULL))
        return started[-1]

    yield start_one
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def test_a_job_outlives_the_kill_of_its_worker_and_gets_one_score_per_run(database, worker_process):
    job_id = submit(database)
    first = worker_process()
    (scoring,) = wait_for(scoring_processes)
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_for(lambda: not is_scoring(scoring), timeout_s=15)
    worker_process()
    job = finished(database, job_id)
    assert job.status == "succeeded"
    assert {run.attempt for run in job.runs} == {2}
    with database.read() as session:
        assert all(scores.get(session, run.score_id).run_id == run.id for run in job.runs)


def test_a_worker_ends_on_sigterm_and_leaves_nothing_running(database, worker_process):
    process = worker_process()
    job_id = submit(database)
    wait_for(scoring_processes)
    process.terminate()
    assert process.wait(30) == 0
    assert not scoring_processes()
    assert {run.attempt for run in the_job(database, job_id).runs} == {0}


@ON_SQLITE
def test_what_a_dead_worker_left_on_the_disk_is_removed(start, settings):
    left = settings.work_folder / "0123456789abcdef"
    left.mkdir(parents=True)
    (left / "order.json").write_text("{}")
    start()
    wait_for(lambda: not left.exists())


def test_a_busy_hub_decides_when_it_is_asked_again(database, start, tmp_path, hub):
    demo_model.build(tmp_path / "upstream")
    hub.add("org/busy", tmp_path / "upstream", fault=Fault.BUSY)
    start()
    job_id = submit(database, model="org/busy", benchmarks=BOTH_DEMOS[1:])
    run = wait_for(lambda: (run := the_job(database, job_id).runs[0]).error and run)
    assert (run.status, run.error["code"]) == ("queued", "hub_unavailable")
    with database.read() as session:
        pause_s = (run.not_before - database.now(session)).total_seconds()
    assert 4 < pause_s <= 7


@ON_SQLITE
def test_the_scoring_process_gets_no_secret(database, start, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("BROCA_DATABASE_URL", "postgresql://secret")
    start()
    submit(database)
    (process,) = wait_for(scoring_processes)
    environment = process.environ()
    assert not {"HF_TOKEN", "BROCA_DATABASE_URL"} & set(environment)
    assert not [value for value in environment.values() if "hf_secret" in value or "//secret" in value]
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_attempts_back_off_ever_longer():
    assert 12 <= backoff_s(1, first_s=15) <= 18
    assert 24 <= backoff_s(2, first_s=15) <= 36
    assert backoff_s(30, first_s=15) <= 15 * 60 * 1.2


def test_an_expired_lease_is_swept_by_the_next_worker(database, start):
    job_id = submit(database, benchmarks=BOTH_DEMOS[1:])
    with database.write() as session:
        assert runs.claim(session, worker="gone", lease_s=0.2) is not None
    start()
    job = finished(database, job_id)
    assert job.status == "succeeded"
    assert job.runs[0].attempt == 2


def test_a_busy_worker_takes_back_what_another_lost(database, start):
    """Its own attempt is long; the lease ends meanwhile, and the sweep does not wait for the attempt."""
    lost = submit(database, benchmarks=BOTH_DEMOS[1:])
    with database.write() as session:
        assert runs.claim(session, worker="gone", lease_s=2) is not None
    job_id = submit(database, model="demo/tiny", options={"pooling": "mean"})
    start(sweep_s=0.2)
    wait_for(scoring_processes)
    wait_for(lambda: the_job(database, lost).runs[0].status == "queued")
    assert {run.status for run in the_job(database, job_id).runs} & {"running", "queued"}


def test_a_run_whose_time_is_up_expires_in_the_sweep(database, start):
    job_id = submit(database, benchmarks=BOTH_DEMOS[1:])
    with database.write() as session:
        past = database.now(session) - timedelta(seconds=1)
        session.execute(sa.update(RunRow).values(expires_at=past))
    start()
    job = finished(database, job_id)
    assert (job.status, job.runs[0].status, job.error["code"]) == ("failed", "expired", "expired")
    assert job.runs[0].attempt == 0


def fail_as_too_large(database, *, others, needed_bytes=5000, **settings):
    """The run of a new job after a worker with 1000 bytes could not take its model."""
    job_id = submit(database, benchmarks=BOTH_DEMOS[1:])
    with database.write() as session:
        for name, memory in {"here": 1000, **others}.items():
            workers.beat(session, worker_id=name, host="h", pid=1, device="cpu", memory_bytes=memory)
        here = next(one for one in workers.alive(session, within_s=60) if one.id == "here")
        claim = runs.claim(session, worker="here", lease_s=60, device_class="cpu", memory_bytes=1000)
    failure = Failure(code="model_too_large", detail="too large", needed_bytes=needed_bytes)
    Ledger(claim, WorkerSettings(**settings), database, here=here).fail(claim.runs, failure)
    return the_job(database, job_id).runs[0]


def test_a_model_too_large_for_its_worker_waits_for_one_that_has_the_memory(database):
    run = fail_as_too_large(database, others={"large": 5000})
    assert (run.status, run.attempt, run.error["code"]) == ("queued", 0, "model_too_large")
    with database.write() as session:
        assert runs.claim(session, worker="here", lease_s=60, memory_bytes=1000, device_class="cpu") is None
        claim = runs.claim(session, worker="large", lease_s=60, memory_bytes=5000, device_class="cpu")
    assert [one.id for one in claim.runs] == [run.id]


def test_a_worker_that_is_silent_for_as_long_as_the_setting_says_is_not_counted_upon(database):
    run = fail_as_too_large(database, others={"large": 5000}, worker_silence_s=1e-6)
    assert (run.status, run.error["code"]) == ("failed", "model_too_large")


def test_a_model_too_large_for_every_worker_fails_at_once(database):
    run = fail_as_too_large(database, others={"larger": 4999})
    assert (run.status, run.attempt, run.error["code"]) == ("failed", 1, "model_too_large")


def test_a_model_too_large_for_the_moment_is_tried_again_where_the_memory_was_announced(database):
    run = fail_as_too_large(database, others={"large": 5000}, needed_bytes=900)
    assert (run.status, run.attempt, run.min_memory_bytes) == ("queued", 1, None)
    with database.read() as session:
        assert run.not_before > database.now(session)


def test_a_run_that_waits_for_memory_which_nobody_has_is_given_up_after_an_hour(database):
    run = fail_as_too_large(database, others={"large": 5000})
    hour_ago = timedelta(seconds=3601)
    forget(database)
    assert status_of(database, run) == "queued"
    with database.write() as session:
        session.execute(sa.update(RunRow).values(not_before=run.not_before - hour_ago))
    forget(database)
    assert status_of(database, run) == "queued"
    with database.write() as session:
        workers.forget(session, "large")
        workers.beat(session, worker_id="gpu", host="h", pid=1, device="cuda", memory_bytes=4000)
    forget(database)
    assert status_of(database, run) == "failed"
    with database.read() as session:
        assert runs.get(session, run.id).error["code"] == "model_too_large"


def test_memory_of_the_other_class_does_not_count(database):
    run = fail_as_too_large(database, others={"large": 5000})
    with database.write() as session:
        past = run.not_before - timedelta(seconds=3601)
        session.execute(sa.update(RunRow).values(not_before=past, device_class="gpu"))
    forget(database)
    assert status_of(database, run) == "failed"


def status_of(database, run):
    with database.read() as session:
        return runs.get(session, run.id).status


@pytest.mark.parametrize(
    ("here", "other", "dtype", "need"),
    [
        (("cpu", 10), ("cpu", 100), "auto", Need(min_memory_bytes=100)),
        (("cpu", 10), ("cpu", 99), "auto", None),
        (("cpu", 10), ("cuda", 50), "auto", Need(min_memory_bytes=50, device_class="gpu")),
        (("cpu", 10), ("cuda", 99), "float32", None),
        (("cuda", 10), ("cpu", 200), "auto", Need(min_memory_bytes=200, device_class="cpu")),
        (("cuda", 10), ("cpu", 199), "auto", None),
        (("cpu", 10), ("cuda", None), "auto", None),
    ],
)
def test_where_a_model_goes_that_is_too_large_here(sqlite_url, open_database, here, other, dtype, need):
    database = open_database(sqlite_url)
    submit(database, options={} if dtype == "auto" else {"dtype": dtype})
    with database.write() as session:
        run = runs.claim(session, worker="here", lease_s=60).runs[0]
        for name, (device, memory) in (("here", here), ("other", other)):
            workers.beat(session, worker_id=name, host="h", pid=1, device=device, memory_bytes=memory)
        both = workers.alive(session, within_s=60)
    failure = Failure(code="model_too_large", detail="too large", needed_bytes=100)
    found = elsewhere(run, failure, next(one for one in both if one.id == "here"), both)
    assert (found and found.need) == need
    assert found is None or found.refund_attempt
    if found is not None:
        sent = replace(run, min_memory_bytes=need.min_memory_bytes, device_class=need.device_class)
        again_too_large = failure.model_copy(update={"needed_bytes": need.min_memory_bytes})
        assert elsewhere(sent, again_too_large, next(one for one in both if one.id == "other"), both) is None
