"""Guilds, their members, roles and bans (resources/guild)."""

from botswain_simulator import payloads
from botswain_simulator.models import Guild, Json, Member, Role, User
from botswain_simulator.permissions import EVERYONE_DEFAULT, Permissions
from botswain_simulator.rest import errors
from botswain_simulator.rest.forms import Form
from botswain_simulator.rest.routing import Context, Routes

routes = Routes()
_GUILD_NUMBERS = ("verification_level", "default_message_notifications", "explicit_content_filter", "afk_timeout")
_GUILD_CHANNELS = ("afk_channel_id", "system_channel_id", "rules_channel_id", "public_updates_channel_id")


@routes("GET", "/guilds/{guild_id}")
def get_guild(ctx: Context) -> Json:
    guild = ctx.guild()
    payload = payloads.guild(guild)
    if ctx.query.get("with_counts", "").lower() in {"true", "1"}:
        online = sum(member.user.online for member in guild.members.values())
        payload |= {"approximate_member_count": len(guild.members), "approximate_presence_count": online}
    return payload


@routes("PATCH", "/guilds/{guild_id}")
def edit_guild(ctx: Context) -> Json:
    guild = ctx.guild(Permissions.MANAGE_GUILD)
    form = ctx.form()
    texts, numbers, ids = ("name", "description", "preferred_locale"), _GUILD_NUMBERS, _GUILD_CHANNELS
    changes: Json = {name: form.text(name, longest=100 if name == "name" else 300) for name in texts}
    changes |= {name: form.integer(name, lowest=0, highest=3600) for name in numbers}
    changes |= {name: form.snowflake(name) for name in ids}
    form.check()
    ctx.world.update_guild(guild, {name: value for name, value in changes.items() if value is not None})
    return payloads.guild(guild)


@routes("GET", "/guilds/{guild_id}/preview")
def get_preview(ctx: Context) -> Json:
    guild = ctx.guild()
    return {
        "id": guild.id, "name": guild.name, "icon": guild.icon, "splash": None, "discovery_splash": None, "features": [],
        "emojis": [payloads.emoji(e) for e in guild.emojis.values()], "stickers": [], "description": guild.description,
        "approximate_member_count": len(guild.members), "approximate_presence_count": len(guild.members),
    }  # fmt: skip


@routes("GET", "/guilds/{guild_id}/members")
def list_members(ctx: Context) -> list[Json]:
    guild = ctx.guild()
    if not ctx.me.privileged_intents & 2:
        raise errors.missing_access()
    form = ctx.query_form()
    limit = form.integer("limit", lowest=1, highest=1000) or 1
    after = form.snowflake("after") or "0"
    form.check()
    ids = sorted((uid for uid in guild.members if int(uid) > int(after)), key=int)
    return [payloads.member(guild.members[uid]) for uid in ids[:limit]]


@routes("GET", "/guilds/{guild_id}/members/search")
def search_members(ctx: Context) -> list[Json]:
    guild = ctx.guild()
    form = ctx.query_form()
    limit = form.integer("limit", lowest=1, highest=1000) or 1
    query = (form.text("query", required=True) or "").lower()
    form.check()
    return [
        payloads.member(m) for m in guild.members.values() if (m.nick or m.user.username).lower().startswith(query)
    ][:limit]


@routes("GET", "/guilds/{guild_id}/members/{user_id}")
def get_member(ctx: Context) -> Json:
    return payloads.member(_member(ctx, ctx.guild()))


@routes("PATCH", "/guilds/{guild_id}/members/{user_id}")
def edit_member(ctx: Context) -> Json:
    guild = ctx.guild()
    member = _member(ctx, guild)
    form = ctx.form()
    form.text("nick", longest=32)
    form.snowflakes("roles")
    form.text("communication_disabled_until")
    form.check()
    own = member.user is ctx.me.user
    needed = {"nick": Permissions.CHANGE_NICKNAME if own else Permissions.MANAGE_NICKNAMES, "roles": Permissions.MANAGE_ROLES,
              "communication_disabled_until": Permissions.MODERATE_MEMBERS}  # fmt: skip
    for name, permission in needed.items():
        if name in form:
            ctx.guild(permission)
    ctx.world.update_member(guild, member, form.present(*needed))
    return payloads.member(member)


@routes("PATCH", "/guilds/{guild_id}/members/@me/nick")
def edit_own_nick(ctx: Context) -> Json:
    edit_own_member(ctx)
    return {"nick": ctx.guild().members[ctx.me.id].nick}


@routes("PATCH", "/guilds/{guild_id}/members/@me")
def edit_own_member(ctx: Context) -> Json:
    ctx.params["user_id"] = ctx.me.id
    payload: Json = edit_member(ctx)
    return payload


@routes("DELETE", "/guilds/{guild_id}/members/{user_id}")
def kick(ctx: Context) -> None:
    guild = ctx.guild(Permissions.KICK_MEMBERS)
    ctx.world.remove_member(guild, _not_the_owner(guild, _member(ctx, guild).user))


@routes("PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}")
def give_role(ctx: Context) -> None:
    guild = ctx.guild(Permissions.MANAGE_ROLES)
    member, role = _member(ctx, guild), _role(ctx, guild)
    if role.id not in member.roles:
        ctx.world.update_member(guild, member, {"roles": [*member.roles, role.id]})


@routes("DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}")
def take_role(ctx: Context) -> None:
    guild = ctx.guild(Permissions.MANAGE_ROLES)
    member, role = _member(ctx, guild), _role(ctx, guild)
    ctx.world.update_member(guild, member, {"roles": [held for held in member.roles if held != role.id]})


@routes("GET", "/guilds/{guild_id}/roles")
def list_roles(ctx: Context) -> list[Json]:
    return [payloads.role(role) for role in ctx.guild().roles.values()]


@routes("GET", "/guilds/{guild_id}/roles/{role_id}")
def get_role(ctx: Context) -> Json:
    return payloads.role(_role(ctx, ctx.guild()))


@routes("POST", "/guilds/{guild_id}/roles")
def create_role(ctx: Context) -> Json:
    guild = ctx.guild(Permissions.MANAGE_ROLES)
    changes = _role_changes(ctx)
    role = ctx.world.add_role(
        guild, changes.pop("name", None) or "new role", changes.pop("permissions", EVERYONE_DEFAULT)
    )
    if changes:
        ctx.world.update_role(guild, role, changes)
    return payloads.role(role)


@routes("PATCH", "/guilds/{guild_id}/roles/{role_id}")
def edit_role(ctx: Context) -> Json:
    guild = ctx.guild(Permissions.MANAGE_ROLES)
    role = _role(ctx, guild)
    ctx.world.update_role(guild, role, _role_changes(ctx))
    return payloads.role(role)


@routes("PATCH", "/guilds/{guild_id}/roles")
def move_roles(ctx: Context) -> list[Json]:
    guild = ctx.guild(Permissions.MANAGE_ROLES)
    for item in ctx.body.data if isinstance(ctx.body.data, list) else []:
        role = guild.roles.get(str(item.get("id")) if isinstance(item, dict) else "")
        if role is None:
            raise errors.unknown("role")
        position = Form(item).integer("position", lowest=0)
        ctx.world.update_role(guild, role, {"position": position})
    return [payloads.role(role) for role in guild.roles.values()]


@routes("DELETE", "/guilds/{guild_id}/roles/{role_id}")
def delete_role(ctx: Context) -> None:
    guild = ctx.guild(Permissions.MANAGE_ROLES)
    role = _role(ctx, guild)
    if role.managed or role.id == guild.id:
        raise errors.ApiError(400, 50028, "Invalid role")
    ctx.world.remove_role(guild, role)


@routes("GET", "/guilds/{guild_id}/bans")
def list_bans(ctx: Context) -> list[Json]:
    guild = ctx.guild(Permissions.BAN_MEMBERS)
    return [{"user": payloads.user(ctx.world.users[uid]), "reason": reason} for uid, reason in guild.bans.items()]


@routes("GET", "/guilds/{guild_id}/bans/{user_id}")
def get_ban(ctx: Context) -> Json:
    guild = ctx.guild(Permissions.BAN_MEMBERS)
    user = ctx.user(ctx.params["user_id"])
    if user.id not in guild.bans:
        raise errors.unknown("ban")
    return {"user": payloads.user(user), "reason": guild.bans[user.id]}


@routes("PUT", "/guilds/{guild_id}/bans/{user_id}")
def ban(ctx: Context) -> None:
    guild = ctx.guild(Permissions.BAN_MEMBERS)
    ctx.world.ban(guild, _not_the_owner(guild, ctx.user(ctx.params["user_id"])), None)


@routes("DELETE", "/guilds/{guild_id}/bans/{user_id}")
def unban(ctx: Context) -> None:
    guild = ctx.guild(Permissions.BAN_MEMBERS)
    user = ctx.user(ctx.params["user_id"])
    if user.id not in guild.bans:
        raise errors.unknown("ban")
    ctx.world.unban(guild, user)


def _member(ctx: Context, guild: Guild) -> Member:
    member = guild.members.get(ctx.user(ctx.params["user_id"]).id)
    if member is None:
        raise errors.unknown("member")
    return member


def _role(ctx: Context, guild: Guild) -> Role:
    role = guild.roles.get(ctx.params["role_id"])
    if role is None:
        raise errors.unknown("role")
    return role


def _not_the_owner(guild: Guild, user: User) -> User:
    if user.id == guild.owner_id:
        raise errors.missing_permissions()
    return user


def _role_changes(ctx: Context) -> Json:
    form = ctx.form()
    changes: Json = {
        "name": form.text("name", longest=100),
        "permissions": form.integer("permissions", lowest=0, highest=2**63 - 1),
        "color": form.integer("color", lowest=0, highest=0xFFFFFF),
        "hoist": form.boolean("hoist"),
        "mentionable": form.boolean("mentionable"),
    }
    if (colors := form.object("colors")) and changes["color"] is None:
        changes["color"] = colors.integer("primary_color", lowest=0, highest=0xFFFFFF)
    form.check()
    return {name: value for name, value in changes.items() if value is not None}
