"""What clients ask for and the simulator has none of: shops, sounds, stickers, events, templates.

An honest empty answer, in Discord's shape, keeps clients going that fetch these at their start. Making any of it is
answered with the plain 404 or 405 of a route that is not there.
"""

from botswain_simulator.models import Json
from botswain_simulator.rest import errors
from botswain_simulator.rest.routing import Context, Routes

routes = Routes()


@routes("GET", "/voice/regions")
def list_voice_regions(_ctx: Context) -> list[Json]:
    return [{"id": "us-east", "name": "US East", "optimal": True, "deprecated": False, "custom": False}]


@routes("GET", "/sticker-packs")
def list_sticker_packs(_ctx: Context) -> Json:
    return {"sticker_packs": []}


@routes("GET", "/stickers/{sticker_id}")
@routes("GET", "/guilds/{guild_id}/stickers/{sticker_id}")
def get_sticker(_ctx: Context) -> Json:
    raise errors.unknown("sticker")


@routes("GET", "/soundboard-default-sounds")
@routes("GET", "/users/@me/connections")
@routes("GET", "/applications/{application_id}/entitlements")
@routes("GET", "/applications/{application_id}/skus")
@routes("GET", "/applications/{application_id}/role-connections/metadata")
def list_nothing(_ctx: Context) -> list[Json]:
    return []


@routes("GET", "/guilds/{guild_id}/stickers")
@routes("GET", "/guilds/{guild_id}/scheduled-events")
@routes("GET", "/guilds/{guild_id}/integrations")
@routes("GET", "/guilds/{guild_id}/auto-moderation/rules")
@routes("GET", "/guilds/{guild_id}/templates")
@routes("GET", "/guilds/{guild_id}/regions")
def list_nothing_of_a_guild(ctx: Context) -> list[Json]:
    ctx.guild()
    return []


@routes("GET", "/guilds/{guild_id}/soundboard-sounds")
def list_sounds(ctx: Context) -> Json:
    ctx.guild()
    return {"items": []}


@routes("GET", "/guilds/{guild_id}/audit-logs")
def get_audit_log(ctx: Context) -> Json:
    ctx.guild()
    names = (
        "application_commands", "audit_log_entries", "auto_moderation_rules", "guild_scheduled_events", "integrations",
        "threads", "users", "webhooks",
    )  # fmt: skip
    return {name: [] for name in names}


@routes("GET", "/guilds/{guild_id}/onboarding")
def get_onboarding(ctx: Context) -> Json:
    guild = ctx.guild()
    return {"guild_id": guild.id, "prompts": [], "default_channel_ids": [], "enabled": False, "mode": 0}


@routes("GET", "/guilds/{guild_id}/welcome-screen")
def get_welcome_screen(ctx: Context) -> Json:
    ctx.guild()
    return {"description": None, "welcome_channels": []}


@routes("GET", "/guilds/{guild_id}/widget")
def get_widget(ctx: Context) -> Json:
    ctx.guild()
    return {"enabled": False, "channel_id": None}


@routes("GET", "/guilds/{guild_id}/prune")
def count_prunable(ctx: Context) -> Json:
    ctx.guild()
    return {"pruned": 0}


@routes("GET", "/guilds/{guild_id}/roles/member-counts")
def count_role_members(ctx: Context) -> dict[str, int]:
    guild = ctx.guild()
    return {role_id: sum(role_id in m.roles for m in guild.members.values()) for role_id in guild.roles}
