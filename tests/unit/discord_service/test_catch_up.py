"""After a lost session each channel's messages are fetched in order, and what comes live waits behind them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from botswain_discord.catch_up import MAX_MARKS, PAGE, CatchUp, Mark, Marks
from botswain_proto.v1.coordination_pb2 import ChannelMark


def message(number: int, channel: str = "7") -> dict[str, Any]:
    return {"id": str(number), "channel_id": channel}


class Channels:
    """Discord's side: messages by channel, the newest first, and failures to come."""

    def __init__(self, **messages: range) -> None:
        self.messages = {
            name.removeprefix("c"): [str(number) for number in numbers] for name, numbers in messages.items()
        }
        self.failures: list[Exception] = []
        self.asked: list[tuple[str, str]] = []

    async def fetch(self, channel_id: str, after: str) -> list[dict[str, Any]]:
        self.asked.append((channel_id, after))
        if self.failures:
            raise self.failures.pop()
        found = [number for number in self.messages[channel_id] if int(number) > int(after)]
        return [{"id": number, "channel_id": channel_id} for number in reversed(found[:PAGE])]


class Taken:
    """What was handled, by channel."""

    def __init__(self) -> None:
        self.ids: dict[str, list[int]] = {}
        self.payloads: list[dict[str, Any]] = []

    def __call__(self, payload: dict[str, Any]) -> None:
        self.payloads.append(payload)
        self.ids.setdefault(payload["channel_id"], []).append(int(payload["id"]))


async def at_once(_seconds: float = 0.0) -> None:
    await asyncio.sleep(0)


def catch_up(channels: Channels, taken: Taken, *marks: Mark) -> CatchUp:
    return CatchUp(list(marks), channels.fetch, taken, at_once, sleep=at_once)


async def test_pages_are_taken_oldest_first() -> None:
    """From the mark on, a hundred at a time; a fetched message is told its guild."""
    channels, taken = Channels(c7=range(1, 251)), Taken()
    await catch_up(channels, taken, Mark("7", "99", "5")).run()
    assert taken.ids == {"7": list(range(6, 251))}
    assert channels.asked == [("7", "5"), ("7", "105"), ("7", "205")]
    assert {payload["guild_id"] for payload in taken.payloads} == {"99"}


async def test_live_messages_wait_for_their_own_channel_only() -> None:
    """One that was fetched as well isn't handled twice."""
    channels, taken = Channels(c7=range(1, 4)), Taken()
    catching_up = catch_up(channels, taken, Mark("7", None, "1"))
    assert [catching_up.hold(message(number)) for number in (3, 4, 5)] == [True] * 3
    assert not catching_up.hold(message(1, "8"))
    assert catching_up.held == 3
    await catching_up.run()
    assert taken.ids == {"7": [2, 3, 4, 5]}
    assert catching_up.held == 0
    assert not catching_up.hold(message(6))


async def test_a_failed_request_is_made_again() -> None:
    """However often the way is broken, nothing is left out."""
    channels, taken = Channels(c7=range(1, 4)), Taken()
    channels.failures = [TimeoutError(), OSError("reset")]
    await catch_up(channels, taken, Mark("7", None, "1")).run()
    assert taken.ids == {"7": [2, 3]}


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_request_that_discord_would_take_later_is_made_again(status: int) -> None:
    """The rate limit says nothing about the channel; only what does leaves it out."""
    channels, taken = Channels(c7=range(1, 4)), Taken()
    response: Any = SimpleNamespace(status=status, reason="")
    channels.failures = [discord.HTTPException(response, "later")]
    await catch_up(channels, taken, Mark("7", None, "1")).run()
    assert taken.ids == {"7": [2, 3]}


async def test_odd_messages_are_passed_over() -> None:
    """One without an id ends nothing."""
    taken = Taken()

    async def fetch(_channel: str, after: str) -> list[dict[str, Any]]:
        return [{"id": None}, message(2), {}] if after == "1" else []

    await CatchUp([Mark("7", None, "1")], fetch, taken, at_once).run()
    assert taken.ids == {"7": [2]}


async def test_channels_are_added_until_it_is_over() -> None:
    """Those that turn up while others are fetched; afterwards another has to begin."""
    channels, taken = Channels(c7=range(1, 4), c8=range(1, 4), c9=range(1, 4)), Taken()
    catching_up = catch_up(channels, taken, Mark("7", None, "1"))
    assert catching_up.add([Mark("8", None, "2")])
    running = asyncio.create_task(catching_up.run())
    await asyncio.sleep(0)
    assert catching_up.add([Mark("9", None, "2"), Mark("7", None, "1")])
    await running
    assert taken.ids == {"7": [2, 3], "8": [3], "9": [3]}
    assert not catching_up.add([Mark("9", None, "2")])


def test_marks_follow_what_was_seen() -> None:
    """From what the orchestrator told on; direct messages are shard 0's; odd payloads leave them as they are."""
    guild = str(1 << 22)
    marks = Marks(
        [
            ChannelMark(channel_id="7", guild_id=guild, last_message_id="10"),
            ChannelMark(channel_id="8", last_message_id="11"),
        ]
    )
    marks.seen(message(12) | {"guild_id": guild})
    marks.seen({"id": 5, "channel_id": "9"})
    marks.seen(message(5, "9") | {"guild_id": "odd"})
    assert marks.of_shard(1, 2) == [Mark("7", guild, "12")]
    assert marks.of_shard(0, 2) == [Mark("8", None, "11")]


def test_marks_are_bounded() -> None:
    """The channels used latest stay."""
    marks = Marks()
    for number in range(MAX_MARKS + 10):
        marks.seen(message(number + 1, str(number)))
    found = marks.of_shard(0, 1)
    assert (len(found), found[-1].channel_id) == (MAX_MARKS, "10")
