"""Threads (resources/channel, "Start Thread…" and following)."""

from botswain_simulator import payloads
from botswain_simulator.models import Channel, ChannelType, Json, ThreadState
from botswain_simulator.permissions import Permissions
from botswain_simulator.rest import drafts, errors
from botswain_simulator.rest.channels import shown
from botswain_simulator.rest.messages import shown as shown_message
from botswain_simulator.rest.routing import Context, Reply, Routes
from botswain_simulator.snowflakes import iso

routes = Routes()

_PARENTS = {ChannelType.GUILD_TEXT, ChannelType.GUILD_ANNOUNCEMENT}
_FORUMS = {ChannelType.GUILD_FORUM, ChannelType.GUILD_MEDIA}
_DURATIONS = (60, 1440, 4320, 10080)


def _parent(ctx: Context, permission: int) -> Channel:
    channel = ctx.channel(permission)
    if channel.type not in _PARENTS | _FORUMS:
        raise errors.ApiError(400, 50024, "Cannot execute action on this channel type")
    return channel


def _thread(ctx: Context) -> tuple[Channel, ThreadState]:
    channel = ctx.channel()
    if channel.thread is None:
        raise errors.ApiError(400, 50024, "Cannot execute action on this channel type")
    return channel, channel.thread


@routes("POST", "/channels/{channel_id}/messages/{message_id}/threads")
def start_from_message(ctx: Context) -> Reply:
    parent = _parent(ctx, Permissions.CREATE_PUBLIC_THREADS)
    message = ctx.message(parent)
    form = ctx.form()
    name = form.text("name", shortest=1, longest=100, required=True)
    duration = form.choice("auto_archive_duration", _DURATIONS)
    slow = form.integer("rate_limit_per_user", lowest=0, highest=21_600)
    form.check()
    if message.thread_id:
        raise errors.ApiError(400, 160004, "A thread has already been created for this message")
    thread = ctx.world.open_thread(
        parent,
        ctx.me.user,
        name or "",
        message=message,
        auto_archive_minutes=duration or 1440,
        rate_limit_per_user=slow or 0,
    )
    return Reply(201, _joined(ctx, thread))


@routes("POST", "/channels/{channel_id}/threads")
def start(ctx: Context) -> Reply:
    """A thread without a message, or a forum's post with its first message."""
    parent = _parent(ctx, 0)
    form = ctx.form()
    name = form.text("name", shortest=1, longest=100, required=True)
    duration = form.choice("auto_archive_duration", _DURATIONS)
    type_ = form.choice("type", (10, 11, 12)) or int(ChannelType.PRIVATE_THREAD)
    slow = form.integer("rate_limit_per_user", lowest=0, highest=21_600)
    invitable = form.boolean("invitable")
    tags = form.snowflakes("applied_tags", longest=5) or []
    form.check()
    if parent.type in _FORUMS:
        return _start_post(ctx, parent, name or "", duration or 1440, tuple(tags))
    private = type_ == ChannelType.PRIVATE_THREAD
    ctx.channel(Permissions.CREATE_PRIVATE_THREADS if private else Permissions.CREATE_PUBLIC_THREADS)
    thread = ctx.world.open_thread(
        parent,
        ctx.me.user,
        name or "",
        type_=type_,
        auto_archive_minutes=duration or 1440,
        invitable=invitable is not False,
        rate_limit_per_user=slow or 0,
    )
    return Reply(201, _joined(ctx, thread))


def _start_post(ctx: Context, parent: Channel, name: str, duration: int, tags: tuple[str, ...]) -> Reply:
    ctx.channel(Permissions.SEND_MESSAGES)
    form = ctx.form()
    part = form.object("message")
    form.check()
    if part is None:
        raise errors.invalid_field("message", "BASE_TYPE_REQUIRED", "This field is required")
    draft = drafts.read_draft(ctx, parent, form.data["message"])
    thread = ctx.world.open_thread(
        parent, ctx.me.user, name, type_=ChannelType.PUBLIC_THREAD, auto_archive_minutes=duration, applied_tags=tags
    )
    # A forum post's first message has the thread's own id.
    message = ctx.world.post(thread, ctx.me.user, draft, message_id=thread.id)
    return Reply(201, _joined(ctx, thread) | {"message": shown_message(ctx, message)})


@routes("PUT", "/channels/{channel_id}/thread-members/@me")
def join(ctx: Context) -> None:
    ctx.world.join_thread(_open_thread(ctx), ctx.me.user)


@routes("PUT", "/channels/{channel_id}/thread-members/{user_id}")
def add_member(ctx: Context) -> None:
    ctx.world.join_thread(_open_thread(ctx), ctx.user(ctx.params["user_id"]))


@routes("DELETE", "/channels/{channel_id}/thread-members/@me")
def leave(ctx: Context) -> None:
    ctx.world.leave_thread(_open_thread(ctx), ctx.me.user)


@routes("DELETE", "/channels/{channel_id}/thread-members/{user_id}")
def remove_member(ctx: Context) -> None:
    thread = _open_thread(ctx)
    ctx.channel(Permissions.MANAGE_THREADS)
    ctx.world.leave_thread(thread, ctx.user(ctx.params["user_id"]))


@routes("GET", "/channels/{channel_id}/thread-members")
def list_members(ctx: Context) -> list[Json]:
    thread, state = _thread(ctx)
    return [_member(ctx, thread, uid) for uid in state.members]


@routes("GET", "/channels/{channel_id}/thread-members/{user_id}")
def get_member(ctx: Context) -> Json:
    thread, state = _thread(ctx)
    user = ctx.user(ctx.params["user_id"])
    if user.id not in state.members:
        raise errors.unknown("member")
    return _member(ctx, thread, user.id)


@routes("GET", "/guilds/{guild_id}/threads/active")
def list_active(ctx: Context) -> Json:
    return _listing(ctx, [t for t in ctx.guild().threads.values() if t.thread and not t.thread.archived])


@routes("GET", "/channels/{channel_id}/threads/archived/public")
def list_archived_public(ctx: Context) -> Json:
    return _archived(ctx, {ChannelType.PUBLIC_THREAD, ChannelType.ANNOUNCEMENT_THREAD}, mine=False)


@routes("GET", "/channels/{channel_id}/threads/archived/private")
def list_archived_private(ctx: Context) -> Json:
    ctx.channel(Permissions.MANAGE_THREADS)
    return _archived(ctx, {ChannelType.PRIVATE_THREAD}, mine=False)


@routes("GET", "/channels/{channel_id}/users/@me/threads/archived/private")
def list_archived_joined(ctx: Context) -> Json:
    return _archived(ctx, {ChannelType.PRIVATE_THREAD}, mine=True)


def _archived(ctx: Context, types: set[ChannelType], *, mine: bool) -> Json:
    parent = ctx.channel(Permissions.READ_MESSAGE_HISTORY)
    form = ctx.query_form()
    limit = form.integer("limit", lowest=2, highest=100) or 50
    before = form.text("before")
    form.check()
    found = [
        (state.archive_changed_at, thread)
        for thread in ctx.world.guilds[parent.guild_id or ""].threads.values()
        if (state := thread.thread) and state.archived and thread.parent_id == parent.id and thread.type in types
        and (not mine or ctx.me.id in state.members)
        and (before is None or (iso(state.archive_changed_at) < before if "T" in before else int(thread.id) < int(before)))
    ]  # fmt: skip
    found.sort(key=lambda pair: pair[0], reverse=True)
    return _listing(ctx, [thread for _, thread in found[:limit]]) | {"has_more": len(found) > limit}


def _listing(ctx: Context, threads: list[Channel]) -> Json:
    mine = [payloads.thread_member(t, ctx.me.id) for t in threads if t.thread and ctx.me.id in t.thread.members]
    return {"threads": [payloads.thread(t) for t in threads], "members": mine}


def _open_thread(ctx: Context) -> Channel:
    thread, state = _thread(ctx)
    if state.archived:
        raise errors.ApiError(400, 50083, "Thread is archived")
    return thread


def _joined(ctx: Context, thread: Channel) -> Json:
    payload = shown(ctx, thread)
    if thread.thread and ctx.me.id in thread.thread.members:
        payload["member"] = payloads.thread_member(thread, ctx.me.id)
    return payload


def _member(ctx: Context, thread: Channel, user_id: str) -> Json:
    payload = payloads.thread_member(thread, user_id)
    if ctx.query.get("with_member", "").lower() in {"true", "1"} and (
        member := ctx.world.member(thread.guild_id or "", user_id)
    ):
        payload["member"] = payloads.member(member)
    return payload
