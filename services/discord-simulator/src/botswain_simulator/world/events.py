"""What the world tells its subscribers: one `Event` for each thing that happened, in Discord's own names and shapes."""

from dataclasses import dataclass
from typing import Any

from botswain_simulator.models import Channel, Json, Message


@dataclass(slots=True, frozen=True)
class Event:
    """A dispatch to come.

    `data` is Discord's payload without what differs from receiver to receiver. `bots` narrows the receivers to some
    bots' user ids (direct conversations, interactions; empty: no bot at all, only the page cares); None means every bot
    in the guild. `subject` is the object itself, for subscribers that show more of it than a bot may see.
    """

    name: str
    data: Json
    guild_id: str | None = None
    channel: Channel | None = None
    bots: tuple[str, ...] | None = None
    message: Message | None = None
    subject: Any = None
