"""Child processes of a worker: how they begin, what they are given, how they end."""

import os
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from scoring.errors import HubUnavailable, ModelTooLarge
from scoring.host_memory import room_in_groups
from worker.child import Child, fetch_environment, scoring_environment
from worker.device import detect_device, device_memory
from worker.exchange import Failure, Progress, Stage


@pytest.fixture
def child(tmp_path):
    """Starts a module with the given text as a child; whatever is left of it is killed when the test ends."""
    started = []

    def start(text):
        (tmp_path / "module_of_test.py").write_text(textwrap.dedent(text))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path.cwd())))}
        started.append(Child("module_of_test", tmp_path, environment))
        return started[-1]

    return start


def read_all(child, timeout_s=30):
    lines, deadline = [], time.monotonic() + timeout_s
    while (found := child.read(timeout_s=0.1)) is not None:
        assert time.monotonic() < deadline
        lines += found
    return lines


def test_a_child_that_watches_its_parent_ends_cleanly(child):
    running = child(
        """
        from worker.child import end_with_supervisor, say
        from worker.exchange import Progress, Stage
        end_with_supervisor()
        say(Progress(stage=Stage.LOAD, fraction=0.5))
        print("what a library prints is no message")
        """
    )
    assert read_all(running) == [Progress(stage=Stage.LOAD, fraction=0.5)]
    running.close()
    assert running.ending == "exit status 0"


def test_a_child_ends_when_its_parents_end_of_the_pipe_closes(child):
    running = child(
        """
        import time
        from worker.child import end_with_supervisor
        end_with_supervisor()
        time.sleep(60)
        """
    )
    running._process.stdin.close()
    assert read_all(running) == []
    running.close()
    assert running.ending == "exit status 1"


def test_a_crash_is_told_with_its_last_words_however_much_was_said(child):
    running = child(
        """
        import sys
        for _ in range(3000):
            print("noise " * 100, file=sys.stderr)
        sys.exit("the last word")
        """
    )
    read_all(running)
    running.close()
    assert running.ending == "exit status 1: the last word"


def test_nothing_of_a_childs_group_is_left(child):
    running = child(
        """
        import os, subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(flush=True)
        time.sleep(1)
        os._exit(3)
        """
    )
    grandchild = None
    while grandchild is None:
        grandchild = next(iter(psutil.Process(running._process.pid).children()), None)
    read_all(running)
    running.close()
    assert running.ending == "exit status 3"
    grandchild.wait(5)


ALONE = """
import ctypes, os, subprocess, sys
from worker.guarded import guard
libc = ctypes.CDLL(None)
libc.prctl(28, 1, 0, 0, 0)  # no program gets privileges for being run by root
libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
if sys.argv[1:]:
    guard()
look = "import os; print(open(f'/proc/{os.getppid()}/environ', 'rb').read())"
print(subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False, env={}))
"""


@pytest.mark.parametrize("is_guarded", [False, True])
def test_a_child_cannot_read_the_environment_of_a_guarded_process(is_guarded):
    """Without privileges, as in a container; without the guard a child of the same user finds every secret."""
    command = [sys.executable, "-c", ALONE, *(["guard"] if is_guarded else [])]
    environment = {**os.environ, "HF_TOKEN": "hf_secret", "PYTHONPATH": str(Path.cwd())}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert ("PermissionError" in told, "hf_secret" in told) == (is_guarded, not is_guarded)


def test_a_child_that_keeps_the_network_is_guarded_and_can_be_watched(child):
    running = child(
        """
        import ctypes, sys
        held = bytearray(b"x" * (64 << 20))
        print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), file=sys.stderr, flush=True)
        sys.stdin.read()
        """
    )
    deadline = time.monotonic() + 30
    while running.memory_bytes() < 64 << 20 or not running.n_printed:
        assert running.read(timeout_s=0.1) == []
        assert time.monotonic() < deadline
    running._process.stdin.close()
    read_all(running)
    running.close()
    assert running.ending == "exit status 0: 0"


def test_children_get_neither_addresses_nor_passwords(monkeypatch, tmp_path):
    for name in ("BROCA_DATABASE_URL", "PGPASSWORD", "REDIS_PASSWORD", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "secret")
    assert [name for name, value in fetch_environment().items() if value == "secret"] == ["HF_TOKEN"]
    scoring = scoring_environment(tmp_path)
    assert "secret" not in scoring.values()
    assert (scoring["HF_HUB_OFFLINE"], scoring["TMPDIR"]) == ("1", str(tmp_path))


def test_children_get_no_address_with_a_password_and_fetching_its_proxy(monkeypatch, tmp_path):
    planted = "scheme+tls://user:planted@host/db"
    for name in ("CELERY_RESULT_BACKEND", "DSN", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.setenv(name, planted)
    monkeypatch.setenv("PLAIN", "http://host:8000/")
    fetch, scoring = fetch_environment(), scoring_environment(tmp_path)
    assert {name for name, value in fetch.items() if "planted" in value} == {"HTTPS_PROXY", "http_proxy"}
    assert not any("planted" in value for value in scoring.values())
    assert fetch["PLAIN"] == scoring["PLAIN"] == "http://host:8000/"


def test_a_gpu_that_torch_cannot_use_is_no_device(monkeypatch, tmp_path):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 'GPU 0: made up'\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    check = [sys.executable, "-c", "import sys, torch; sys.exit(not torch.cuda.is_available())"]
    usable = subprocess.run(check, check=False).returncode == 0
    assert detect_device("auto") == ("cuda" if usable else "cpu")
    assert detect_device("cuda") == "cuda"


def test_an_unforeseen_error_is_internal_and_memory_has_its_own_code():
    assert Failure.of(ValueError("odd")) == Failure(code="internal", detail="ValueError: odd")
    assert Failure.of(MemoryError()).code == "out_of_memory"


@pytest.mark.parametrize(
    "claim",
    ['"retry_after_s": 1e9', '"retry_after_s": -1', '"retry_after_s": NaN', '"needed_bytes": 9223372036854775807'],
)
def test_a_failure_without_measure_is_no_message(claim):
    with pytest.raises(ValueError, match="1 validation error"):
        Failure.model_validate_json('{"code": "model_too_large", "detail": "d", ' + claim + "}")


def test_what_an_error_asks_for_is_kept_within_bounds():
    assert Failure.of(HubUnavailable("busy", retry_after_s=1e9)).retry_after_s == 3600
    assert Failure.of(ModelTooLarge("large", needed_bytes=1 << 70)).needed_bytes == 1 << 60


def test_memory_of_gpus_is_the_sum_that_the_driver_states(monkeypatch, tmp_path):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 81559\necho 81559\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert device_memory("cuda") == 2 * 81559 * 1024**2
    command.unlink()
    assert device_memory("cuda") is None


def test_memory_of_a_cpu_is_what_the_machine_and_its_groups_leave(tmp_path):
    assert 0 < device_memory("cpu") <= psutil.virtual_memory().total
    group = tmp_path / "service" / "worker"
    group.mkdir(parents=True)
    (tmp_path / "membership").write_text("0::/service/worker\n")
    for folder, limit, used in ((group.parent, 900, 100), (group, "max", 100), (tmp_path, "max", 0)):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text("anon 1\ninactive_file 30\n")
    assert room_in_groups(tmp_path / "membership", tmp_path) == [830]
