"""Channels, their permission overwrites, and invites (resources/channel, resources/invite)."""

import secrets

from botswain_simulator import payloads
from botswain_simulator.models import Channel, ChannelType, Guild, Json, Overwrite
from botswain_simulator.permissions import Permissions
from botswain_simulator.rest import errors
from botswain_simulator.rest.forms import Form
from botswain_simulator.rest.routing import Context, Reply, Routes
from botswain_simulator.snowflakes import iso

routes = Routes()

_CREATABLE = (0, 2, 4, 5, 13, 15, 16)
_SETTABLE = (
    "name", "topic", "position", "parent_id", "nsfw", "rate_limit_per_user", "permission_overwrites", "type", "bitrate",
    "user_limit", "rtc_region", "video_quality_mode", "default_auto_archive_duration", "available_tags", "default_reaction_emoji",
    "default_thread_rate_limit_per_user", "default_sort_order", "default_forum_layout", "flags",
)  # fmt: skip
_THREAD_SETTABLE = (
    "name",
    "archived",
    "auto_archive_duration",
    "locked",
    "invitable",
    "rate_limit_per_user",
    "applied_tags",
    "flags",
)


def shown(ctx: Context, channel: Channel) -> Json:
    return payloads.channel(channel, ctx.world.users, ctx.me.id)


@routes("GET", "/channels/{channel_id}")
def get_channel(ctx: Context) -> Json:
    return shown(ctx, ctx.channel())


@routes("PATCH", "/channels/{channel_id}")
def edit_channel(ctx: Context) -> Json:
    channel = ctx.channel()
    if channel.guild_id is None:
        raise errors.ApiError(403, 50003, "Cannot execute action on a DM channel")
    form = ctx.form()
    _check_fields(form)
    form.check()
    if channel.thread is not None:
        own = channel.thread.owner_id == ctx.me.id and not channel.thread.locked
        ctx.channel(0 if own else Permissions.MANAGE_THREADS)
        ctx.world.update_thread(channel, form.present(*_THREAD_SETTABLE))
    else:
        ctx.channel(Permissions.MANAGE_CHANNELS)
        _number_tags(ctx, form.data)
        ctx.world.update_channel(channel, form.present(*_SETTABLE))
    return shown(ctx, channel)


@routes("DELETE", "/channels/{channel_id}")
def delete_channel(ctx: Context) -> Json:
    channel = ctx.channel()
    if channel.guild_id is None:
        return shown(ctx, channel)
    ctx.channel(Permissions.MANAGE_THREADS if channel.thread is not None else Permissions.MANAGE_CHANNELS)
    payload = shown(ctx, channel)
    if channel.thread is not None:
        ctx.world.remove_thread(channel)
    else:
        ctx.world.remove_channel(channel)
    return payload


@routes("GET", "/guilds/{guild_id}/channels")
def list_channels(ctx: Context) -> list[Json]:
    return [payloads.channel(channel) for channel in ctx.guild().channels.values()]


@routes("POST", "/guilds/{guild_id}/channels")
def create_channel(ctx: Context) -> Reply:
    guild = ctx.guild(Permissions.MANAGE_CHANNELS)
    form = ctx.form()
    name = form.text("name", shortest=1, longest=100, required=True)
    type_ = form.choice("type", _CREATABLE)
    _check_fields(form)
    _check_parent(form, guild)
    form.check()
    _number_tags(ctx, form.data)
    extra = {
        key: value
        for key, value in form.present(*_SETTABLE).items()
        if key not in {"name", "type"} and value is not None
    }
    kind = ChannelType(type_ or 0)
    return Reply(201, shown(ctx, ctx.world.add_channel(guild, _slug(name or "", kind), kind, extra=extra)))


@routes("PATCH", "/guilds/{guild_id}/channels")
def move_channels(ctx: Context) -> None:
    guild = ctx.guild(Permissions.MANAGE_CHANNELS)
    for item in ctx.body.data if isinstance(ctx.body.data, list) else []:
        form = Form(item)
        channel = guild.channels.get(form.snowflake("id", required=True) or "")
        form.check()
        if channel is None:
            raise errors.unknown("channel")
        ctx.world.update_channel(
            channel, {k: v for k, v in form.present("position", "parent_id").items() if v is not None}
        )


@routes("PUT", "/channels/{channel_id}/permissions/{overwrite_id}")
def set_permissions(ctx: Context) -> None:
    channel = ctx.channel(Permissions.MANAGE_ROLES)
    form = ctx.form()
    type_ = form.choice("type", (0, 1, "0", "1", "role", "member"), required=True)
    allow, deny = form.integer("allow", lowest=0) or 0, form.integer("deny", lowest=0) or 0
    form.check()
    target = ctx.params["overwrite_id"]
    ctx.world.set_overwrite(channel, Overwrite(target, int(type_ in {1, "1", "member"}), allow, deny), target)


@routes("DELETE", "/channels/{channel_id}/permissions/{overwrite_id}")
def delete_permissions(ctx: Context) -> None:
    ctx.world.set_overwrite(ctx.channel(Permissions.MANAGE_ROLES), None, ctx.params["overwrite_id"])


@routes("POST", "/channels/{channel_id}/invites")
def create_invite(ctx: Context) -> Json:
    channel = ctx.channel(Permissions.CREATE_INSTANT_INVITE)
    guild = ctx.world.guilds.get(channel.guild_id or "")
    if guild is None:
        raise errors.ApiError(403, 50003, "Cannot execute action on a DM channel")
    form = ctx.form()
    age, uses = form.integer("max_age", lowest=0, highest=604_800), form.integer("max_uses", lowest=0, highest=100)
    form.check()
    invite: Json = {
        "type": 0,
        "code": secrets.token_urlsafe(6),
        "guild": {"id": guild.id, "name": guild.name, "icon": guild.icon, "features": [], "splash": None, "banner": None,
                  "description": guild.description, "verification_level": 0, "vanity_url_code": None, "nsfw_level": 0,
                  "premium_subscription_count": 0},
        "channel": {"id": channel.id, "name": channel.name, "type": channel.type},
        "inviter": payloads.user(ctx.me.user),
        "uses": 0, "max_uses": uses or 0, "max_age": 86_400 if age is None else age, "temporary": False,
        "created_at": iso(ctx.world.clock()), "expires_at": None, "flags": 0,
    }  # fmt: skip
    ctx.world.invites[invite["code"]] = invite
    return invite


@routes("GET", "/invites/{code}")
def get_invite(ctx: Context) -> Json:
    if ctx.params["code"] not in ctx.world.invites:
        raise errors.unknown("invite")
    return ctx.world.invites[ctx.params["code"]]


@routes("DELETE", "/invites/{code}")
def delete_invite(ctx: Context) -> Json:
    payload: Json = get_invite(ctx)
    del ctx.world.invites[ctx.params["code"]]
    return payload


@routes("GET", "/channels/{channel_id}/invites")
def list_invites(ctx: Context) -> list[Json]:
    channel = ctx.channel(Permissions.MANAGE_CHANNELS)
    return [invite for invite in ctx.world.invites.values() if invite["channel"]["id"] == channel.id]


@routes("GET", "/guilds/{guild_id}/invites")
def list_guild_invites(ctx: Context) -> list[Json]:
    guild = ctx.guild(Permissions.MANAGE_GUILD)
    return [invite for invite in ctx.world.invites.values() if invite["guild"]["id"] == guild.id]


def _check_fields(form: Form) -> None:
    """The limits that channels and threads share."""
    form.text("name", shortest=1, longest=100)
    form.text("topic", longest=4096)
    form.integer("rate_limit_per_user", lowest=0, highest=21_600)
    form.integer("position", lowest=0)
    form.boolean("nsfw")
    form.boolean("archived")
    form.boolean("locked")
    form.choice("auto_archive_duration", (60, 1440, 4320, 10080))
    for overwrite in form.objects("permission_overwrites") or []:
        overwrite.snowflake("id", required=True)
        overwrite.integer("allow", lowest=0)
        overwrite.integer("deny", lowest=0)
        overwrite.choice("type", (0, 1))


def _check_parent(form: Form, guild: Guild) -> None:
    parent = form.snowflake("parent_id")
    if parent is not None and (
        parent not in guild.channels or guild.channels[parent].type != ChannelType.GUILD_CATEGORY
    ):
        form.complain("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")


def _number_tags(ctx: Context, data: Json | object) -> None:
    """Give a forum's new tags their ids."""
    if isinstance(data, dict):
        for tag in data.get("available_tags") or []:
            if isinstance(tag, dict) and not tag.get("id"):
                tag |= {"id": ctx.world.new_id(), "moderated": bool(tag.get("moderated"))}
                tag.setdefault("emoji_id", None)
                tag.setdefault("emoji_name", None)


def _slug(name: str, kind: ChannelType) -> str:
    """Text channels' names are lower case without blanks, as Discord makes them."""
    textual = kind in {
        ChannelType.GUILD_TEXT,
        ChannelType.GUILD_ANNOUNCEMENT,
        ChannelType.GUILD_FORUM,
        ChannelType.GUILD_MEDIA,
    }
    return "-".join(name.lower().split()) if textual else name
