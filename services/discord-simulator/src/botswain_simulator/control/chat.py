"""Acting as a person: write, edit, react, type, open threads and direct conversations, use commands."""

from botswain_simulator.control import views
from botswain_simulator.control.requests import ControlRequest
from botswain_simulator.errors import UnknownObjectError, WorldError
from botswain_simulator.models import MESSAGE_CHANNEL_TYPES, Channel, Interaction, Json, Message, User
from botswain_simulator.rest.drafts import MAX_FILES, upload
from botswain_simulator.rest.reactions import parse_emoji
from botswain_simulator.world import Draft, rendering


def _message(request: ControlRequest) -> tuple[Channel, Message]:
    channel = request.channel()
    return channel, request.world.message(channel.id, request.params["message_id"])


def list_messages(request: ControlRequest) -> list[Json]:
    channel = request.channel()
    found = request.world.history(
        channel,
        before=request.snowflake("before"),
        after=request.snowflake("after"),
        around=request.snowflake("around"),
        limit=request.number("limit", 50, 1, 1000),
        with_ephemeral=True,
    )
    return [rendering.message_for_page(request.world, message) for message in found]


def get_message(request: ControlRequest) -> Json:
    return rendering.message_for_page(request.world, _message(request)[1])


def post_message(request: ControlRequest) -> Json:
    channel = request.channel()
    if channel.type not in MESSAGE_CHANNEL_TYPES:
        raise WorldError(f"channel {channel.id} ({channel.name}) holds no messages; choose a text channel or thread")
    author = request.speaker(channel)
    content = (request.optional("content", longest=4000) or "").strip()
    files = request.files()
    if not content and not files:
        raise WorldError("content: missing; a message needs a text or a file")
    if len(files) > MAX_FILES:
        raise WorldError(f"attachments: {len(files)} files; at most {MAX_FILES} are allowed")
    reply_to = request.optional("reply_to")
    draft = Draft(content, nonce=request.optional("nonce", longest=25))
    if reply_to:
        draft.reply_to = request.world.message(channel.id, reply_to)
    draft.attachments = [upload(request.world, channel.id, file, {}) for file in files]
    return rendering.message_for_page(request.world, request.world.post(channel, author, draft))


def edit_message(request: ControlRequest) -> Json:
    channel, message = _message(request)
    draft = Draft(request.text("content", longest=4000))
    request.world.edit(channel, message, draft, frozenset({"content"}))
    return rendering.message_for_page(request.world, message)


def delete_message(request: ControlRequest) -> None:
    request.world.delete(*_message(request))


def add_reaction(request: ControlRequest) -> None:
    channel, message = _message(request)
    request.world.react(channel, message, request.speaker(channel), _emoji(request))


def remove_reaction(request: ControlRequest) -> None:
    channel, message = _message(request)
    request.world.unreact(channel, message, request.speaker(channel), _emoji(request))


def _emoji(request: ControlRequest) -> Json:
    emoji = parse_emoji(request.world, request.params["emoji"])
    if emoji is None:
        raise WorldError(
            f"emoji: {request.params['emoji']!r} is neither a Unicode emoji nor the name:id of one in a guild"
        )
    return emoji


def start_typing(request: ControlRequest) -> None:
    channel = request.channel()
    request.world.type_in(channel, request.speaker(channel))


def open_thread(request: ControlRequest) -> Json:
    channel = request.channel()
    message_id = request.optional("message_id")
    message = request.world.message(channel.id, message_id) if message_id else None
    thread = request.world.open_thread(channel, request.speaker(channel), request.text("name"), message=message)
    return views.channel(request.world, thread)


def open_direct(request: ControlRequest) -> Json:
    other = request.world.user(request.text("bot_id"))
    return views.channel(request.world, request.world.open_direct(request.speaker(), other))


def list_commands(request: ControlRequest) -> list[Json]:
    channel_id = request.query.get("channel_id")
    if not channel_id:
        raise WorldError("channel_id: missing; say where the commands are to be used: /sim/commands?channel_id=…")
    found = request.world.commands_in(request.world.channel(channel_id))
    return [
        {
            "id": c.id,
            "application_id": c.application_id,
            "guild_id": c.guild_id,
            "description": "",
            "options": [],
            **c.body,
        }
        for c in found
    ]


def interact(request: ControlRequest) -> Interaction:
    """Use a command, a component or a form."""
    kind = request.text("kind")
    if kind == "modal":
        return _submit(request)
    channel = request.world.channel(request.text("channel_id"))
    user = request.speaker(channel)
    match kind:
        case "command" | "autocomplete":
            return _use_command(request, channel, user, autocomplete=kind == "autocomplete")
        case "component":
            message = request.world.message(channel.id, request.text("message_id"))
            values = request.data.get("values")
            if values is not None and not (isinstance(values, list) and all(isinstance(v, str) for v in values)):
                raise WorldError(f"values: {values!r} must be a list of texts")
            return request.world.use_component(message, channel, user, request.text("custom_id"), values)
        case _:
            raise WorldError(f"kind: {kind!r} is not one of command, autocomplete, component, modal")


def _use_command(request: ControlRequest, channel: Channel, user: User, *, autocomplete: bool) -> Interaction:
    command_id = request.text("command_id")
    command = next((c for c in request.world.commands_in(channel) if c.id == command_id), None)
    if command is None:
        raise UnknownObjectError(
            f"command_id: there is no command {command_id!r} in channel {channel.id}; "
            f"GET /sim/commands?channel_id={channel.id} lists them"
        )
    options = request.data.get("options") or []
    if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
        raise WorldError("options: must be a list of {name, value}")
    return request.world.use_command(
        command, channel, user, options, request.optional("target_id"), autocomplete=autocomplete
    )


def _submit(request: ControlRequest) -> Interaction:
    interaction_id = request.text("interaction_id")
    opened = request.world.interactions.get(interaction_id)
    if opened is None:
        raise UnknownObjectError(f"interaction_id: there is no interaction {interaction_id!r}; it may have run out")
    values = request.data.get("values") or {}
    if not isinstance(values, dict):
        raise WorldError("values: must be an object of custom_id: text")
    user = request.speaker(request.world.channel(opened.channel_id))
    return request.world.submit_modal(opened, user, {str(key): value for key, value in values.items()})


def interaction_view(interaction: Interaction) -> Json:
    return {
        "id": interaction.id,
        "state": interaction.state,
        "response": interaction.response,
        "response_message_id": interaction.response_id,
    }


def get_interaction(request: ControlRequest) -> Json:
    found = request.world.interactions.get(request.params["interaction_id"])
    if found is None:
        raise UnknownObjectError(f"there is no interaction {request.params['interaction_id']!r}; it may have run out")
    return interaction_view(found)
