"""Reactions (resources/message, "Create Reaction" and following)."""

import unicodedata

from botswain_simulator import payloads
from botswain_simulator.models import Channel, Json, Message
from botswain_simulator.permissions import Permissions
from botswain_simulator.rest import errors
from botswain_simulator.rest.routing import Context, Routes
from botswain_simulator.snowflakes import is_snowflake
from botswain_simulator.world import World

routes = Routes()
MAX_KINDS = 20
_BASE = "/channels/{channel_id}/messages/{message_id}/reactions"


def parse_emoji(world: World, text: str) -> Json | None:
    """The emoji a path segment names, a Unicode one or `name:id`; None when there is no such emoji."""
    name, _, emoji_id = text.strip("<>").removeprefix("a:").rpartition(":")
    if name and is_snowflake(emoji_id):
        tables = (*(g.emojis for g in world.guilds.values()), *(a.emojis for a in world.applications.values()))
        known = next((table[emoji_id] for table in tables if emoji_id in table), None)
        if known is None:
            return None
        return {"id": known.id, "name": known.name} | ({"animated": True} if known.animated else {})
    return {"id": None, "name": text} if _is_unicode_emoji(text) else None


def _is_unicode_emoji(text: str) -> bool:
    """A rough check: symbols, flags and keycaps, no letters or other text."""
    if not 0 < len(text) <= 32:
        return False
    if text.endswith("\u20e3"):
        return True
    categories = {unicodedata.category(character) for character in text}
    return (
        bool(categories & {"So", "Sm", "Po", "Sk", "Cn"})
        and not text.isascii()
        and not categories & {"Lu", "Ll", "Lt", "Lo", "Zs"}
    )


def _target(ctx: Context, permission: int = 0) -> tuple[Channel, Message]:
    channel = ctx.channel(permission)
    return channel, ctx.message(channel)


def _emoji(ctx: Context) -> Json:
    emoji = parse_emoji(ctx.world, ctx.params["emoji"])
    if emoji is None:
        raise errors.ApiError(400, 10014, "Unknown Emoji")
    return emoji


@routes("PUT", _BASE + "/{emoji}/@me", bucket="reactions")
def add_reaction(ctx: Context) -> None:
    channel, message = _target(ctx, Permissions.READ_MESSAGE_HISTORY)
    emoji = _emoji(ctx)
    if (emoji["id"] or emoji["name"]) not in message.reactions:
        ctx.channel(Permissions.ADD_REACTIONS)
        if len(message.reactions) >= MAX_KINDS:
            raise errors.ApiError(400, 30010, f"Maximum number of reactions reached ({MAX_KINDS})")
    ctx.world.react(channel, message, ctx.me.user, emoji)


@routes("DELETE", _BASE + "/{emoji}/@me", bucket="reactions")
def remove_own(ctx: Context) -> None:
    channel, message = _target(ctx)
    ctx.world.unreact(channel, message, ctx.me.user, _emoji(ctx))


@routes("DELETE", _BASE + "/{emoji}/{user_id}", bucket="reactions")
def remove_of(ctx: Context) -> None:
    user = ctx.user(ctx.params["user_id"])
    channel, message = _target(ctx, 0 if user is ctx.me.user else Permissions.MANAGE_MESSAGES)
    ctx.world.unreact(channel, message, user, _emoji(ctx))


@routes("GET", _BASE + "/{emoji}")
def list_users(ctx: Context) -> list[Json]:
    _, message = _target(ctx)
    emoji = _emoji(ctx)
    form = ctx.query_form()
    limit = form.integer("limit", lowest=1, highest=100) or 25
    after = form.snowflake("after")
    form.check()
    reaction = message.reactions.get(emoji["id"] or emoji["name"])
    if reaction is None:
        return []
    ids = sorted(reaction.users, key=int)
    return [payloads.user(ctx.world.users[uid]) for uid in ids if after is None or int(uid) > int(after)][:limit]


@routes("DELETE", _BASE)
def clear_all(ctx: Context) -> None:
    ctx.world.clear_reactions(*_target(ctx, Permissions.MANAGE_MESSAGES))


@routes("DELETE", _BASE + "/{emoji}")
def clear_one(ctx: Context) -> None:
    ctx.world.clear_reactions(*_target(ctx, Permissions.MANAGE_MESSAGES), _emoji(ctx))
