"""Webhooks: their CRUD, and writing through them (resources/webhook).

`/webhooks/{application id}/{interaction token}` has the same form; which of the two a path means is decided here.
"""

from botswain_simulator import payloads
from botswain_simulator.models import Channel, Interaction, Json, Message, Webhook
from botswain_simulator.permissions import Permissions
from botswain_simulator.rest import drafts, errors, interactions
from botswain_simulator.rest.routing import Context, Reply, Routes
from botswain_simulator.world import rendering

routes = Routes()
_TOKEN = "/webhooks/{webhook_id}/{webhook_token}"  # noqa: S105 - a path
_MESSAGE = _TOKEN + "/messages/{message}"


def _shown(ctx: Context, hook: Webhook) -> Json:
    return payloads.webhook(hook, ctx.world.users.get(hook.creator_id), ctx.world.links)


def _own(ctx: Context) -> Webhook:
    """The webhook of the path, for a bot that may manage it."""
    hook = ctx.world.webhooks.get(ctx.params["webhook_id"])
    if hook is None:
        raise errors.unknown("webhook")
    ctx.channel(Permissions.MANAGE_WEBHOOKS, hook.channel_id)
    return hook


def _by_token(ctx: Context) -> Webhook | Interaction:
    """What the id and token of the path stand for."""
    hook = ctx.world.webhooks.get(ctx.params["webhook_id"])
    if hook is not None:
        if hook.token != ctx.params["webhook_token"]:
            raise errors.ApiError(401, 50027, "Invalid Webhook Token")
        return hook
    interaction = ctx.world.interaction_by_token(ctx.params["webhook_id"], ctx.params["webhook_token"])
    if interaction is not None:
        return interaction
    if ctx.params["webhook_id"] in ctx.world.applications:
        raise errors.ApiError(401, 50027, "Invalid Webhook Token")
    raise errors.unknown("webhook")


def _hook_by_token(ctx: Context) -> Webhook:
    found = _by_token(ctx)
    if isinstance(found, Interaction):
        raise errors.unknown("webhook")
    return found


@routes("POST", "/channels/{channel_id}/webhooks")
def create(ctx: Context) -> Json:
    channel = ctx.channel(Permissions.MANAGE_WEBHOOKS)
    form = ctx.form()
    name = form.text("name", shortest=1, longest=80, required=True)
    form.check()
    return _shown(ctx, ctx.world.add_webhook(channel, ctx.me.user, name or ""))


@routes("GET", "/channels/{channel_id}/webhooks")
def list_in_channel(ctx: Context) -> list[Json]:
    channel = ctx.channel(Permissions.MANAGE_WEBHOOKS)
    return [_shown(ctx, hook) for hook in ctx.world.webhooks.values() if hook.channel_id == channel.id]


@routes("GET", "/guilds/{guild_id}/webhooks")
def list_in_guild(ctx: Context) -> list[Json]:
    guild = ctx.guild(Permissions.MANAGE_WEBHOOKS)
    return [_shown(ctx, hook) for hook in ctx.world.webhooks.values() if hook.guild_id == guild.id]


@routes("GET", "/webhooks/{webhook_id}")
def get(ctx: Context) -> Json:
    return _shown(ctx, _own(ctx))


@routes("GET", _TOKEN, needs_bot=False)
def get_by_token(ctx: Context) -> Json:
    return payloads.webhook(_hook_by_token(ctx), None, ctx.world.links)


@routes("PATCH", "/webhooks/{webhook_id}")
def edit(ctx: Context) -> Json:
    hook = _own(ctx)
    _change(ctx, hook)
    return _shown(ctx, hook)


@routes("PATCH", _TOKEN, needs_bot=False)
def edit_by_token(ctx: Context) -> Json:
    hook = _hook_by_token(ctx)
    _change(ctx, hook)
    return payloads.webhook(hook, None, ctx.world.links)


def _change(ctx: Context, hook: Webhook) -> None:
    form = ctx.form()
    name, channel_id = form.text("name", shortest=1, longest=80), form.snowflake("channel_id")
    form.check()
    ctx.world.update_webhook(hook, name=name, channel_id=channel_id)


@routes("DELETE", "/webhooks/{webhook_id}")
def delete(ctx: Context) -> None:
    ctx.world.remove_webhook(_own(ctx))


@routes("DELETE", _TOKEN, needs_bot=False)
def delete_by_token(ctx: Context) -> None:
    ctx.world.remove_webhook(_hook_by_token(ctx))


@routes("POST", _TOKEN, needs_bot=False)
def execute(ctx: Context) -> Reply | None:
    """Write through a webhook (204, or the message with `wait=true`) or follow up on an interaction (always the
    message).
    """
    found = _by_token(ctx)
    if isinstance(found, Interaction):
        return Reply(200, interactions.follow_up(ctx, found))
    channel = _place(ctx, found)
    form = ctx.form()
    username = form.text("username", shortest=1, longest=80)
    form.check()
    ctx.bot = ctx.world.applications.get(found.application_id or "")
    message = ctx.world.execute_webhook(found, channel, drafts.read_draft(ctx, channel), username)
    if ctx.query.get("wait", "").lower() not in {"true", "1"}:
        return None
    return Reply(200, rendering.message(ctx.world, message, viewer_id=None, links=ctx.world.links))


@routes("GET", _MESSAGE, needs_bot=False)
def get_message(ctx: Context) -> Json:
    message, _, _ = _message(ctx)
    return rendering.message(ctx.world, message, viewer_id=None, links=ctx.world.links)


@routes("PATCH", _MESSAGE, needs_bot=False)
def edit_message(ctx: Context) -> Json:
    message, channel, found = _message(ctx)
    if isinstance(found, Interaction):
        return interactions.edit(ctx, found)
    draft, fields = drafts.read_edit(ctx, channel, message)
    ctx.world.edit(channel, message, draft, fields)
    return rendering.message(ctx.world, message, viewer_id=None, links=ctx.world.links)


@routes("DELETE", _MESSAGE, needs_bot=False)
def delete_message(ctx: Context) -> None:
    message, channel, _ = _message(ctx)
    ctx.world.delete(channel, message)


def _message(ctx: Context) -> tuple[Message, Channel, Webhook | Interaction]:
    found = _by_token(ctx)
    if isinstance(found, Interaction):
        return interactions.own_message(ctx, found), ctx.world.channels[found.channel_id], found
    channel = _place(ctx, found)
    message = channel.messages.get(ctx.params["message"])
    if message is None or message.webhook_id != found.id:
        raise errors.unknown("message")
    return message, channel, found


def _place(ctx: Context, hook: Webhook) -> Channel:
    """Where a webhook writes: its channel, or a thread of it with `thread_id`."""
    thread_id = ctx.query.get("thread_id")
    channel = ctx.world.channels.get(thread_id or hook.channel_id)
    if channel is None or (thread_id and channel.parent_id != hook.channel_id):
        raise errors.unknown("channel")
    return channel
