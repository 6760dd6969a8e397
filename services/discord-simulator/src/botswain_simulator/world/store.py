"""The world's bare state: tables of objects by id, ids, time, and the list of those who want to hear what happens."""

import time
from collections.abc import Callable
from typing import TypeVar

from botswain_simulator.errors import UnknownObjectError
from botswain_simulator.models import (
    THREAD_TYPES,
    Application,
    Attachment,
    Channel,
    Guild,
    Interaction,
    Json,
    Member,
    Message,
    User,
    Webhook,
)
from botswain_simulator.payloads import Links
from botswain_simulator.permissions import ALL, Permissions, channel_permissions
from botswain_simulator.snowflakes import Clock, SnowflakeGenerator
from botswain_simulator.world.events import Event

T = TypeVar("T")
Subscriber = Callable[[Event], None]


class Store:
    """Tables and look-ups; the classes built on it add the operations."""

    def __init__(
        self, clock: Clock = time.time, *, messages_per_channel: int = 50_000, nonce_window: float = 300.0
    ) -> None:
        """`messages_per_channel` bounds memory under load: beyond it a channel forgets its oldest messages. `nonce_window`:
        seconds for which `enforce_nonce` remembers; may be changed while it runs.
        """
        self.clock = clock
        self.messages_per_channel = messages_per_channel
        self.nonce_window = nonce_window
        self.links = Links()
        self.snowflakes = SnowflakeGenerator(clock)
        self._subscribers: list[Subscriber] = []
        self.clear()

    def clear(self) -> None:
        """Forget everything but who listens."""
        self.users: dict[str, User] = {}
        self.applications: dict[str, Application] = {}
        self.tokens: dict[str, Application] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.attachments: dict[str, Attachment] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.interactions: dict[str, Interaction] = {}
        self.interaction_tokens: dict[str, Interaction] = {}
        self.invites: dict[str, Json] = {}
        self.default_user_id: str | None = None
        self.direct_channels: dict[frozenset[str], Channel] = {}

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` at once for everything that happens from now on, in order. Returns what ends it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def emit(self, event: Event) -> None:
        for subscriber in self._subscribers:
            subscriber(event)

    def new_id(self) -> str:
        return self.snowflakes.next()

    def user(self, user_id: str) -> User:
        return _get(self.users, user_id, "user")

    def guild(self, guild_id: str) -> Guild:
        return _get(self.guilds, guild_id, "guild")

    def channel(self, channel_id: str) -> Channel:
        return _get(self.channels, channel_id, "channel")

    def application(self, application_id: str) -> Application:
        return _get(self.applications, application_id, "bot")

    def message(self, channel_id: str, message_id: str) -> Message:
        return _get(self.channel(channel_id).messages, message_id, f"message in channel {channel_id}")

    def member(self, guild_id: str, user_id: str) -> Member | None:
        guild = self.guilds.get(guild_id)
        return guild.members.get(user_id) if guild else None

    def user_named(self, username: str) -> User:
        for user in self.users.values():
            if user.username == username:
                return user
        raise UnknownObjectError(
            f"no user has the name {username!r}; POST /sim/users makes one, GET /sim/state lists them"
        )

    def guilds_of(self, user_id: str) -> list[Guild]:
        return [guild for guild in self.guilds.values() if user_id in guild.members]

    def bots_in(self, channel: Channel) -> tuple[str, ...]:
        """The bots in a direct conversation."""
        return tuple(uid for uid in channel.recipients if self.users[uid].bot)

    def permissions_in(self, channel: Channel, user_id: str) -> int:
        """What a user may do in a channel; 0 for one who is not there at all."""
        if channel.guild_id is None:
            return ALL if user_id in channel.recipients else 0
        guild = self.guilds[channel.guild_id]
        member = guild.members.get(user_id)
        if member is None:
            return 0
        place = self.channels.get(channel.parent_id or "", channel) if channel.type in THREAD_TYPES else channel
        held = channel_permissions(guild, member, place)
        return held if held & Permissions.VIEW_CHANNEL else 0


def _get(table: dict[str, T], key: str, what: str) -> T:
    try:
        return table[key]
    except KeyError:
        raise UnknownObjectError(f"there is no {what} with id {key!r}; GET /sim/state lists what there is") from None
