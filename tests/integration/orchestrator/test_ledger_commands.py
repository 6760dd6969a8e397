"""`botswain ledger` and `botswain deadletters`, as typed, against a running orchestrator."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from botswain_cli import state_file
from botswain_cli.state_file import Running, RunningPart
from botswain_proto.v1 import orchestrator_pb2

from .conftest import SECRET, FakeExecution, Orchestrator, until


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one line on standard output."""
        (line,) = self.out.splitlines()
        return json.loads(line)


async def botswain(*arguments: str, secret: str | None = SECRET) -> Done:
    """Run the command beside the orchestrator, which runs in this process."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SERVICE_", "BOTSWAIN_"))}
    if secret is not None:
        environment["SERVICE_AUTH_SECRET"] = secret
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "botswain_cli", *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


def address(orchestrator: Orchestrator) -> str:
    return str(orchestrator.service.port)


def as_dev(folder: Path, orchestrator: Orchestrator, secret: str = SECRET) -> None:
    """Leave what `botswain dev` leaves while it runs this orchestrator."""
    part = RunningPart("orchestrator", "ready", os.getpid(), {"http": f"127.0.0.1:{orchestrator.service.port}"})
    state_file.write(folder, Running(os.getpid(), psutil.Process().create_time(), "", (part,)))
    state_file.write_secret(folder, secret)


async def fail(orchestrator: Orchestrator, execution: FakeExecution, *texts: str) -> list[int]:
    """Have turns of these messages fail for good; the ids of their dead letters."""
    healthy = execution.answer

    async def broken(_request: Any) -> Any:
        raise RuntimeError("broken")

    execution.answer = broken
    for text in texts:
        assert (await orchestrator.ask(text)).status == orchestrator_pb2.TURN_STATUS_FAILED
    execution.answer = healthy
    listed = (await orchestrator.http.get("/deadletters")).json()["dead_letters"]
    return [one["id"] for one in listed]


async def test_ledger_tells_counts_and_ages(orchestrator: Orchestrator) -> None:
    """A row a kind; what there is none of is there too, without an age."""
    await orchestrator.ask("hello")
    done = await botswain("ledger", "--url", address(orchestrator))
    assert done.code == 0, done.err
    rows = {line[:20].strip(): line[20:].split() for line in done.out.splitlines()}
    assert rows["events answered"][0] == "1"
    assert rows["events answered"][-1] == "ago"
    assert rows["dead letters"] == ["0", "–", "–"]


async def test_ledger_in_json(orchestrator: Orchestrator) -> None:
    """One line, with the same counts and the times in full."""
    await orchestrator.ask("hello")
    body = (await botswain("ledger", "--json", "--url", address(orchestrator))).json
    assert body["url"] == f"http://127.0.0.1:{orchestrator.service.port}"
    (answered,) = [one for one in body["holdings"] if one["name"] == "events answered"]
    assert answered["count"] == 1
    assert answered["oldest"].endswith("+00:00")


async def test_what_dev_runs_is_found_with_its_secret(orchestrator: Orchestrator, tmp_path: Path) -> None:
    """Without --url, and whatever secret the shell has: the data directory says where, and holds the secret of the run."""
    as_dev(tmp_path, orchestrator)
    done = await botswain("ledger", "--data-dir", str(tmp_path), secret="another one that the shell happens to have")
    assert done.code == 0, done.err


async def test_no_dead_letters(orchestrator: Orchestrator) -> None:
    """Is said in words, and is no failure."""
    done = await botswain("deadletters", "--url", address(orchestrator))
    assert done.code == 0, done.err
    assert "no dead letters" in done.out


async def test_dead_letters_are_listed_with_reasons(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """Id, event, lane, attempts, age, reason, and what can be done about them; those beyond --limit are counted."""
    first, _ = await fail(orchestrator, execution, "one", "two")
    done = await botswain("deadletters", "--limit", "1", "--url", address(orchestrator))
    assert done.code == 0, done.err
    (row,) = [line for line in done.out.splitlines() if "discord:message:" in line]
    assert row.split()[0] == str(first)
    assert "not delivered" in row
    assert "1 more" in done.out
    assert "requeue" in done.out
    listing = (await botswain("deadletters", "--json", "--url", address(orchestrator))).json
    assert listing["total"] == 2
    assert [one["failures"] for one in listing["letters"]] == [2, 2]


async def test_requeue_by_id(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """Those are tried again; an id that isn't a dead letter's is named, and makes the exit code 1."""
    first, second = await fail(orchestrator, execution, "one", "two")
    done = await botswain("deadletters", "requeue", str(second), "1000000", "--url", address(orchestrator))
    assert done.code == 1
    assert f"1 dead letter waits for its turn again: {second}" in done.out
    assert "no dead letters, or no longer: 1000000" in done.out
    await until(lambda: orchestrator.service._lanes.waiting == 0)
    again = await botswain("deadletters", "--json", "--url", address(orchestrator))
    assert [one["id"] for one in again.json["letters"]] == [first]


async def test_requeue_all(orchestrator: Orchestrator, execution: FakeExecution, tmp_path: Path) -> None:
    """Every one; options may stand before the word `requeue` too."""
    ids = await fail(orchestrator, execution, "one", "two", "three")
    as_dev(tmp_path, orchestrator)
    done = await botswain("deadletters", "--json", "--data-dir", str(tmp_path), "requeue", "--all")
    assert done.code == 0, done.err
    assert done.json["requeued"] == ids
    assert done.json["unknown"] == []


async def test_more_than_fit_in_a_page_are_all_taken(
    orchestrator: Orchestrator, execution: FakeExecution, monkeypatch: Any
) -> None:
    """Lists longer than the orchestrator gives at once are read to their end."""
    from botswain_cli import deadletters
    from botswain_cli.orchestrator import find

    ids = await fail(orchestrator, execution, "one", "two", "three", "four", "five")
    monkeypatch.setattr(deadletters, "PAGE", 2)
    monkeypatch.setenv("SERVICE_AUTH_SECRET", SECRET)
    where = find(address(orchestrator), Path("unused"), 30.0)
    listing = await asyncio.to_thread(deadletters.gather, where, 3)
    assert ([letter.id for letter in listing.letters], listing.total) == (ids[:3], 5)
    done = await asyncio.to_thread(deadletters.requeue_all, where)
    assert list(done.requeued) == ids


async def test_a_wrong_secret_is_said_so(orchestrator: Orchestrator) -> None:
    """Which orchestrator, what it says, how to mend it; the secret itself isn't repeated."""
    done = await botswain("ledger", "--url", address(orchestrator), secret="not-the-secret-of-this-orchestrator")
    assert done.code == 1
    assert f"127.0.0.1:{orchestrator.service.port}" in done.err
    assert "SERVICE_AUTH_SECRET" in done.err
    assert "not-the-secret" not in done.err


async def test_an_address_elsewhere_needs_a_secret() -> None:
    """The development secret is for this machine; nothing is asked before."""
    done = await botswain("deadletters", "--url", "http://192.0.2.1:8000", secret=None)
    assert done.code == 1
    assert "SERVICE_AUTH_SECRET" in done.err
    assert "Traceback" not in done.err
