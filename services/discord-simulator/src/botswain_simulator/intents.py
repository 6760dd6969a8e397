"""Which sessions may see which events, and what of a message they see (Discord docs: events/gateway, "Gateway
Intents").
"""

from enum import IntFlag


class Intents(IntFlag):
    """The bits of IDENTIFY's `intents`."""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_MODERATION = 1 << 2
    GUILD_EXPRESSIONS = 1 << 3
    GUILD_INTEGRATIONS = 1 << 4
    GUILD_WEBHOOKS = 1 << 5
    GUILD_INVITES = 1 << 6
    GUILD_VOICE_STATES = 1 << 7
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_REACTIONS = 1 << 13
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15
    GUILD_SCHEDULED_EVENTS = 1 << 16
    AUTO_MODERATION_CONFIGURATION = 1 << 20
    AUTO_MODERATION_EXECUTION = 1 << 21
    GUILD_MESSAGE_POLLS = 1 << 24
    DIRECT_MESSAGE_POLLS = 1 << 25


PRIVILEGED = int(Intents.GUILD_MEMBERS | Intents.GUILD_PRESENCES | Intents.MESSAGE_CONTENT)
# Bits 17–19, 22 and 23 have no documented meaning, but Discord takes them; 4013 is for what lies beyond.
MAX_INTENTS = (1 << 26) - 1

MESSAGE_CONTENT = int(Intents.MESSAGE_CONTENT)

_BOTH: dict[str, tuple[Intents, Intents]] = {
    "MESSAGE_CREATE": (Intents.GUILD_MESSAGES, Intents.DIRECT_MESSAGES),
    "MESSAGE_UPDATE": (Intents.GUILD_MESSAGES, Intents.DIRECT_MESSAGES),
    "MESSAGE_DELETE": (Intents.GUILD_MESSAGES, Intents.DIRECT_MESSAGES),
    "CHANNEL_PINS_UPDATE": (Intents.GUILDS, Intents.DIRECT_MESSAGES),
    "MESSAGE_REACTION_ADD": (Intents.GUILD_MESSAGE_REACTIONS, Intents.DIRECT_MESSAGE_REACTIONS),
    "MESSAGE_REACTION_REMOVE": (Intents.GUILD_MESSAGE_REACTIONS, Intents.DIRECT_MESSAGE_REACTIONS),
    "MESSAGE_REACTION_REMOVE_ALL": (Intents.GUILD_MESSAGE_REACTIONS, Intents.DIRECT_MESSAGE_REACTIONS),
    "MESSAGE_REACTION_REMOVE_EMOJI": (Intents.GUILD_MESSAGE_REACTIONS, Intents.DIRECT_MESSAGE_REACTIONS),
    "TYPING_START": (Intents.GUILD_MESSAGE_TYPING, Intents.DIRECT_MESSAGE_TYPING),
    "MESSAGE_POLL_VOTE_ADD": (Intents.GUILD_MESSAGE_POLLS, Intents.DIRECT_MESSAGE_POLLS),
    "MESSAGE_POLL_VOTE_REMOVE": (Intents.GUILD_MESSAGE_POLLS, Intents.DIRECT_MESSAGE_POLLS),
}

_BY_INTENT: dict[Intents, tuple[str, ...]] = {
    Intents.GUILDS: (
        "GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE",
        "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE",
        "THREAD_LIST_SYNC", "THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE",
    ),
    Intents.GUILD_MEMBERS: ("GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE"),
    Intents.GUILD_MODERATION: ("GUILD_BAN_ADD", "GUILD_BAN_REMOVE", "GUILD_AUDIT_LOG_ENTRY_CREATE"),
    Intents.GUILD_EXPRESSIONS: ("GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE"),
    Intents.GUILD_WEBHOOKS: ("WEBHOOKS_UPDATE",),
    Intents.GUILD_INVITES: ("INVITE_CREATE", "INVITE_DELETE"),
    Intents.GUILD_VOICE_STATES: ("VOICE_STATE_UPDATE",),
    Intents.GUILD_PRESENCES: ("PRESENCE_UPDATE",),
    Intents.GUILD_MESSAGES: ("MESSAGE_DELETE_BULK",),
}  # fmt: skip

_GUILD = {name: int(pair[0]) for name, pair in _BOTH.items()} | {
    name: int(intent) for intent, names in _BY_INTENT.items() for name in names
}
_DIRECT = {name: int(pair[1]) for name, pair in _BOTH.items()}


def required(name: str, *, in_guild: bool) -> int:
    """The intent bit an event asks for; 0 for what every session gets (INTERACTION_CREATE, READY, …)."""
    return (_GUILD if in_guild else _DIRECT).get(name, 0)
