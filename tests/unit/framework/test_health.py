"""Liveness and readiness."""

import asyncio

import botswain_services.health as health_module
import structlog
from botswain_services.health import Health


def running() -> Health:
    health = Health()
    health.phase = "running"
    return health


async def test_nothing_is_ready_before_it_runs():
    """The phase alone keeps a process out of rotation, without asking its checks."""
    health = Health()
    asked = []
    health.add_check("database", lambda: asked.append(1))
    for phase in ("starting", "draining"):
        health.phase = phase
        readiness = await health.readiness()
        assert (readiness.ready, readiness.reasons) == (False, {"service": phase})
    assert not asked


async def test_every_reason_is_shown():
    """Sync and async checks stand side by side; those that are well stay silent."""
    health = running()

    async def broker() -> str:
        return "no connection"

    health.add_check("broker", broker)
    health.add_check("database", lambda: "locked")
    health.add_check("cache", lambda: None)
    readiness = await health.readiness()
    assert not readiness.ready
    assert readiness.reasons == {"broker": "no connection", "database": "locked"}


async def test_a_check_that_breaks_is_a_reason():
    """An exception in a check is an answer, not a failure of the probe."""
    health = running()

    def broken() -> None:
        raise RuntimeError("boom")

    health.add_check("disk", broken)
    assert (await health.readiness()).reasons == {"disk": "RuntimeError: boom"}


async def test_a_check_that_hangs_is_a_reason(monkeypatch):
    """A probe answers in time, whatever a dependency does."""
    monkeypatch.setattr(health_module, "CHECK_TIMEOUT", 0.01)
    health = running()

    async def hangs() -> None:
        await asyncio.Event().wait()

    health.add_check("peer", hangs)
    assert "no answer within 0.01 s" in (await health.readiness()).reasons["peer"]


async def test_a_second_check_of_the_same_name_replaces_the_first():
    """Names are unique."""
    health = running()
    health.add_check("peer", lambda: "down")
    health.add_check("peer", lambda: None)
    assert (await health.readiness()).ready


async def test_readiness_is_logged_when_it_changes():
    """However often a probe asks, each change leaves one line."""
    health = running()
    answers = iter(["down", "still down", None, None])
    health.add_check("peer", lambda: next(answers))
    with structlog.testing.capture_logs() as lines:
        for _ in range(4):
            await health.readiness()
    assert [line["event"] for line in lines] == ["not_ready", "ready_again"]
    assert lines[0]["reason_peer"] == "down"
