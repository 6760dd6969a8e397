"""Making the world larger or smaller: users, bots, guilds, channels, members, roles, emojis."""

from botswain_simulator.control import views
from botswain_simulator.control.requests import ControlRequest
from botswain_simulator.errors import UnknownObjectError, WorldError
from botswain_simulator.models import CREATABLE_TYPES, Application, ChannelType, Json
from botswain_simulator.permissions import EVERYONE_DEFAULT
from botswain_simulator.world import rendering
from botswain_simulator.world.defaults import privileged_from


def get_state(request: ControlRequest) -> Json:
    return views.state(request.world)


def add_user(request: ControlRequest) -> Json:
    user = request.world.add_user(request.text("username"), request.optional("global_name"))
    return rendering.user_for_page(user)


def _bot_view(application: Application) -> Json:
    return {
        "user": rendering.user_for_page(application.user),
        "application_id": application.id,
        "token": application.token,
    }


def list_bots(request: ControlRequest) -> list[Json]:
    return [_bot_view(application) for application in request.world.applications.values()]


def add_bot(request: ControlRequest) -> Json:
    """A bot; with `guilds` (a list of ids) it joins them at once."""
    world = request.world
    privileged = privileged_from(request.data.get("privileged_intents"))
    guilds = [world.guild(str(guild_id)) for guild_id in request.items("guilds")]
    application = world.add_bot(
        request.text("username"),
        token=request.optional("token"),
        privileged_intents=privileged,
        owner_id=world.default_user_id,
    )
    for guild in guilds:
        world.add_member(guild, application.user)
    return _bot_view(application)


def add_guild(request: ControlRequest) -> Json:
    """A guild with channels (default: general); its owner and the bots named are its members."""
    world = request.world
    bots = [world.user(str(bot_id)) for bot_id in request.items("bots")]
    names = request.items("channels") or ["general"]
    if not all(isinstance(name, str) and 1 <= len(name) <= 100 for name in names):
        raise WorldError("channels: must be a list of names of 1 to 100 characters")
    guild = world.add_guild(request.text("name"), request.speaker())
    for name in names:
        world.add_channel(guild, name)
    for bot in bots:
        world.add_member(guild, bot)
    return views.guild(world, guild)


def delete_guild(request: ControlRequest) -> None:
    request.world.remove_guild(request.guild())


def add_channel(request: ControlRequest) -> Json:
    guild = request.guild()
    type_ = request.data.get("type", 0)
    if not isinstance(type_, int) or type_ not in CREATABLE_TYPES:
        raise WorldError(
            f"type: {type_!r} is no type of a guild's channel; 0 is text, 2 voice, 4 category, 5 announcement, 15 forum"
        )
    parent_id = request.optional("parent_id")
    if parent_id is not None and parent_id not in guild.channels:
        raise UnknownObjectError(f"parent_id: guild {guild.id} has no channel {parent_id!r}")
    channel = request.world.add_channel(
        guild, request.text("name"), ChannelType(type_), topic=request.optional("topic"), parent_id=parent_id
    )
    return views.channel(request.world, channel)


def delete_channel(request: ControlRequest) -> None:
    channel = request.channel()
    if channel.guild_id is None:
        raise WorldError(f"channel {channel.id} is a direct conversation; those stay")
    if channel.thread is not None:
        request.world.remove_thread(channel)
    else:
        request.world.remove_channel(channel)


def add_member(request: ControlRequest) -> Json:
    return views.member(request.world.add_member(request.guild(), request.speaker()))


def remove_member(request: ControlRequest) -> None:
    guild = request.guild()
    user = request.world.user(request.params["user_id"])
    if user.id not in guild.members:
        raise UnknownObjectError(f"user {user.username} ({user.id}) is not in guild {guild.id}")
    if user.id == guild.owner_id:
        raise WorldError(f"user_id: {user.username} owns guild {guild.id} and can't leave it")
    request.world.remove_member(guild, user)


def add_role(request: ControlRequest) -> Json:
    permissions = request.optional("permissions")
    if permissions is not None and not permissions.isdecimal():
        raise WorldError(f"permissions: {permissions!r} must be a decimal number")
    role = request.world.add_role(
        request.guild(), request.text("name"), EVERYONE_DEFAULT if permissions is None else int(permissions)
    )
    return {"id": role.id, "name": role.name, "permissions": str(role.permissions)}


def add_emoji(request: ControlRequest) -> Json:
    emoji = request.world.add_emoji(request.guild(), request.text("name", longest=32))
    return {"id": emoji.id, "name": emoji.name}
