"""The exit codes of the reference, by processes as a shell starts them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broca import Client
from tests.serving import NOT_INHERITED, TIMEOUT_S, Served, serving
from tests.unit.test_client import unused_url

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server without a worker: what is submitted waits."""
    with serving(tmp_path_factory.mktemp("codes"), "--no-worker") as running:
        yield running


@pytest.fixture
def waiting(served: Served) -> Iterator[str]:
    """A job that waits for a worker."""
    with Client(served.url) as client:
        job = client.submit("demo/tiny", ["demo-fmri"], force=True)
        yield job.id
        client.cancel(job.id)


def started(url: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "broca", *arguments],
        env={**environment, "BROCA_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(url: str, *arguments: str) -> int:
    process = started(url, *arguments)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert "Traceback" not in errors
    return process.returncode


def test_0_is_done(served: Served, waiting: str) -> None:
    for asked in (("jobs", "-q"), ("logs", waiting), ("jobs", "show", waiting), ("leaderboard",), ("--version",)):
        assert ended(served.url, *asked) == 0, asked


def test_1_is_failed(served: Served) -> None:
    with Client(served.url) as client:
        job = client.cancel(client.submit("demo/tiny", ["demo-fmri"], force=True).id)
    assert ended(served.url, "wait", job.id) == 1
    assert ended(served.url, "compare", "gpt2", "demo/tiny") == 1
    assert ended(served.url, "doctor", "--worker") == 1


def test_1_is_a_wait_that_took_too_long(served: Served, waiting: str) -> None:
    assert ended(served.url, "wait", waiting, "--timeout", "0.1") == 1


@pytest.mark.parametrize(
    "asked",
    [
        ("jobs", "--colour"),
        ("jobs", "--json", "-q"),
        ("jobs", "--status", "lost"),
        ("logs", "job_none"),
        ("wait", "job_none"),
        ("compare", "gpt2"),
        ("verify", "score_none"),
        ("score", "demo/tiny", "-b", "demo-fmr"),
    ],
    ids=" ".join,
)
def test_2_is_input_that_has_to_change(served: Served, asked: tuple[str, ...]) -> None:
    assert ended(served.url, *asked) == 2


def test_3_is_no_server() -> None:
    for asked in (("wait", "job_1"), ("logs", "job_1", "--follow"), ("compare", "a", "b")):
        assert ended(unused_url(), *asked) == 3, asked


@pytest.mark.parametrize("asked", [("wait",), ("logs", "--follow")], ids=" ".join)
def test_130_is_an_interruption_and_the_job_goes_on(served: Served, waiting: str, asked: tuple[str, ...]) -> None:
    process = started(served.url, *asked, waiting)
    assert process.stderr is not None
    assert process.stdout is not None
    (process.stderr if asked == ("wait",) else process.stdout).readline()  # it is under way
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "goes on" in errors
    assert "Traceback" not in errors
    with Client(served.url) as client:
        assert client.job(waiting).status == "queued"


def test_the_reference_tells_these_codes_and_no_others() -> None:
    table = PAGE.read_text("utf8").partition("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE) == ["0", "1", "2", "3", "130"]
