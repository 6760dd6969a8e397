"""The world the simulator starts with, and worlds read from a file.

The default one has the same ids and the same token at every start, so that both can be written into a bot's settings.
"""

from pathlib import Path
from typing import Any

import orjson

from botswain_simulator.errors import StartError, WorldError
from botswain_simulator.intents import PRIVILEGED, Intents
from botswain_simulator.models import CREATABLE_TYPES, ChannelType, Guild, Json
from botswain_simulator.snowflakes import is_snowflake, snowflake_at
from botswain_simulator.world.world import World

_FIRST_MS = 1_704_067_200_000
"""2024-01-01: the day the default world's ids are of."""

BOT_ID = snowflake_at(_FIRST_MS, 1)
ADA_ID = snowflake_at(_FIRST_MS, 2)
GUILD_ID = snowflake_at(_FIRST_MS + 1)


def build_default(world: World) -> None:
    """One bot, three people, the guild "Harbour" with #general, #random and #bots. Ada is who the page speaks as."""
    ada = world.add_user("ada", "Ada", user_id=ADA_ID)
    others = [
        world.add_user("grace", "Grace", user_id=snowflake_at(_FIRST_MS, 3)),
        world.add_user("linus", "Linus", user_id=snowflake_at(_FIRST_MS, 4)),
    ]
    bot = world.add_bot("botswain", user_id=BOT_ID, owner_id=ada.id)
    guild = world.add_guild("Harbour", ada, guild_id=GUILD_ID)
    for member in (*others, bot.user):
        world.add_member(guild, member, role_id=snowflake_at(_FIRST_MS + 2))
    category = world.add_channel(
        guild, "Text channels", ChannelType.GUILD_CATEGORY, channel_id=snowflake_at(_FIRST_MS + 3)
    )
    for number, (name, topic) in enumerate(
        (("general", "Anything at all"), ("random", None), ("bots", "Where bots are tried out")), start=4
    ):
        world.add_channel(guild, name, topic=topic, parent_id=category.id, channel_id=snowflake_at(_FIRST_MS + number))


def build_from_file(world: World, path: Path) -> None:
    """Fill a world from a JSON file; `docs/simulator.md` describes it. Raises StartError that says what is wrong
    where.
    """
    try:
        description = orjson.loads(path.read_bytes())
    except OSError as error:
        raise StartError(f"the world file {path} can't be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise StartError(f"the world file {path} is not JSON: {error}") from error
    try:
        build_from(world, description)
    except WorldError as error:
        raise StartError(f"the world file {path}: {error}") from error


def build_from(world: World, description: Any) -> None:
    """Fill a world from `{"users": […], "bots": […], "guilds": […]}`."""
    _only_known(description, {"users", "bots", "guilds"}, "the world")
    for index, item in enumerate(_items(description, "users", "the world")):
        _only_known(item, {"username", "global_name", "id"}, f"users[{index}]")
        world.add_user(
            _text(item, "username", f"users[{index}]"),
            _optional(item, "global_name", f"users[{index}]"),
            user_id=_id(item, f"users[{index}]"),
        )
    if world.default_user_id is None:
        raise WorldError('users: there must be one at least, e.g. {"username": "ada"}; the page speaks as the first')
    for index, item in enumerate(_items(description, "bots", "the world")):
        _only_known(item, {"username", "token", "id", "privileged_intents"}, f"bots[{index}]")
        world.add_bot(
            _text(item, "username", f"bots[{index}]"),
            token=_optional(item, "token", f"bots[{index}]"),
            user_id=_id(item, f"bots[{index}]"),
            privileged_intents=privileged_from(item.get("privileged_intents")),
            owner_id=world.default_user_id,
        )
    for index, item in enumerate(_items(description, "guilds", "the world")):
        _only_known(item, {"name", "id", "channels", "bots", "members", "count"}, f"guilds[{index}]")
        _add_guilds(world, item, f"guilds[{index}]")


def privileged_from(names: Any) -> int:
    """The mask of privileged intents from their names; every one when None."""
    if names is None:
        return PRIVILEGED
    known = {str(i.name): int(i) for i in Intents if int(i) & PRIVILEGED}
    if not isinstance(names, list) or not all(isinstance(name, str) and name in known for name in names):
        raise WorldError(f"privileged_intents: {names!r} must be a list of some of {', '.join(known)}")
    return sum({known[name] for name in names})


def _add_guilds(world: World, item: Json, where: str) -> None:
    """One guild, or with `count` that many alike, numbered."""
    name = _text(item, "name", where)
    count = item.get("count", 1)
    if not isinstance(count, int) or count < 1:
        raise WorldError(f"{where}.count: {count!r} must be a whole number from 1")
    owner = world.users[world.default_user_id or ""]
    for number in range(count):
        guild = world.add_guild(
            name if count == 1 else f"{name} {number + 1}", owner, guild_id=_id(item, where) if count == 1 else None
        )
        _fill_guild(world, guild, item, where)


def _fill_guild(world: World, guild: Guild, item: Json, where: str) -> None:
    for channel in _items(item, "channels", where) or ["general"]:
        if isinstance(channel, str):
            channel = {"name": channel}
        _only_known(channel, {"name", "id", "type", "topic"}, f"{where}.channels")
        world.add_channel(
            guild,
            _text(channel, "name", f"{where}.channels"),
            _channel_type(channel, f"{where}.channels"),
            topic=_optional(channel, "topic", f"{where}.channels"),
            channel_id=_id(channel, f"{where}.channels"),
        )
    everyone = [user.username for user in world.users.values() if not user.bot]
    bots = [user.username for user in world.users.values() if user.bot]
    let_in = everyone if item.get("members") is None else _items(item, "members", where)
    for username in (*let_in, *(bots if item.get("bots") is None else _items(item, "bots", where))):
        world.add_member(guild, world.user_named(username))


def _only_known(item: Any, known: set[str], where: str) -> None:
    if not isinstance(item, dict):
        raise WorldError(f"{where} must be an object, not {item!r}")
    if unknown := sorted(set(item) - known):
        raise WorldError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _text(item: Json, name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise WorldError(f"{where}.{name} is missing or not a text")
    return value


def _optional(item: Json, name: str, where: str) -> str | None:
    return None if item.get(name) is None else _text(item, name, where)


def _id(item: Json, where: str) -> str | None:
    value = item.get("id")
    if value is not None and not is_snowflake(value):
        raise WorldError(f"{where}.id: {value!r} is not an id; ids are decimal numbers")
    return None if value is None else str(value)


def _items(item: Json, name: str, where: str) -> list[Any]:
    value = item.get(name) or []
    if not isinstance(value, list):
        raise WorldError(f"{where}.{name}: {value!r} must be a list")
    return value


def _channel_type(item: Json, where: str) -> ChannelType:
    value = item.get("type", 0)
    if not isinstance(value, int) or value not in CREATABLE_TYPES:
        raise WorldError(
            f"{where}.type: {value!r} is not one of {', '.join(str(int(t)) for t in sorted(CREATABLE_TYPES))}"
        )
    return ChannelType(value)
