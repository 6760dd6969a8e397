"""The process, as its user sees it: `python -m botswain_orchestrator`."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from botswain_proto.v1 import orchestrator_pb2, orchestrator_pb2_grpc
from botswain_services.auth import TokenIssuer
from botswain_services.rpc import connect

from .conftest import DEADLINE, SECRET, FakeExecution, message
from .process import line_of, start


async def complaint(folder: Path, **variables: str) -> tuple[int | None, str]:
    """Exit code and stderr of a start that fails."""
    process = await start(folder, **variables)
    async with asyncio.timeout(DEADLINE):
        _, stderr = await process.communicate()
    return process.returncode, stderr.decode()


async def test_wrong_settings_end_the_start(tmp_path: Path) -> None:
    """Exit code 2, a line for each variable with what to do; no traceback."""
    code, stderr = await complaint(tmp_path, MODEL="gpt-5", DATABASE_URL="mysql://h/db", WORKERS="none")
    assert code == 2
    assert "settings: MODEL: 'gpt-5' is not a model that is known. Known forms: scripted" in stderr
    assert "settings: DATABASE_URL: not of the form sqlite:///relative/path.db" in stderr
    assert "settings: WORKERS:" in stderr
    assert "Traceback" not in stderr


async def test_a_ledger_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    """Exit code 1, with the file and the reason."""
    code, stderr = await complaint(tmp_path, DATABASE_URL="sqlite:////proc/no/ledger.db")
    assert code == 1
    assert "start-up: DATABASE_URL: can't open /proc/no/ledger.db" in stderr
    assert "Traceback" not in stderr


async def test_a_killed_process_answers_after_its_next_start(tmp_path: Path, execution: FakeExecution) -> None:
    """SIGKILL in the middle of a send: the next process sends under the same key. SIGTERM ends that one with 0."""
    gate = asyncio.Event()

    async def hold(request: Any) -> Any:
        await gate.wait()
        return execution.success(request)

    execution.answer = hold
    url = {"EXECUTION_SERVICE_URL": f"grpc://127.0.0.1:{execution.port}"}
    first = await start(tmp_path, **url)
    ready = await line_of(first, "service_ready")
    tokens = TokenIssuer(SECRET, issuer="test", audience="orchestrator-service")
    peer = connect(f"grpc://127.0.0.1:{ready['grpc']}", tokens, variable="TEST")

    async def stream() -> Any:
        yield orchestrator_pb2.PublishRequest(batch_id=1, events=[message("hello")])

    stub = orchestrator_pb2_grpc.OrchestratorServiceStub(peer.channel)
    acks = [ack.recorded async for ack in stub.Publish(stream(), metadata=peer.metadata(), timeout=DEADLINE)]
    assert acks == [1]
    await execution.wait_for_calls(1)
    first.send_signal(signal.SIGKILL)
    await first.communicate()
    await peer.close()
    gate.set()
    second = await start(tmp_path, **url)
    completed = await line_of(second, "turn_completed")
    assert completed["correlation_id"] == execution.calls[0].context.correlation_id
    assert completed["service"] == "orchestrator-service"
    second.send_signal(signal.SIGTERM)
    await second.communicate()
    assert second.returncode == 0
    assert [call.idempotency_key for call in execution.calls] == [execution.calls[0].idempotency_key] * 2


async def test_help_lists_the_variables(tmp_path: Path) -> None:
    """--help names every setting with its meaning."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "botswain_orchestrator", "--help", cwd=tmp_path, stdout=PIPE, stderr=PIPE
    )
    stdout, _ = await process.communicate()
    assert process.returncode == 0
    for name in ("DATABASE_URL", "EXECUTION_SERVICE_URL", "MODEL", "TURN_TIMEOUT_SECONDS", "SERVICE_AUTH_SECRET"):
        assert name in stdout.decode()
