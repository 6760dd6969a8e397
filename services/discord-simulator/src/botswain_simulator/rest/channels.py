"""Channels, their permission overwrites, and invites (resources/channel, resources/invite)."""

import secrets

from botswain_simulator import payloads
from botswain_simulator.models import CREATABLE_TYPES, Channel, ChannelType, Guild, Json, Overwrite
from botswain_simulator.permissions import Permissions
from botswain_simulator.rest import errors
from botswain_simulator.rest.forms import Form
from botswain_simulator.rest.routing import Context, Reply, Routes
from botswain_simulator.snowflakes import iso

routes = Routes()

_LIMITS: dict[str, tuple[int, int]] = {
    "position": (0, 2**31 - 1), "rate_limit_per_user": (0, 21_600), "bitrate": (8000, 384_000), "user_limit": (0, 10_000),
    "video_quality_mode": (1, 2), "default_thread_rate_limit_per_user": (0, 21_600), "default_sort_order": (0, 1),
    "default_forum_layout": (0, 2), "flags": (0, 2**31 - 1), "type": (0, 16),
}  # fmt: skip
_DURATIONS = (60, 1440, 4320, 10080)


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
    changes = _read_channel(ctx, form) if channel.thread is None else _read_thread(form)
    form.check()
    if channel.thread is not None:
        own = channel.thread.owner_id == ctx.me.id and not channel.thread.locked
        ctx.channel(0 if own else Permissions.MANAGE_THREADS)
        ctx.world.update_thread(channel, changes)
    else:
        ctx.channel(Permissions.MANAGE_CHANNELS)
        ctx.world.update_channel(channel, changes)
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
    type_ = form.choice("type", sorted(CREATABLE_TYPES))
    extra = _read_channel(ctx, form)
    _check_parent(form, guild)
    form.check()
    extra = {key: value for key, value in extra.items() if key not in {"name", "type"} and value is not None}
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
    allow, deny = (form.integer(name, lowest=0, highest=2**63 - 1) or 0 for name in ("allow", "deny"))
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


def _read_channel(ctx: Context, form: Form) -> Json:
    """What a body sets of a channel, in its own types; complaints are the caller's to raise."""
    values: Json = {name: form.integer(name, lowest=low, highest=high) for name, (low, high) in _LIMITS.items()}
    values |= {
        "name": form.text("name", shortest=1, longest=100),
        "topic": form.text("topic", longest=4096),
        "rtc_region": form.text("rtc_region"),
        "nsfw": form.boolean("nsfw"),
        "parent_id": form.snowflake("parent_id"),
        "default_auto_archive_duration": form.choice("default_auto_archive_duration", _DURATIONS),
        "permission_overwrites": [_overwrite(item) for item in form.objects("permission_overwrites") or []],
        "available_tags": [_tag(ctx, item) for item in form.objects("available_tags", longest=20) or []],
        "default_reaction_emoji": dict(part.data) if (part := form.object("default_reaction_emoji")) else None,
    }
    return {name: value for name, value in values.items() if name in form and (value is not None or name in _NULLABLE)}


_NULLABLE = {"topic", "parent_id", "rtc_region", "default_reaction_emoji", "default_auto_archive_duration"}


def _read_thread(form: Form) -> Json:
    values: Json = {
        "name": form.text("name", shortest=1, longest=100),
        "rate_limit_per_user": form.integer("rate_limit_per_user", lowest=0, highest=21_600),
        "auto_archive_duration": form.choice("auto_archive_duration", _DURATIONS),
        "applied_tags": form.snowflakes("applied_tags", longest=5),
    }
    values |= {name: form.boolean(name) for name in ("archived", "locked", "invitable")}
    return {name: value for name, value in values.items() if value is not None}


def _overwrite(form: Form) -> Json:
    return {
        "id": form.snowflake("id", required=True),
        "type": int(form.choice("type", (0, 1, "role", "member")) in {1, "member"}),
        "allow": form.integer("allow", lowest=0, highest=2**63 - 1) or 0,
        "deny": form.integer("deny", lowest=0, highest=2**63 - 1) or 0,
    }


def _tag(ctx: Context, form: Form) -> Json:
    """A forum's tag; a new one gets its id."""
    return {
        "id": form.snowflake("id") or ctx.world.new_id(),
        "name": form.text("name", longest=20, required=True),
        "moderated": form.boolean("moderated") or False,
        "emoji_id": form.snowflake("emoji_id"),
        "emoji_name": form.text("emoji_name"),
    }


def _check_parent(form: Form, guild: Guild) -> None:
    parent = form.snowflake("parent_id")
    if parent is not None and (
        parent not in guild.channels or guild.channels[parent].type != ChannelType.GUILD_CATEGORY
    ):
        form.complain("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")


def _slug(name: str, kind: ChannelType) -> str:
    """Text channels' names are lower case without blanks, as Discord makes them."""
    textual = kind in {
        ChannelType.GUILD_TEXT,
        ChannelType.GUILD_ANNOUNCEMENT,
        ChannelType.GUILD_FORUM,
        ChannelType.GUILD_MEDIA,
    }
    return "-".join(name.lower().split()) if textual else name
