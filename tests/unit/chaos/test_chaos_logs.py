"""What the logs of killed processes still tell: a message's way, and how long nobody read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chaos.crews import HandOver
from chaos.logs import hand_over_gap, read, trail
from chaos.processes import Life
from chaos.questions import question
from chaos.verdicts import Asked


def line(second: float, event: str, **fields: Any) -> str:
    return json.dumps({"timestamp": f"2026-01-01T00:00:{second:09.6f}Z", "event": event, **fields}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two discord-services and an orchestrator; one was killed while it wrote."""
    mine = {"event_id": "discord:message:5", "correlation_id": "c1"}
    (tmp_path / "discord-0.1.log").write_text(
        line(1, "event_received", **mine) + line(3, "service_draining") + line(3.5, "service_stopped")
    )
    (tmp_path / "discord-1.1.log").write_text(
        line(0.5, "shard_connected", shard=1, shard_count=2)
        + line(3.2, "shard_connected", shard=0, shard_count=2)
        + line(3.3, "shard_connected", shard=1, shard_count=2)
        + line(9, "shard_connected", shard=1, shard_count=2)
    )
    (tmp_path / "orchestrator-0.1.log").write_text(
        "no JSON\n" + line(2, "tool_called", correlation_id="c1", tool="t") + '{"event": "cut o'
    )
    return tmp_path


def test_the_way_of_a_message_is_told_in_order_of_time(folder: Path) -> None:
    """By its event id, and by the correlation ids that it had."""
    head, *rest = trail(Asked(question(7, 0, "plain"), "9", "5"), read(folder))
    assert "message 7 (plain), channel 9, discord:message:5, correlation ids c1" in head
    assert [text.split()[1:3] for text in rest] == [
        ["discord-0.1", "event_received"],
        ["orchestrator-0.1", "tool_called"],
    ]


def test_a_message_that_nobody_logged_is_said_to_be_so(folder: Path) -> None:
    """That, too, tells where to look."""
    assert trail(Asked(question(7, 0, "plain"), "9", "6"), read(folder))[0].endswith("none: no process has logged it")


@pytest.mark.parametrize(("shards", "gap"), [((0,), 200.0), ((0, 1), 300.0), ((2,), None)])
def test_a_hand_over_lasts_until_the_last_shard_is_read_again(
    folder: Path, shards: tuple[int, ...], gap: float | None
) -> None:
    """From the moment at which the old process stopped; later reconnections don't count."""
    hand_over = HandOver(Life(1, 1, folder / "discord-0.1.log"), shards, 2)
    assert hand_over_gap(hand_over, read(folder)) == (gap if gap is None else pytest.approx(gap, abs=0.1))
