"""Users and direct conversations (resources/user)."""

from botswain_simulator import payloads
from botswain_simulator.models import Json, Member
from botswain_simulator.permissions import guild_permissions
from botswain_simulator.rest import errors
from botswain_simulator.rest.routing import Context, Routes

routes = Routes()


@routes("GET", "/users/@me")
def get_current(ctx: Context) -> Json:
    return payloads.current_user(ctx.me.user)


@routes("PATCH", "/users/@me")
def edit_current(ctx: Context) -> Json:
    form = ctx.form()
    username = form.text("username", shortest=2, longest=32)
    form.check()
    ctx.world.update_user(ctx.me.user, username=username)
    return payloads.current_user(ctx.me.user)


@routes("GET", "/users/{user_id}")
def get_user(ctx: Context) -> Json:
    return payloads.user(ctx.user(ctx.params["user_id"]))


@routes("GET", "/users/@me/guilds")
def list_guilds(ctx: Context) -> list[Json]:
    form = ctx.query_form()
    limit = form.integer("limit", lowest=1, highest=200) or 200
    before, after = form.snowflake("before"), form.snowflake("after")
    form.check()
    guilds = sorted(ctx.world.guilds_of(ctx.me.id), key=lambda guild: int(guild.id))
    chosen = [
        g for g in guilds if (before is None or int(g.id) < int(before)) and (after is None or int(g.id) > int(after))
    ]
    chosen = chosen[-limit:] if before is not None and after is None else chosen[:limit]
    counts = ctx.query.get("with_counts", "").lower() in {"true", "1"}
    return [
        {
            "id": guild.id,
            "name": guild.name,
            "icon": guild.icon,
            "banner": None,
            "owner": guild.owner_id == ctx.me.id,
            "permissions": str(guild_permissions(guild, guild.members[ctx.me.id])),
            "features": [],
        }
        | ({"approximate_member_count": len(guild.members), "approximate_presence_count": 1} if counts else {})
        for guild in chosen
    ]


@routes("GET", "/users/@me/guilds/{guild_id}/member")
def get_own_member(ctx: Context) -> Json:
    member: Member = ctx.guild().members[ctx.me.id]
    return payloads.member(member)


@routes("DELETE", "/users/@me/guilds/{guild_id}")
def leave_guild(ctx: Context) -> None:
    ctx.world.remove_member(ctx.guild(), ctx.me.user)


@routes("GET", "/users/@me/channels")
def list_direct(_ctx: Context) -> list[Json]:
    """Always empty for bots, as with Discord."""
    return []


@routes("POST", "/users/@me/channels")
def open_direct(ctx: Context) -> Json:
    form = ctx.form()
    recipient = form.snowflake("recipient_id", required="recipients" not in form)
    listed = form.snowflakes("recipients", longest=1) or []
    form.check()
    user = ctx.world.users.get(recipient or (listed[0] if listed else ""))
    if user is None:
        raise errors.unknown("user")
    if user is ctx.me.user:
        raise errors.ApiError(400, 50033, "Invalid Recipient(s)")
    return payloads.channel(ctx.world.open_direct(ctx.me.user, user), ctx.world.users, ctx.me.id)
