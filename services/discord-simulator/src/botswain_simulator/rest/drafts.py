"""Turns a message's body into a `Draft`, with Discord's limits (resources/message, "Create Message")."""

import mimetypes
import re
from collections.abc import Mapping
from typing import Any

from botswain_simulator.images import dimensions
from botswain_simulator.mentions import EVERYTHING, AllowedMentions
from botswain_simulator.models import WRITTEN, Attachment, Channel, Json, Message, MessageFlag
from botswain_simulator.permissions import Permissions
from botswain_simulator.rest import errors
from botswain_simulator.rest.components import read_components
from botswain_simulator.rest.embeds import read_embeds
from botswain_simulator.rest.forms import Form
from botswain_simulator.rest.routing import Body, Context, File
from botswain_simulator.snowflakes import iso
from botswain_simulator.world import Draft, World

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_FILES = 10
_SETTABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS
    | MessageFlag.SUPPRESS_NOTIFICATIONS
    | MessageFlag.IS_VOICE_MESSAGE
    | MessageFlag.IS_COMPONENTS_V2
    | MessageFlag.EPHEMERAL
)
_FILE_INDEX = re.compile(r"\d+")


def read_draft(ctx: Context, channel: Channel, data: Any = None) -> Draft:
    """The message that a body describes. `data` stands in for the body where it is nested (interaction callbacks)."""
    form = Form(({} if ctx.body.data is None else ctx.body.data) if data is None else data)
    draft = Draft(
        content=form.text("content", longest=2000, strip=True) or "",
        embeds=read_embeds(form),
        components=read_components(form),
        sticker_ids=tuple(form.snowflakes("sticker_ids", longest=3) or ()),
        poll=_poll(form, ctx.world),
        tts=form.boolean("tts") or False,
        flags=(form.integer("flags") or 0) & _SETTABLE_FLAGS,
        nonce=_nonce(form),
        allowed=read_allowed_mentions(form),
    )
    reference = form.object("message_reference")
    if reference is not None:
        _reply(ctx, channel, reference, draft)
    files = _files(form, ctx.body)
    _check_v2(form, draft)
    form.check()
    draft.attachments = [upload(ctx.world, channel.id, *file) for file in files]
    if not (draft.content or draft.embeds or draft.attachments or draft.sticker_ids or draft.poll or _shows(draft)):
        raise errors.ApiError(400, 50006, "Cannot send an empty message")
    return draft


def read_edit(ctx: Context, channel: Channel, message: Message, data: Any = None) -> tuple[Draft, frozenset[str]]:
    """What a PATCH of a message changes, and the names of the changed parts."""
    form = Form(({} if ctx.body.data is None else ctx.body.data) if data is None else data)
    draft = Draft(
        content=form.text("content", longest=2000, strip=True) or "",
        embeds=read_embeds(form),
        components=read_components(form),
        allowed=read_allowed_mentions(form),
        flags=message.flags,
    )
    fields = {name for name in ("content", "embeds", "components") if name in form}
    if (flags := form.integer("flags")) is not None:
        changeable = MessageFlag.SUPPRESS_EMBEDS | MessageFlag.IS_COMPONENTS_V2
        draft.flags = (
            (message.flags & ~changeable) | (flags & changeable) | (message.flags & MessageFlag.IS_COMPONENTS_V2)
        )
        fields.add("flags")
    files = _files(form, ctx.body)
    kept = _kept(form, message)
    form.check()
    if files or "attachments" in form:
        draft.attachments = kept + [upload(ctx.world, channel.id, *file) for file in files]
        fields.add("attachments")
    after = {
        name: getattr(draft if name in fields else message, name)
        for name in ("content", "embeds", "attachments", "components")
    }
    v2 = draft.flags & MessageFlag.IS_COMPONENTS_V2
    if not (
        after["content"]
        or after["embeds"]
        or after["attachments"]
        or message.sticker_ids
        or message.poll
        or (v2 and after["components"])
    ):
        raise errors.ApiError(400, 50006, "Cannot send an empty message")
    return draft, frozenset(fields)


def read_allowed_mentions(form: Form) -> AllowedMentions:
    """`allowed_mentions` (resources/message, "Allowed Mentions Object"); absent, everything may ping."""
    inner = form.object("allowed_mentions")
    if inner is None:
        return EVERYTHING
    parse = inner.array("parse") or []
    for index, item in enumerate(parse):
        if item not in {"users", "roles", "everyone"}:
            inner.complain(
                f"parse.{index}", "BASE_TYPE_CHOICES", "Value must be one of ('everyone', 'roles', 'users')."
            )
    listed = {kind: inner.snowflakes(kind, longest=100) or [] for kind in ("users", "roles")}
    for kind, ids in listed.items():
        if ids and kind in parse:
            form.complain(
                "allowed_mentions",
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )
    return AllowedMentions(
        every_user="users" in parse,
        every_role="roles" in parse,
        everyone="everyone" in parse,
        users=frozenset(listed["users"]),
        roles=frozenset(listed["roles"]),
        replied_user=inner.boolean("replied_user") or False,
    )


def _nonce(form: Form) -> str | int | None:
    value = form.data.get("nonce")
    if isinstance(value, int) and not isinstance(value, bool):
        return form.integer("nonce", lowest=-(2**63), highest=2**63 - 1)
    return form.text("nonce", longest=25)


def _reply(ctx: Context, channel: Channel, form: Form, draft: Draft) -> None:
    message_id = form.snowflake("message_id", required=True)
    if form.integer("type") == 1:
        form.complain("type", "BASE_TYPE_CHOICES", "Forwarding (type 1) is not simulated. Send the content itself.")
    if message_id is None:
        return
    elsewhere = form.snowflake("channel_id")
    if elsewhere is not None and elsewhere != channel.id:
        form.complain("", "REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL", "Cannot reply to a message in a different channel")
        return
    original = channel.messages.get(message_id)
    if original is None:
        if form.boolean("fail_if_not_exists") is not False:
            form.complaints.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return
    if original.type not in WRITTEN:
        form.complaints.add(
            "message_reference", "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "Cannot reply to a system message"
        )
    if not ctx.world.permissions_in(channel, ctx.me.id) & Permissions.READ_MESSAGE_HISTORY:
        raise errors.ApiError(400, 160002, "Cannot reply without permission to read message history")
    draft.reply_to = original


def _check_v2(form: Form, draft: Draft) -> None:
    if draft.flags & MessageFlag.IS_COMPONENTS_V2:
        for name in ("content", "embeds", "poll", "sticker_ids"):
            if getattr(draft, name):
                form.complain(
                    name,
                    "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                    f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
                )


def _shows(draft: Draft) -> bool:
    return bool(draft.components) and draft.flags & MessageFlag.IS_COMPONENTS_V2 != 0


def _files(form: Form, body: Body) -> list[tuple[File, Mapping[str, Any]]]:
    """The uploaded files with what `attachments` says of each (`id` is the number in `files[n]`)."""
    if len(body.files) > MAX_FILES:
        form.complain("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FILES} or fewer in length.")
        return []
    described = {str(item.data.get("id")): item for item in form.objects("attachments", longest=MAX_FILES) or []}
    for item in described.values():
        item.text("filename", longest=260)
        item.text("description", longest=1024)
    found: list[tuple[File, Mapping[str, Any]]] = []
    for position, (name, file) in enumerate(body.files.items()):
        if len(file.data) > MAX_FILE_BYTES:
            raise errors.too_large()
        number = _FILE_INDEX.search(name)
        about = described.get(number[0] if number else str(position))
        found.append((file, about.data if about else {}))
    return found


def _kept(form: Form, message: Message) -> list[Attachment]:
    """The attachments an edit leaves: those it lists, or all when it lists none."""
    if form.data.get("attachments") is None:
        return [] if "attachments" in form else list(message.attachments)
    wanted = {str(item.data.get("id")): item for item in form.objects("attachments", longest=MAX_FILES) or []}
    for attachment in message.attachments:
        if (item := wanted.get(attachment.id)) and "description" in item:
            attachment.description = item.text("description", longest=1024)
    return [attachment for attachment in message.attachments if attachment.id in wanted]


def upload(world: World, channel_id: str, file: File, about: Mapping[str, Any]) -> Attachment:
    filename = re.sub(r"[^\w.\-]+", "_", str(about.get("filename") or file.filename)) or "file"
    content_type = file.content_type
    if content_type.startswith("application/octet-stream"):
        content_type = mimetypes.guess_type(filename)[0] or content_type
    attachment = world.upload(channel_id, filename, content_type, file.data, about.get("description"))
    attachment.title = about.get("title")
    attachment.duration_secs, attachment.waveform = about.get("duration_secs"), about.get("waveform")
    if size := dimensions(file.data):
        attachment.width, attachment.height = size
    return attachment


def _poll(form: Form, world: World) -> Json | None:
    """A poll is shown and kept; nobody votes in it (resources/poll)."""
    inner = form.object("poll")
    if inner is None:
        return None
    question = inner.object("question")
    answers = inner.objects("answers", longest=10) or []
    text = question.text("text", longest=300, shortest=1, required=True) if question else None
    if question is None or not answers:
        inner.complain("answers" if question else "question", "BASE_TYPE_REQUIRED", "This field is required")
    hours = inner.integer("duration", lowest=1, highest=768) or 24
    return {
        "question": {"text": text},
        "answers": [
            {"answer_id": number, "poll_media": dict(media.data) if (media := answer.object("poll_media")) else {}}
            for number, answer in enumerate(answers, start=1)
        ],
        "expiry": iso(world.clock() + hours * 3600),
        "allow_multiselect": inner.boolean("allow_multiselect") or False,
        "layout_type": 1,
        "results": {"is_finalized": False, "answer_counts": []},
    }
