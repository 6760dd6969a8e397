"""Permission bits and how they add up (Discord docs: topics/permissions)."""

from collections.abc import Iterable, Mapping
from enum import IntFlag

from botswain_simulator.models import Channel, Guild, Member


class Permissions(IntFlag):
    """The bits the simulator looks at; `ALL` has the rest too."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    MANAGE_GUILD_EXPRESSIONS = 1 << 30
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38
    MODERATE_MEMBERS = 1 << 40
    PIN_MESSAGES = 1 << 51


ALL = (1 << 53) - 1
EVERYONE_DEFAULT = 1_071_698_660_929 & ~int(Permissions.MENTION_EVERYONE)
"""What @everyone may do in a new guild: read, write, react, open threads, use commands."""
BOT_DEFAULT = ALL & ~int(Permissions.ADMINISTRATOR)
"""What a bot's own role gets in the simulator: all but ADMINISTRATOR, so that overwrites still bite."""


def guild_permissions(guild: Guild, member: Member) -> int:
    """A member's permissions before any channel overwrite."""
    if member.user.id == guild.owner_id:
        return ALL
    held = guild.roles[guild.id].permissions
    for role_id in member.roles:
        if role := guild.roles.get(role_id):
            held |= role.permissions
    return ALL if held & Permissions.ADMINISTRATOR else held


def channel_permissions(guild: Guild, member: Member, channel: Channel) -> int:
    """A member's permissions in a channel. For a thread pass its parent: threads have no overwrites of their own."""
    held = guild_permissions(guild, member)
    if held == ALL or not channel.overwrites:
        return held
    return _with_overwrites(held, guild.id, member, {o.id: (o.allow, o.deny) for o in channel.overwrites.values()})


def _with_overwrites(held: int, everyone_id: str, member: Member, overwrites: Mapping[str, tuple[int, int]]) -> int:
    held = _apply(held, [overwrites[everyone_id]] if everyone_id in overwrites else [])
    held = _apply(held, [overwrites[role] for role in member.roles if role in overwrites])
    return _apply(held, [overwrites[member.user.id]] if member.user.id in overwrites else [])


def _apply(held: int, pairs: Iterable[tuple[int, int]]) -> int:
    allow = deny = 0
    for allowed, denied in pairs:
        allow |= allowed
        deny |= denied
    return (held & ~deny) | allow
