"""The supervisor with real child processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from botswain_cli import ports, probes
from botswain_cli.errors import PartFailedError
from botswain_cli.logs import last_words
from botswain_cli.supervisor import Part, State, Supervisor
from botswain_cli.supervisor.supervisor import Listener

STAND_IN = Path(__file__).with_name("stand_in.py")
SUPERVISE = Path(__file__).with_name("supervise_stand_ins.py")
DEADLINE = 20.0


class Recorder:
    """What the supervisor tells, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self.said: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def listener(self) -> Listener:
        return Listener(self._line, self._says, self._news.set, last_words)

    def _line(self, part: str, stream: str, line: str) -> None:
        self.lines.append((part, stream, line))
        self._news.set()

    def _says(self, level: str, sentence: str) -> None:
        self.said.append((level, sentence))
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._news.clear()
                await self._news.wait()


class Stage:
    """Makes parts of stand-ins."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.urls: dict[str, str] = {}
        self.recorder = Recorder()

    def part(self, name: str, *options: str, needs: tuple[str, ...] = ()) -> Part:
        port = ports.find_free("127.0.0.1", 1)[0]
        self.urls[name] = f"http://127.0.0.1:{port}"
        argv = (sys.executable, str(STAND_IN), str(port), *options)
        return Part(name, argv, dict(os.environ), partial(probes.is_ready, self.client, self.urls[name]), needs)

    def supervisor(self, *parts: Part, grace: float = 10.0, start_timeout: float = DEADLINE) -> Supervisor:
        return Supervisor(parts, self.recorder.listener(), grace=grace, start_timeout=start_timeout)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with probes.make_client() as client:
        yield Stage(client)


def gone(pid: int) -> bool:
    """Whether a process doesn't run any more. One that nobody waits for stays as a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while not gone(pid):  # noqa: ASYNC110 - the end of a process that isn't our child sends no event
            await asyncio.sleep(0.02)


async def test_parts_start_when_those_they_need_are_ready_and_end_in_reverse(stage: Stage) -> None:
    """The order of start follows needs, the end comes in the reverse order, and nothing is left."""
    first, second = stage.part("first"), stage.part("second", needs=("first",))
    async with asyncio.timeout(DEADLINE), stage.supervisor(first, second) as supervisor:
        await supervisor.wait_ready()
        pids = [child.pid for child in supervisor.children.values()]
    sentences = [sentence.split(" (pid")[0] for _, sentence in stage.recorder.said]
    assert sentences == [
        "first is starting",
        "first is ready",
        "second is starting",
        "second is ready",
        "second has stopped",
        "first has stopped",
    ]
    assert all(pid is not None and gone(pid) for pid in pids)
    assert {child.state for child in supervisor.children.values()} == {State.STOPPED}


async def test_all_output_is_handed_on_with_its_part(stage: Stage) -> None:
    """The last line of a part that is ended arrives as well."""
    async with asyncio.timeout(DEADLINE), stage.supervisor(stage.part("one")) as supervisor:
        await supervisor.wait_ready()
    lines = [line for part, stream, line in stage.recorder.lines if (part, stream) == ("one", "stderr")]
    assert [word for word in ("listening", "sigterm", "ended") if any(word in line for line in lines)] == [
        "listening",
        "sigterm",
        "ended",
    ]


@pytest.mark.parametrize(
    ("request_", "how"), [("/die?7", "exited with code 7: dying: told to"), ("/kill", "was ended by SIGKILL")]
)
async def test_a_part_that_died_is_started_again_and_said_so(stage: Stage, request_: str, how: str) -> None:
    """A warning says how it ended and when it starts again; then it is ready again, as another process."""
    async with asyncio.timeout(DEADLINE), stage.supervisor(stage.part("one")) as supervisor:
        await supervisor.wait_ready()
        before = supervisor.children["one"].pid
        with pytest.raises(httpx.HTTPError):
            await stage.client.get(stage.urls["one"] + request_)
        await stage.recorder.until(lambda: ("info", "one is ready again") in stage.recorder.said)
        assert ("warning", f"one {how}; starting it again in 0.5 s") in stage.recorder.said
        assert supervisor.children["one"].pid not in (before, None)
        assert supervisor.children["one"].restarts == 1


@pytest.mark.parametrize(("code", "reason"), [(2, "has a wrong setting"), (1, "can't start")])
async def test_a_part_that_says_it_cannot_work_ends_everything(stage: Stage, code: int, reason: str) -> None:
    """Its own reason is in the error, and the others end."""
    well, ill = stage.part("well"), stage.part("ill", "--exit", str(code), needs=("well",))
    with pytest.raises(PartFailedError, match=f"ill {reason}: start-up: as told"):
        async with asyncio.timeout(DEADLINE), stage.supervisor(well, ill) as supervisor:
            await supervisor.wait_ready()
    assert supervisor.children["well"].state is State.STOPPED


async def test_a_part_that_keeps_dying_at_start_ends_everything(stage: Stage) -> None:
    """After a few attempts the error says how often, and how it ended last."""
    with pytest.raises(PartFailedError, match=r"died 3 times in a row .* exited with code 5: start-up: as told"):
        async with asyncio.timeout(DEADLINE), stage.supervisor(stage.part("ill", "--exit", "5")) as supervisor:
            await supervisor.wait_ready()
    assert len([said for said in stage.recorder.said if said[0] == "warning"]) == 2


async def test_a_part_that_never_gets_ready_says_why(stage: Stage) -> None:
    """The reason that the probe gave is in the error."""

    async def locked() -> str | None:
        return "database: locked"

    part = replace(stage.part("slow"), probe=locked)
    with pytest.raises(PartFailedError, match=r"not ready after 0.2 s \(database: locked\)"):
        async with asyncio.timeout(DEADLINE), stage.supervisor(part, start_timeout=0.2) as supervisor:
            await supervisor.wait_ready()


async def test_a_program_that_does_not_exist_is_named(stage: Stage) -> None:
    """A part that can't be started at all ends everything with the system's reason."""
    part = Part("none", ("/nonexistent/program",), {}, stage.part("x").probe)
    with pytest.raises(PartFailedError, match=r"none can't be started: .*No such file"):
        async with asyncio.timeout(DEADLINE), stage.supervisor(part) as supervisor:
            await supervisor.wait_ready()


async def test_a_part_that_ignores_sigterm_is_killed_with_its_children(stage: Stage, tmp_path: Path) -> None:
    """After the grace the whole process group goes, and a warning says so."""
    part = stage.part("stubborn", "--ignore-term", "--grandchild", str(tmp_path / "pid"))
    async with asyncio.timeout(DEADLINE), stage.supervisor(part, grace=0.2) as supervisor:
        await supervisor.wait_ready()
    assert ("warning", "stubborn has stopped (killed: it did not end by itself)") in stage.recorder.said
    await until_gone(int((tmp_path / "pid").read_text()))


async def test_hurrying_spends_no_more_grace(stage: Stage) -> None:
    """A second Ctrl-C kills what is still being waited for."""
    async with (
        asyncio.timeout(DEADLINE),
        stage.supervisor(stage.part("stubborn", "--ignore-term"), grace=300) as supervisor,
    ):
        await supervisor.wait_ready()
        supervisor.hurry()
    assert supervisor.children["stubborn"].state is State.STOPPED


async def test_children_of_a_part_that_died_go_with_it(stage: Stage, tmp_path: Path) -> None:
    """A restart never finds the last one's children still there."""
    part = stage.part("one", "--grandchild", str(tmp_path / "pid"))
    async with asyncio.timeout(DEADLINE), stage.supervisor(part) as supervisor:
        await supervisor.wait_ready()
        grandchild = int((tmp_path / "pid").read_text())
        with pytest.raises(httpx.HTTPError):
            await stage.client.get(stage.urls["one"] + "/kill")
        await until_gone(grandchild)


async def test_nothing_is_left_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    """After SIGKILL of the supervisor its children end, also one that ignores SIGTERM, and their children."""
    first, second = map(str, ports.find_free("127.0.0.1", 2))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SUPERVISE), first, second, str(tmp_path / "pid")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        pids = [int(pid) for pid in (await process.stdout.readline()).split()]
    assert len(pids) == 2
    process.kill()
    await process.wait()
    for pid in [*pids, int((tmp_path / "pid").read_text())]:
        await until_gone(pid)
