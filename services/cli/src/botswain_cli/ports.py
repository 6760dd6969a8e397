"""Ports: which are taken by what, and finding free ones."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from botswain_cli.errors import PortsTakenError

FREE_RANGE = (15_000, 32_000)
"""Below the ports that systems hand to outgoing connections, so that none of those takes one between our look and its use."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port that a part is to listen on, and what a person may set to choose another."""

    part: str
    port: int
    option: str
    variable: str


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that listens on a port; unknown where the system doesn't let us look."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def find_free(host: str, count: int) -> list[int]:
    """Different ports that nothing listens on now."""
    found: list[int] = []
    for port in random.SystemRandom().sample(range(*FREE_RANGE), k=FREE_RANGE[1] - FREE_RANGE[0]):
        if len(found) == count:
            break
        if is_free(host, port):
            found.append(port)
    return found


def is_free(host: str, port: int) -> bool:
    """Whether a service could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def holder_of(port: int) -> Holder | None:
    """Who listens on `port`, as far as the system lets us see."""
    import psutil

    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
            continue
        if connection.laddr.port == port:
            try:
                return Holder(connection.pid, psutil.Process(connection.pid).name())
            except psutil.Error:
                return Holder(connection.pid, "a process")
    return None


def check_free(host: str, wanted: Iterable[Wanted]) -> None:
    """Make sure that every wanted port can be had.

    Raises:
        PortsTakenError: names all that can't, who holds them, and what to do.
    """
    wanted = list(wanted)
    problems = _wanted_twice(wanted)
    for one in wanted:
        if not is_free(host, one.port):
            holder = holder_of(one.port)
            by = f"is taken by {holder}" if holder else "is taken by another process, which this user may not see"
            if one.port < 1024 and holder is None:
                by = "can't be had: it is taken, or only root may listen there"
            problems.append(
                f"port {one.port}, for {one.part}, {by}; choose another with {one.option} or {one.variable}"
            )
    if problems:
        problems.append("--free-ports lets every part have a free one.")
        raise PortsTakenError("\n".join(problems))


def _wanted_twice(wanted: Sequence[Wanted]) -> list[str]:
    first: dict[int, Wanted] = {}
    return [
        f"port {one.port} is wanted twice: {other.option} for {other.part}, {one.option} for {one.part}"
        for one in wanted
        if (other := first.setdefault(one.port, one)) is not one
    ]
