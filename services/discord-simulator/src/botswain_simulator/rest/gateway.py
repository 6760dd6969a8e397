"""Where the gateway is, and what may still connect to it (events/gateway, "Get Gateway", "Get Gateway Bot")."""

from botswain_simulator import payloads
from botswain_simulator.models import Json
from botswain_simulator.rest.routing import Context, Routes

routes = Routes()
_GUILDS_PER_RECOMMENDED_SHARD = 1000


def _url(ctx: Context) -> str:
    return ctx.origin.replace("http", "ws", 1)


@routes("GET", "/gateway", needs_bot=False)
def get_gateway(ctx: Context) -> Json:
    return {"url": _url(ctx)}


@routes("GET", "/gateway/bot")
def get_gateway_bot(ctx: Context) -> Json:
    hub, bot = ctx.hub, ctx.me
    return {
        "url": _url(ctx),
        "shards": len(ctx.world.guilds_of(bot.id)) // _GUILDS_PER_RECOMMENDED_SHARD + 1,
        "session_start_limit": {
            "total": hub.budget.total,
            "remaining": hub.budget.remaining(bot.id),
            "reset_after": hub.budget.reset_after_ms(bot.id),
            "max_concurrency": hub.buckets.max_concurrency,
        },
    }


@routes("GET", "/applications/@me")
@routes("GET", "/oauth2/applications/@me")
def get_application(ctx: Context) -> Json:
    owner = ctx.world.users.get(ctx.me.owner_id or "")
    return payloads.application(ctx.me, owner, len(ctx.world.guilds_of(ctx.me.id)))


@routes("PATCH", "/applications/@me")
def edit_application(ctx: Context) -> Json:
    description = ctx.form().text("description", longest=400)
    ctx.me.description = ctx.me.description if description is None else description
    result: Json = get_application(ctx)
    return result


@routes("GET", "/oauth2/@me")
def get_authorization(ctx: Context) -> Json:
    return {
        "application": get_application(ctx),
        "scopes": ["bot"],
        "expires": "2100-01-01T00:00:00+00:00",
        "user": payloads.user(ctx.me.user),
    }
