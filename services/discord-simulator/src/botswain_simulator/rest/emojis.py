"""Emojis of guilds and of applications (resources/emoji)."""

import base64
import binascii
import re

from botswain_simulator import payloads
from botswain_simulator.models import Emoji, Json
from botswain_simulator.permissions import Permissions
from botswain_simulator.rest import errors
from botswain_simulator.rest.routing import Context, Reply, Routes

routes = Routes()
_DATA_URI = re.compile(r"data:image/[\w+.-]+;base64,(.*)", re.DOTALL)
_OWN = "/applications/{application_id}/emojis"


def _new(ctx: Context) -> tuple[str, bytes]:
    """Name and picture of an emoji to be."""
    form = ctx.form()
    name = form.text("name", shortest=2, longest=32, required=True)
    image = form.text("image", required=True)
    form.check()
    match = _DATA_URI.fullmatch(image or "")
    try:
        return name or "", base64.b64decode(match[1] if match else "!", validate=True)
    except binascii.Error:
        raise errors.invalid_field("image", "BASE_TYPE_IMAGE", "Must be a data URI: data:image/png;base64,…") from None


def _rename(ctx: Context, emoji: Emoji) -> None:
    form = ctx.form()
    name = form.text("name", shortest=2, longest=32)
    form.check()
    emoji.name = name or emoji.name


def _own(ctx: Context) -> Emoji:
    emoji = ctx.me.emojis.get(ctx.params["emoji_id"])
    if emoji is None or ctx.params["application_id"] != ctx.me.id:
        raise errors.unknown("emoji")
    return emoji


@routes("GET", _OWN)
def list_own(ctx: Context) -> Json:
    return {"items": [payloads.emoji(e, ctx.me.user) for e in ctx.me.emojis.values()]}


@routes("POST", _OWN)
def create_own(ctx: Context) -> Reply:
    name, image = _new(ctx)
    emoji = Emoji(ctx.world.new_id(), name, user_id=ctx.me.id, image=image)
    ctx.me.emojis[emoji.id] = emoji
    return Reply(201, payloads.emoji(emoji, ctx.me.user))


@routes("GET", _OWN + "/{emoji_id}")
def get_own(ctx: Context) -> Json:
    return payloads.emoji(_own(ctx), ctx.me.user)


@routes("PATCH", _OWN + "/{emoji_id}")
def edit_own(ctx: Context) -> Json:
    _rename(ctx, _own(ctx))
    return payloads.emoji(_own(ctx), ctx.me.user)


@routes("DELETE", _OWN + "/{emoji_id}")
def delete_own(ctx: Context) -> None:
    del ctx.me.emojis[_own(ctx).id]


@routes("GET", "/guilds/{guild_id}/emojis")
def list_emojis(ctx: Context) -> list[Json]:
    return [payloads.emoji(e, ctx.world.users.get(e.user_id or "")) for e in ctx.guild().emojis.values()]


@routes("GET", "/guilds/{guild_id}/emojis/{emoji_id}")
def get_emoji(ctx: Context) -> Json:
    emoji = ctx.guild().emojis.get(ctx.params["emoji_id"])
    if emoji is None:
        raise errors.unknown("emoji")
    return payloads.emoji(emoji, ctx.world.users.get(emoji.user_id or ""))


@routes("POST", "/guilds/{guild_id}/emojis")
def create_emoji(ctx: Context) -> Reply:
    guild = ctx.guild(Permissions.MANAGE_GUILD_EXPRESSIONS)
    name, image = _new(ctx)
    emoji = ctx.world.add_emoji(guild, name, image=image, user_id=ctx.me.id)
    return Reply(201, payloads.emoji(emoji, ctx.me.user))


@routes("PATCH", "/guilds/{guild_id}/emojis/{emoji_id}")
def edit_emoji(ctx: Context) -> Json:
    guild = ctx.guild(Permissions.MANAGE_GUILD_EXPRESSIONS)
    payload: Json = get_emoji(ctx)
    emoji = guild.emojis[payload["id"]]
    _rename(ctx, emoji)
    ctx.world.emit_emojis(guild)
    return payloads.emoji(emoji)


@routes("DELETE", "/guilds/{guild_id}/emojis/{emoji_id}")
def delete_emoji(ctx: Context) -> None:
    guild = ctx.guild(Permissions.MANAGE_GUILD_EXPRESSIONS)
    if guild.emojis.pop(ctx.params["emoji_id"], None) is None:
        raise errors.unknown("emoji")
    ctx.world.emit_emojis(guild)
