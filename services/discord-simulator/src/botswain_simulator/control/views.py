"""What the control API shows: the world as the page needs it, and each event of it."""

from collections.abc import Callable
from typing import Any

from botswain_simulator import payloads
from botswain_simulator.models import Channel, Guild, Json, Member, Message, User
from botswain_simulator.payloads import Links
from botswain_simulator.world import Event, World, rendering


def state(world: World) -> Json:
    """GET /sim/state."""
    return {
        "me": world.default_user_id,
        "users": [rendering.user_for_page(u) for u in world.users.values() if not u.bot],
        "bots": [
            {"user": rendering.user_for_page(a.user), "application_id": a.id, "online": a.user.online}
            for a in world.applications.values()
        ],
        "guilds": [guild(world, g) for g in world.guilds.values()],
        "dms": [channel(world, c) for c in world.channels.values() if c.guild_id is None],
    }


def guild(world: World, item: Guild) -> Json:
    return {
        "id": item.id,
        "name": item.name,
        "icon_url": Links().icon(item),
        "owner_id": item.owner_id,
        "channels": [channel(world, c) for c in item.channels.values()],
        "threads": [channel(world, t) for t in item.threads.values()],
        "roles": [payloads.role(r) for r in item.roles.values()],
        "emojis": [payloads.emoji(e) for e in item.emojis.values()],
        "members": [member(m) for m in item.members.values()],
    }


def member(item: Member) -> Json:
    return {"user": rendering.user_for_page(item.user), "nick": item.nick, "roles": list(item.roles)}


def channel(world: World, item: Channel) -> Json:
    payload = payloads.channel(item, world.users)
    if item.guild_id is None:
        payload["recipients"] = [rendering.user_for_page(world.users[uid]) for uid in item.recipients]
    return payload


Render = Callable[[], Json]


def page_events(world: World, event: Event) -> list[tuple[str, Render]]:
    """The page's events for a thing that happened, drawn only when somebody looks: under load nobody does."""
    data, subject = event.data, event.subject
    if event.name in _AS_THEY_ARE:
        return [(_AS_THEY_ARE[event.name], lambda: data)]
    match subject:
        case Message() if event.name in {"MESSAGE_CREATE", "MESSAGE_UPDATE"}:
            return [(event.name.lower(), lambda: rendering.message_for_page(world, subject))]
        case Message() if event.name.startswith("MESSAGE_REACTION_REMOVE_"):
            return [("message_update", lambda: rendering.message_for_page(world, subject))]
        case Channel() if event.name in _CHANNEL_EVENTS:
            return [(_CHANNEL_EVENTS[event.name], lambda: channel(world, subject))]
        case Guild() if event.name in {"PAGE_GUILD_CREATE", "GUILD_UPDATE"}:
            return [
                ("guild_create" if event.name.startswith("PAGE") else "guild_update", lambda: guild(world, subject))
            ]
        case Guild() if event.name == "GUILD_DELETE" and subject.id not in world.guilds:
            return [("guild_delete", lambda: {"id": subject.id})]
        case Member() if event.name in {"GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE"}:
            name = "member_add" if event.name.endswith("ADD") else "member_update"
            return [(name, lambda: member(subject) | {"guild_id": event.guild_id})]
        case User() if event.name == "USER_CREATE":
            return [("user_create", lambda: rendering.user_for_page(subject))]
        case User() if event.name == "GUILD_MEMBER_REMOVE":
            return [("member_remove", lambda: {"guild_id": event.guild_id, "user_id": subject.id})]
    return _plain(event.name, data)


_AS_THEY_ARE = {
    "TYPING_START": "typing_start",
    "PAGE_PRESENCE": "presence",
    "PAGE_INTERACTION": "interaction_update",
    "PAGE_COMMANDS": "commands_update",
}
_CHANNEL_EVENTS = {
    "CHANNEL_CREATE": "channel_create",
    "CHANNEL_UPDATE": "channel_update",
    "CHANNEL_DELETE": "channel_delete",
    "THREAD_CREATE": "thread_create",
    "THREAD_UPDATE": "thread_update",
    "THREAD_DELETE": "channel_delete",
}
_REACTION_FIELDS = ("channel_id", "message_id", "user_id", "emoji")


def _plain(name: str, data: Json) -> list[tuple[str, Render]]:
    if name in {"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"}:
        return [("reaction_" + name.rsplit("_", 1)[1].lower(), lambda: {key: data[key] for key in _REACTION_FIELDS})]
    if name in {"MESSAGE_DELETE", "MESSAGE_DELETE_BULK"}:
        ids: list[Any] = data.get("ids") or [data["id"]]
        return [("message_delete", _deletion(mid, data["channel_id"])) for mid in ids]
    return []


def _deletion(message_id: str, channel_id: str) -> Render:
    return lambda: {"id": message_id, "channel_id": channel_id}
