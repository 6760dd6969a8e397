"""What runs, on disk: `dev.json` in the data directory, for the other commands; and the lock that lets one `botswain dev` use it.

The file holds addresses and process ids, no secret. It is stale when the process that wrote it is gone; a process id alone can't
tell, because ids are used again, so the start time stands beside it. The secret of the run's tokens, new at every start, lies in
`dev.secret`, which only its owner can read: whoever may read the ledger beside it may also ask the orchestrator about it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from botswain_cli.errors import AlreadyRunningError, CliError, NothingRunsError

FORMAT = 1
FILE, LOCK, SECRET = "dev.json", "dev.lock", "dev.secret"


@dataclass(frozen=True, slots=True)
class RunningPart:
    """A part as `botswain dev` knows it."""

    name: str
    state: str
    pid: int | None
    addresses: Mapping[str, str]
    restarts: int = 0

    @property
    def url(self) -> str:
        """Where `/health` and `/ready` are."""
        return f"http://{self.addresses['http']}"


@dataclass(frozen=True, slots=True)
class Running:
    """One run of `botswain dev`.

    `created` is the process's start time in seconds since 1970; `page` is empty without a simulator.
    """

    pid: int
    created: float
    page: str
    parts: tuple[RunningPart, ...]


def process_created(pid: int) -> float | None:
    """When a process started, or None when there is no such process."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for this process; the system lets go of it however the process ends.

    Raises:
        AlreadyRunningError: another `botswain dev` holds it.
        CliError: the directory can't be written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / LOCK).open("a+")
    except OSError as error:
        raise CliError(
            f"the data directory {data_dir} can't be used: {error.strerror}; --data-dir chooses another"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip()
            by = f" (pid {pid})" if pid else ""
            raise AlreadyRunningError(
                f"`botswain dev`{by} already runs with the data directory {data_dir}. "
                "Stop it with Ctrl-C, or give this one its own with --data-dir, and --free-ports."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield
        finally:
            for name in (FILE, SECRET):
                (data_dir / name).unlink(missing_ok=True)


def as_json(running: Running) -> str:
    """One line of JSON."""
    return json.dumps({"format": FORMAT, **asdict(running)})


def write(data_dir: Path, running: Running) -> None:
    """Replace the file in one step, so that a reader never sees half of it."""
    fresh = data_dir / f"{FILE}.new"
    fresh.write_text(as_json(running) + "\n")
    fresh.replace(data_dir / FILE)


def read(data_dir: Path) -> Running:
    """The run that holds this data directory.

    Raises:
        NothingRunsError: there is none; says whether one was killed.
        CliError: the file isn't one of ours.
    """
    path = data_dir / FILE
    try:
        running = _parse(json.loads(path.read_text()))
    except FileNotFoundError:
        raise NothingRunsError(
            f"nothing runs here: there is no {path}. Start `botswain dev`, point --data-dir at its data directory, "
            "or give the address to ask."
        ) from None
    except OSError as error:
        raise CliError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise CliError(f"{path} is not what `botswain dev` writes; remove it and start `botswain dev` again") from None
    created = process_created(running.pid)
    if created is None or abs(created - running.created) > 1.0:
        raise NothingRunsError(
            f"nothing runs here: {path} is left over from a `botswain dev` (pid {running.pid}) that was killed. "
            "The next `botswain dev` replaces it."
        )
    return running


def write_secret(data_dir: Path, secret: str) -> None:
    """Keep the secret of this run, readable for its owner alone.

    Raises:
        CliError: the directory can't be written.
    """
    path = data_dir / SECRET
    try:
        path.unlink(missing_ok=True)  # one that was left over may be readable for others
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
    except OSError as error:
        raise CliError(f"{path} can't be written: {error.strerror}; --data-dir chooses another directory") from error


def read_secret(data_dir: Path) -> str:
    """The secret of the run that holds this data directory.

    Raises:
        CliError: it isn't there, or is another user's.
    """
    path = data_dir / SECRET
    try:
        return path.read_text().strip()
    except OSError as error:
        raise CliError(
            f"{path}, which holds the secret of the `botswain dev` that runs, can't be read: {error.strerror}. "
            "Ask as the user who started it, or start it again."
        ) from error


def _parse(values: Mapping[str, object]) -> Running:
    if values["format"] != FORMAT:
        raise ValueError("another format")
    fields = {key: value for key, value in values.items() if key != "format"}
    parts = fields.pop("parts")
    if not isinstance(parts, list):
        raise TypeError("parts")
    return Running(parts=tuple(RunningPart(**part) for part in parts), **fields)  # type: ignore[arg-type]  # checked by use: a wrong file is the caller's KeyError or TypeError
