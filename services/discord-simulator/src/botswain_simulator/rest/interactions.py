"""Answers to interactions (interactions/receiving-and-responding): the first answer, and follow-ups through the
application's webhook.
"""

from botswain_simulator.models import Interaction, Json, Message, MessageFlag
from botswain_simulator.rest import drafts, errors
from botswain_simulator.rest.forms import Form
from botswain_simulator.rest.routing import Context, Reply, Routes
from botswain_simulator.world import Draft, rendering
from botswain_simulator.world.interactions import AUTOCOMPLETE, COMPONENT, MODAL

routes = Routes()

_MESSAGE, _DEFERRED_MESSAGE, _DEFERRED_UPDATE, _UPDATE, _CHOICES, _FORM = 4, 5, 6, 7, 8, 9


@routes("POST", "/interactions/{interaction_id}/{interaction_token}/callback", needs_bot=False)
def respond(ctx: Context) -> Reply | None:
    """The first answer; it must come within 3 seconds, and only once."""
    interaction = ctx.world.interactions.get(ctx.params["interaction_id"])
    if interaction is None or interaction.token != ctx.params["interaction_token"]:
        raise errors.unknown("interaction")
    ctx.bot = ctx.world.applications[interaction.application_id]
    if not ctx.world.awaits_answer(interaction):
        if interaction.state == "failed":
            raise errors.unknown("interaction")
        raise errors.ApiError(400, 40060, "Interaction has already been acknowledged.")
    form = ctx.form()
    type_ = form.choice("type", (1, 4, 5, 6, 7, 8, 9, 12), required=True)
    form.check()
    _check_kind(interaction, type_)
    part = form.object("data")
    form.check()
    data = dict(part.data) if part else {}
    message = _answer(ctx, interaction, type_, data)
    if ctx.query.get("with_response", "").lower() not in {"true", "1"}:
        return None
    resource: Json = {"type": type_}
    if message is not None:
        resource["message"] = rendering.message(ctx.world, message, viewer_id=ctx.me.id, links=ctx.world.links)
    return Reply(
        200,
        {
            "interaction": {
                "id": interaction.id,
                "type": interaction.type,
                "response_message_id": message.id if message else None,
                "response_message_loading": type_ == _DEFERRED_MESSAGE,
                "response_message_ephemeral": bool(message and message.ephemeral_for),
            },
            "resource": resource,
        },
    )


def _check_kind(interaction: Interaction, type_: int) -> None:
    """Not every answer suits every interaction."""
    fits = {
        AUTOCOMPLETE: {_CHOICES},
        COMPONENT: {_MESSAGE, _DEFERRED_MESSAGE, _DEFERRED_UPDATE, _UPDATE, _FORM},
        MODAL: {_MESSAGE, _DEFERRED_MESSAGE} | ({_DEFERRED_UPDATE, _UPDATE} if interaction.message_id else set()),
    }.get(interaction.type, {_MESSAGE, _DEFERRED_MESSAGE, _FORM})
    if type_ not in fits:
        message = f"Value must be one of ({', '.join(map(str, sorted(fits)))})."
        raise errors.invalid_field("type", "BASE_TYPE_CHOICES", message)


def _answer(ctx: Context, interaction: Interaction, type_: int, data: Json) -> Message | None:
    world = ctx.world
    channel = world.channels[interaction.channel_id]
    match type_:
        case 4:
            return world.answer(interaction, drafts.read_draft(ctx, channel, data))
        case 5:
            flags = (Form(data).integer("flags") or 0) & MessageFlag.EPHEMERAL
            return world.answer(interaction, Draft(flags=flags), deferred=True)
        case 6:
            interaction.response_id = interaction.message_id
            world.set_interaction_state(interaction, "deferred")
        case 7:
            message = channel.messages.get(interaction.message_id or "")
            if message is None:
                raise errors.unknown("message")
            draft, fields = drafts.read_edit(ctx, channel, message, data)
            world.edit(channel, message, draft, fields)
            interaction.response_id = message.id
            world.set_interaction_state(interaction, "answered")
            return message
        case 8:
            choices = Form(data).array("choices", longest=25) or []
            world.set_interaction_state(interaction, "autocomplete", {"choices": choices})
        case 9:
            form = Form(data)
            form.text("custom_id", shortest=1, longest=100, required=True)
            form.text("title", shortest=1, longest=45, required=True)
            form.array("components", required=True)
            form.check()
            world.set_interaction_state(interaction, "modal", data)
    return None


def follow_up(ctx: Context, interaction: Interaction) -> Json:
    """A further message. The first one after "is thinking…" takes its place, as with Discord."""
    world = ctx.world
    channel = world.channels[interaction.channel_id]
    ctx.bot = world.applications[interaction.application_id]
    if interaction.state == "pending":
        raise errors.ApiError(404, 10015, "Unknown Webhook")
    original = channel.messages.get(interaction.response_id or "")
    draft = drafts.read_draft(ctx, channel)
    if original is not None and original.flags & MessageFlag.LOADING:
        draft.flags = original.flags & ~MessageFlag.LOADING
        world.edit(channel, original, draft, frozenset({"content", "embeds", "attachments", "components", "flags"}))
        world.set_interaction_state(interaction, "answered")
        message = original
    else:
        message = world.say(interaction, draft)
    return rendering.message(world, message, viewer_id=ctx.me.id, links=world.links)


def own_message(ctx: Context, interaction: Interaction) -> Message:
    """The message the path names, "@original" being the first answer, if it belongs to the interaction's bot."""
    ctx.bot = ctx.world.applications[interaction.application_id]
    channel = ctx.world.channels[interaction.channel_id]
    wanted = ctx.params["message"]
    message = channel.messages.get((interaction.response_id or "") if wanted == "@original" else wanted)
    if message is None or message.author.id != interaction.application_id:
        raise errors.unknown("message")
    return message


def edit(ctx: Context, interaction: Interaction) -> Json:
    """Change the answer or a follow-up. An edit of "is thinking…" is the answer."""
    message = own_message(ctx, interaction)
    channel = ctx.world.channels[interaction.channel_id]
    draft, fields = drafts.read_edit(ctx, channel, message)
    if message.flags & MessageFlag.LOADING:
        draft.flags &= ~MessageFlag.LOADING
        fields |= {"flags"}
        ctx.world.set_interaction_state(interaction, "answered")
    ctx.world.edit(channel, message, draft, fields)
    return rendering.message(ctx.world, message, viewer_id=ctx.me.id, links=ctx.world.links)
