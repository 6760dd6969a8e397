"""Messages, pins and typing (resources/message, resources/channel)."""

from botswain_simulator.models import MESSAGE_CHANNEL_TYPES, WRITTEN, Channel, Json, Message
from botswain_simulator.permissions import Permissions
from botswain_simulator.rest import drafts, errors
from botswain_simulator.rest.routing import Context, Routes
from botswain_simulator.snowflakes import created_ms, iso
from botswain_simulator.world import rendering

routes = Routes()

_BULK_MAX_AGE_MS = 14 * 24 * 3600 * 1000
MAX_PINS = 250


def shown(ctx: Context, message: Message, *, with_nonce: bool = False) -> Json:
    """A message as the asking bot may see it. Discord gives the nonce back to the sender alone, not in later reads."""
    payload = rendering.message_for_bot(ctx.world, message, ctx.me.id, ctx.me.privileged_intents)
    if with_nonce and message.nonce is not None:
        payload["nonce"] = message.nonce
    return payload


def speaking_channel(ctx: Context, channel_id: str | None = None) -> Channel:
    """The channel of the path, if the bot may write there."""
    channel = ctx.channel(channel_id=channel_id)
    needed = Permissions.SEND_MESSAGES_IN_THREADS if channel.thread is not None else Permissions.SEND_MESSAGES
    if needed & ~ctx.world.permissions_in(channel, ctx.me.id):
        raise errors.missing_permissions()
    if channel.type not in MESSAGE_CHANNEL_TYPES:
        raise errors.ApiError(400, 50008, "Cannot send messages in a non-text channel")
    if channel.thread is not None and channel.thread.archived and channel.thread.locked:
        raise errors.ApiError(400, 50083, "Thread is archived")
    if channel.guild_id is None and all(ctx.world.users[uid].bot for uid in channel.recipients):
        raise errors.ApiError(403, 50007, "Cannot send messages to this user")
    return channel


@routes("GET", "/channels/{channel_id}/messages")
def list_messages(ctx: Context) -> list[Json]:
    channel = ctx.channel()
    form = ctx.query_form()
    limit = form.integer("limit", lowest=1, highest=100)
    before, after, around = (form.snowflake(name) for name in ("before", "after", "around"))
    form.check()
    if not ctx.world.permissions_in(channel, ctx.me.id) & Permissions.READ_MESSAGE_HISTORY:
        return []
    found = ctx.world.history(channel, before=before, after=after, around=around, limit=50 if limit is None else limit)
    return [shown(ctx, message) for message in found]


@routes("GET", "/channels/{channel_id}/messages/pins")
def list_pins(ctx: Context) -> Json:
    channel = ctx.channel(Permissions.READ_MESSAGE_HISTORY)
    form = ctx.query_form()
    limit = form.integer("limit", lowest=1, highest=50) or 50
    before = form.text("before")
    form.check()
    pinned = [(when, mid) for mid, when in reversed(channel.pins.items()) if before is None or iso(when) < before]
    items = [{"pinned_at": iso(when), "message": shown(ctx, channel.messages[mid])} for when, mid in pinned[:limit]]
    return {"items": items, "has_more": len(pinned) > limit}


@routes("GET", "/channels/{channel_id}/messages/{message_id}")
def get_message(ctx: Context) -> Json:
    channel = ctx.channel(Permissions.READ_MESSAGE_HISTORY)
    return shown(ctx, ctx.message(channel))


@routes("POST", "/channels/{channel_id}/messages")
def create_message(ctx: Context) -> Json:
    """Post a message. With `enforce_nonce` a repeated nonce gives the first message back and posts nothing."""
    channel = speaking_channel(ctx)
    draft = drafts.read_draft(ctx, channel)
    draft.flags &= ~64
    if draft.nonce is not None and (first := ctx.world.find_by_nonce(channel, ctx.me.id, draft.nonce)):
        if ctx.form().boolean("enforce_nonce"):
            for attachment in draft.attachments:
                del ctx.world.attachments[attachment.id]
            ctx.stats.nonce_duplicates["returned_first"] += 1
            return shown(ctx, first, with_nonce=True)
        ctx.stats.nonce_duplicates["sent_twice"] += 1
    draft.application_id = ctx.me.id if draft.components or draft.poll else None
    return shown(ctx, ctx.world.post(channel, ctx.me.user, draft), with_nonce=True)


@routes("PATCH", "/channels/{channel_id}/messages/{message_id}")
def edit_message(ctx: Context) -> Json:
    channel = ctx.channel()
    message = ctx.message(channel)
    form = ctx.form()
    others = message.author.id != ctx.me.id or message.webhook_id is not None
    if others and (set(form.data) != {"flags"} or message.webhook_id):
        raise errors.ApiError(403, 50005, "Cannot edit a message authored by another user")
    if others:
        ctx.channel(Permissions.MANAGE_MESSAGES)
    draft, fields = drafts.read_edit(ctx, channel, message)
    ctx.world.edit(channel, message, draft, fields)
    return shown(ctx, message)


@routes("DELETE", "/channels/{channel_id}/messages/{message_id}")
def delete_message(ctx: Context) -> None:
    channel = ctx.channel()
    message = ctx.message(channel)
    if message.author.id != ctx.me.id:
        if channel.guild_id is None:
            raise errors.ApiError(403, 50003, "Cannot execute action on a DM channel")
        ctx.channel(Permissions.MANAGE_MESSAGES)
    ctx.world.delete(channel, message)


@routes("POST", "/channels/{channel_id}/messages/bulk-delete")
def bulk_delete(ctx: Context) -> None:
    channel = ctx.channel(Permissions.MANAGE_MESSAGES)
    if channel.guild_id is None:
        raise errors.ApiError(403, 50003, "Cannot execute action on a DM channel")
    form = ctx.form()
    ids = form.snowflakes("messages") or []
    if not 2 <= len(ids) <= 100:
        form.complain("messages", "BASE_TYPE_BAD_LENGTH", "Must be between 2 and 100 in length.")
    form.check()
    now_ms = ctx.world.clock() * 1000
    if any(now_ms - created_ms(mid) > _BULK_MAX_AGE_MS for mid in ids):
        raise errors.ApiError(400, 50034, "You can only bulk delete messages that are under 14 days old.")
    ctx.world.delete_many(channel, list(dict.fromkeys(ids)))


@routes("POST", "/channels/{channel_id}/messages/{message_id}/crosspost")
def crosspost(ctx: Context) -> None:
    ctx.message(ctx.channel())
    raise errors.ApiError(400, 50024, "Cannot execute action on this channel type")


@routes("POST", "/channels/{channel_id}/typing")
def trigger_typing(ctx: Context) -> None:
    ctx.world.type_in(speaking_channel(ctx), ctx.me.user)


@routes("GET", "/channels/{channel_id}/pins")
def list_pins_old(ctx: Context) -> list[Json]:
    channel = ctx.channel(Permissions.READ_MESSAGE_HISTORY)
    return [shown(ctx, channel.messages[mid]) for mid in reversed(channel.pins)]


@routes("PUT", "/channels/{channel_id}/messages/pins/{message_id}", bucket="pins")
@routes("PUT", "/channels/{channel_id}/pins/{message_id}", bucket="pins")
def pin_message(ctx: Context) -> None:
    channel = _pinning_channel(ctx)
    message = ctx.message(channel)
    if message.type not in WRITTEN:
        raise errors.ApiError(403, 50021, "Cannot execute action on a system message")
    if len(channel.pins) >= MAX_PINS:
        raise errors.ApiError(400, 30003, f"Maximum number of pinned messages reached ({MAX_PINS})")
    ctx.world.pin(channel, message, ctx.me.user)


@routes("DELETE", "/channels/{channel_id}/messages/pins/{message_id}", bucket="pins")
@routes("DELETE", "/channels/{channel_id}/pins/{message_id}", bucket="pins")
def unpin_message(ctx: Context) -> None:
    channel = _pinning_channel(ctx)
    ctx.world.unpin(channel, ctx.message(channel))


def _pinning_channel(ctx: Context) -> Channel:
    """Pinning asks for PIN_MESSAGES since 2026; MANAGE_MESSAGES, which held it before, still does here."""
    channel = ctx.channel()
    if not ctx.world.permissions_in(channel, ctx.me.id) & (Permissions.PIN_MESSAGES | Permissions.MANAGE_MESSAGES):
        raise errors.missing_permissions()
    return channel


@routes("GET", "/channels/{channel_id}/polls/{message_id}/answers/{answer_id}")
def list_poll_voters(ctx: Context) -> Json:
    ctx.message(ctx.channel())
    return {"users": []}


@routes("POST", "/channels/{channel_id}/polls/{message_id}/expire")
def expire_poll(ctx: Context) -> Json:
    channel = ctx.channel()
    message = ctx.message(channel)
    if message.poll is None or message.author.id != ctx.me.id:
        raise errors.ApiError(400, 520001, "Cannot expire this poll")
    message.poll["expiry"] = iso(ctx.world.clock())
    message.poll["results"]["is_finalized"] = True
    ctx.world.refresh(channel, message)
    return shown(ctx, message)
