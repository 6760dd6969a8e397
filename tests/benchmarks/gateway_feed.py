"""Messages for bots under test: built before the clock runs, then put into their gateway sessions as fast as they go out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from botswain_simulator import Simulator
from botswain_simulator.gateway.sessions import Session, dispatch_head

BETWEEN_PAUSES = 200
"""Frames after which the simulator's connections get a chance to send."""


def build_frames(simulator: Simulator, count: int) -> list[bytes]:
    """The data of `count` MESSAGE_CREATEs, spread over the text channels."""
    channels = [channel.id for channel in simulator.world.channels.values() if channel.type == 0]
    author = simulator.world.user_named("ada").id
    return [orjson.dumps(sample(simulator, channels[number % len(channels)], author)) for number in range(count)]


async def feed(session: Session, frames: Sequence[bytes]) -> None:
    """Put frames into a session."""
    head = dispatch_head("MESSAGE_CREATE")
    for number, body in enumerate(frames):
        session.dispatch(head, body)
        if number % BETWEEN_PAUSES == 0:
            await asyncio.sleep(0)


def sample(simulator: Simulator, channel_id: str, author_id: str) -> dict[str, Any]:
    """A guild message as Discord sends it, about 1 kB."""
    return {
        "type": 0, "tts": False, "timestamp": "2026-11-22T10:00:00.123000+00:00", "pinned": False, "nonce": "1", "mentions": [],
        "mention_roles": [], "mention_everyone": False, "id": simulator.world.new_id(), "flags": 0, "embeds": [],
        "edited_timestamp": None, "content": "hello there " * 10, "components": [], "channel_id": channel_id, "attachments": [],
        "author": {"username": "ada", "public_flags": 0, "id": author_id, "global_name": "Ada", "discriminator": "0",
                   "avatar": "a" * 32, "clan": None, "avatar_decoration_data": None, "collectibles": None},
        "member": {"roles": ["1"] * 8, "premium_since": None, "pending": False, "nick": None, "mute": False, "deaf": False,
                   "joined_at": "2020-01-01T00:00:00.000000+00:00", "flags": 0, "communication_disabled_until": None},
        "guild_id": next(iter(simulator.world.guilds)), "channel_type": 0,
    }  # fmt: skip
