"""What the world is made of: plain data, no behaviour. `payloads` turns it into Discord's JSON, the operations in
`World` change it.

Ids are decimal strings as in Discord's JSON. Times are seconds since the Unix epoch.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

Json = dict[str, Any]


class ChannelType(IntEnum):
    """Discord docs: resources/channel, "Channel Types"."""

    GUILD_TEXT = 0
    DM = 1
    GUILD_VOICE = 2
    GROUP_DM = 3
    GUILD_CATEGORY = 4
    GUILD_ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    GUILD_STAGE_VOICE = 13
    GUILD_FORUM = 15
    GUILD_MEDIA = 16


CREATABLE_TYPES = frozenset(
    {
        ChannelType.GUILD_TEXT,
        ChannelType.GUILD_VOICE,
        ChannelType.GUILD_CATEGORY,
        ChannelType.GUILD_ANNOUNCEMENT,
        ChannelType.GUILD_STAGE_VOICE,
        ChannelType.GUILD_FORUM,
        ChannelType.GUILD_MEDIA,
    }
)
"""The types a guild's channel can be made with; threads are opened under one."""
THREAD_TYPES = frozenset({ChannelType.ANNOUNCEMENT_THREAD, ChannelType.PUBLIC_THREAD, ChannelType.PRIVATE_THREAD})
MESSAGE_CHANNEL_TYPES = THREAD_TYPES | {
    ChannelType.GUILD_TEXT, ChannelType.DM, ChannelType.GUILD_VOICE, ChannelType.GROUP_DM,
    ChannelType.GUILD_ANNOUNCEMENT, ChannelType.GUILD_STAGE_VOICE,
}  # fmt: skip


class MessageType(IntEnum):
    """The message types the simulator makes (Discord docs: resources/message, "Message Types")."""

    DEFAULT = 0
    CHANNEL_PINNED_MESSAGE = 6
    THREAD_CREATED = 18
    REPLY = 19
    CHAT_INPUT_COMMAND = 20
    THREAD_STARTER_MESSAGE = 21
    CONTEXT_MENU_COMMAND = 23


WRITTEN = frozenset(
    {MessageType.DEFAULT, MessageType.REPLY, MessageType.CHAT_INPUT_COMMAND, MessageType.CONTEXT_MENU_COMMAND}
)
"""The types of what somebody wrote, as against Discord's own notes in a channel."""


class MessageFlag(IntEnum):
    """Bits of a message's `flags`."""

    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    IS_VOICE_MESSAGE = 1 << 13
    IS_COMPONENTS_V2 = 1 << 15


@dataclass(slots=True)
class User:
    """A person or a bot."""

    id: str
    username: str
    global_name: str | None = None
    avatar: str | None = None
    bot: bool = False
    discriminator: str = "0"
    public_flags: int = 0
    online: bool = True


@dataclass(slots=True)
class Application:
    """A bot's application. Its id is also its bot user's id, as with every application Discord makes today."""

    id: str
    user: User
    token: str
    privileged_intents: int
    owner_id: str | None = None
    description: str = ""
    token_generation: int = 0
    commands: dict[str, "Command"] = field(default_factory=dict)
    emojis: dict[str, "Emoji"] = field(default_factory=dict)


@dataclass(slots=True)
class Role:
    """A guild's role; the one whose id is the guild's is @everyone."""

    id: str
    name: str
    permissions: int
    color: int = 0
    hoist: bool = False
    position: int = 0
    managed: bool = False
    mentionable: bool = False
    bot_id: str | None = None


@dataclass(slots=True)
class Member:
    """A user in a guild."""

    user: User
    joined_at: float
    nick: str | None = None
    roles: list[str] = field(default_factory=list)
    communication_disabled_until: str | None = None
    presence: Json | None = None


@dataclass(slots=True)
class Emoji:
    """A guild's or an application's own emoji."""

    id: str
    name: str
    animated: bool = False
    user_id: str | None = None
    image: bytes | None = None


@dataclass(slots=True)
class Overwrite:
    """What a channel allows or denies one role (`type` 0) or member (1)."""

    id: str
    type: int
    allow: int
    deny: int


@dataclass(slots=True)
class ThreadState:
    """What a thread has beyond a channel."""

    owner_id: str
    created_at: float
    archive_changed_at: float
    archived: bool = False
    locked: bool = False
    invitable: bool = True
    auto_archive_minutes: int = 1440
    members: dict[str, float] = field(default_factory=dict)
    """User id -> when they joined."""
    message_count: int = 0
    total_sent: int = 0
    applied_tags: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Channel:
    """A guild's channel, a thread or a direct conversation, with its messages in rising order of id."""

    id: str
    type: int
    guild_id: str | None = None
    name: str | None = None
    topic: str | None = None
    position: int = 0
    parent_id: str | None = None
    nsfw: bool = False
    rate_limit_per_user: int = 0
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    recipients: tuple[str, ...] = ()
    last_message_id: str | None = None
    last_pin_at: float | None = None
    thread: ThreadState | None = None
    extra: Json = field(default_factory=dict)
    """Further fields a bot set (bitrate, available_tags, default_auto_archive_duration, …), given back as they came."""
    messages: "dict[str, Message]" = field(default_factory=dict)
    pins: dict[str, float] = field(default_factory=dict)
    """Message id -> when it was pinned."""
    nonces: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    """(author id, nonce) -> (when, message id), of the past few minutes."""


@dataclass(slots=True)
class Attachment:
    """A file. Its bytes are served under `/attachments/…`."""

    id: str
    channel_id: str
    filename: str
    content_type: str
    data: bytes
    description: str | None = None
    title: str | None = None
    width: int | None = None
    height: int | None = None
    duration_secs: float | None = None
    waveform: str | None = None


@dataclass(slots=True)
class Reaction:
    """Who reacted with one emoji, in order."""

    emoji: Json
    users: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    """A message. `author` is a made-up user for webhooks, which have no account."""

    id: str
    channel_id: str
    guild_id: str | None
    author: User
    content: str
    timestamp: float
    type: int = 0
    edited_at: float | None = None
    tts: bool = False
    mention_everyone: bool = False
    mentions: tuple[str, ...] = ()
    mention_roles: tuple[str, ...] = ()
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    sticker_ids: tuple[str, ...] = ()
    reactions: dict[str, Reaction] = field(default_factory=dict)
    nonce: str | int | None = None
    flags: int = 0
    pinned: bool = False
    webhook_id: str | None = None
    application_id: str | None = None
    reference: Json | None = None
    interaction: Json | None = None
    poll: Json | None = None
    thread_id: str | None = None
    ephemeral_for: str | None = None


@dataclass(slots=True)
class Webhook:
    """An incoming webhook (`type` 1)."""

    id: str
    guild_id: str
    channel_id: str
    name: str
    token: str
    creator_id: str
    avatar: str | None = None
    application_id: str | None = None


@dataclass(slots=True)
class Command:
    """An application command; `body` holds what the application set (name, type, description, options, …)."""

    id: str
    application_id: str
    guild_id: str | None
    version: str
    body: Json
    permissions: dict[str, list[Json]] = field(default_factory=dict)


@dataclass(slots=True)
class Interaction:
    """One use of a command, a component or a form. `state`: pending, deferred, answered, modal, autocomplete or
    failed.
    """

    id: str
    token: str
    application_id: str
    type: int
    data: Json
    channel_id: str
    guild_id: str | None
    user_id: str
    created_at: float
    state: str = "pending"
    message_id: str | None = None
    """The message whose component was used."""
    response_id: str | None = None
    """The message that `@original` names."""
    response: Json | None = None
    """What was answered without a message: a form or autocomplete choices."""


@dataclass(slots=True)
class Guild:
    """A server."""

    id: str
    name: str
    owner_id: str
    created_at: float
    icon: str | None = None
    description: str | None = None
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    threads: dict[str, Channel] = field(default_factory=dict)
    emojis: dict[str, Emoji] = field(default_factory=dict)
    bans: dict[str, str | None] = field(default_factory=dict)
    voice_states: dict[str, Json] = field(default_factory=dict)
    extra: Json = field(default_factory=dict)
