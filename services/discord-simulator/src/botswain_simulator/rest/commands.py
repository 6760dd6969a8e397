"""Application commands: their CRUD, globally and per guild (interactions/application-commands)."""

import re

from botswain_simulator import payloads
from botswain_simulator.models import Application, Command, Json
from botswain_simulator.rest import errors
from botswain_simulator.rest.forms import Form
from botswain_simulator.rest.routing import Context, Reply, Routes

routes = Routes()

_GLOBAL = "/applications/{application_id}/commands"
_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"
_NAME = re.compile(r"[-_'\w]{1,32}")
_FIELDS = (
    "name", "name_localizations", "description", "description_localizations", "options", "default_member_permissions",
    "dm_permission", "default_permission", "integration_types", "contexts", "type", "nsfw", "handler",
)  # fmt: skip
_MAX_COMMANDS = {1: 100, 2: 15, 3: 15, 4: 1}


def _application(ctx: Context) -> Application:
    if ctx.params["application_id"] != ctx.me.id:
        raise errors.ApiError(403, 20012, "You are not authorized to perform this action on this application")
    if "guild_id" in ctx.params:
        ctx.guild()
    return ctx.me


def _scope(ctx: Context) -> str | None:
    return ctx.params.get("guild_id")


def _command(ctx: Context) -> Command:
    command = _application(ctx).commands.get(ctx.params["command_id"])
    if command is None or command.guild_id != _scope(ctx):
        raise errors.unknown("command")
    return command


@routes("GET", _GLOBAL)
@routes("GET", _GUILD)
def list_commands(ctx: Context) -> list[Json]:
    return [payloads.command(c) for c in _application(ctx).commands.values() if c.guild_id == _scope(ctx)]


@routes("POST", _GLOBAL)
@routes("POST", _GUILD)
def create_command(ctx: Context) -> Reply:
    application = _application(ctx)
    form = ctx.form()
    _check(form)
    form.check()
    type_ = form.data.get("type") or 1
    there = [
        c.body["name"] for c in application.commands.values() if (c.guild_id, c.body["type"]) == (_scope(ctx), type_)
    ]
    if len(there) >= _MAX_COMMANDS[type_] and form.data["name"] not in there:
        raise errors.ApiError(400, 30032, f"Maximum number of application commands reached ({_MAX_COMMANDS[type_]}).")
    before = len(application.commands)
    command = ctx.world.set_command(application, _scope(ctx), form.present(*_FIELDS))
    return Reply(201 if len(application.commands) > before else 200, payloads.command(command))


@routes("PUT", _GLOBAL)
@routes("PUT", _GUILD)
def overwrite_commands(ctx: Context) -> list[Json]:
    """Replace all commands of the scope. Those that keep their name and type keep their id."""
    application = _application(ctx)
    if not isinstance(ctx.body.data, list):
        raise errors.invalid_field("", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
    outer = Form({})
    forms = [Form(item, outer.complaints, str(index)) for index, item in enumerate(ctx.body.data)]
    names: set[tuple[object, object]] = set()
    for form in forms:
        _check(form)
        key = (form.data.get("type") or 1, form.data.get("name"))
        if key in names:
            form.complain("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        names.add(key)
    outer.check()
    kept = {ctx.world.set_command(application, _scope(ctx), form.present(*_FIELDS)).id for form in forms}
    for command in list(application.commands.values()):
        if command.guild_id == _scope(ctx) and command.id not in kept:
            ctx.world.remove_command(application, command)
    return [payloads.command(c) for c in application.commands.values() if c.id in kept]


@routes("GET", _GLOBAL + "/{command_id}")
@routes("GET", _GUILD + "/{command_id}")
def get_command(ctx: Context) -> Json:
    return payloads.command(_command(ctx))


@routes("PATCH", _GLOBAL + "/{command_id}")
@routes("PATCH", _GUILD + "/{command_id}")
def edit_command(ctx: Context) -> Json:
    command = _command(ctx)
    merged = Form(command.body | ctx.form().present(*_FIELDS))
    _check(merged)
    merged.check()
    return payloads.command(ctx.world.set_command(ctx.me, command.guild_id, dict(merged.data), command.id))


@routes("DELETE", _GLOBAL + "/{command_id}")
@routes("DELETE", _GUILD + "/{command_id}")
def delete_command(ctx: Context) -> None:
    ctx.world.remove_command(_application(ctx), _command(ctx))


@routes("GET", _GUILD + "/permissions")
def list_permissions(ctx: Context) -> list[Json]:
    guild_id = ctx.params["guild_id"]
    return [_permissions(c, guild_id) for c in _application(ctx).commands.values() if guild_id in c.permissions]


@routes("GET", _GUILD + "/{command_id}/permissions")
def get_permissions(ctx: Context) -> Json:
    command = _application(ctx).commands.get(ctx.params["command_id"])
    if command is None or ctx.params["guild_id"] not in command.permissions:
        raise errors.ApiError(404, 10066, "Unknown application command permissions")
    return _permissions(command, ctx.params["guild_id"])


@routes("PUT", _GUILD + "/{command_id}/permissions")
def set_permissions(ctx: Context) -> Json:
    """With Discord this takes a user's bearer token; here the bot's own will do."""
    command = _application(ctx).commands.get(ctx.params["command_id"])
    if command is None:
        raise errors.unknown("command")
    command.permissions[ctx.params["guild_id"]] = list(ctx.form().array("permissions") or [])
    return _permissions(command, ctx.params["guild_id"])


def _permissions(command: Command, guild_id: str) -> Json:
    return {
        "id": command.id,
        "application_id": command.application_id,
        "guild_id": guild_id,
        "permissions": command.permissions[guild_id],
    }


def _check(form: Form) -> None:
    type_ = form.choice("type", (1, 2, 3, 4)) or 1
    name = form.text("name", shortest=1, longest=32, required=True)
    if type_ == 1 and name is not None:
        _check_name(form, name)
        form.text("description", shortest=1, longest=100, required=True)
        _check_options(form)


def _check_options(form: Form, depth: int = 0) -> None:
    needless = False
    names: set[str] = set()
    for option in form.objects("options", longest=25) or []:
        kind = option.choice("type", tuple(range(1, 12)), required=True)
        name = option.text("name", shortest=1, longest=32, required=True)
        option.text("description", shortest=1, longest=100, required=True)
        if name is not None:
            _check_name(option, name)
            if name in names:
                option.complain(
                    "name", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option names must be unique"
                )
            names.add(name)
        if kind in {1, 2} and depth < 2:
            _check_options(option, depth + 1)
        elif option.boolean("required"):
            if needless:
                option.complain(
                    "required",
                    "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                    "Required options must be placed before non-required options",
                )
        else:
            needless = True
        for choice in option.objects("choices", longest=25) or []:
            choice.text("name", shortest=1, longest=100, required=True)


def _check_name(form: Form, name: str) -> None:
    if not _NAME.fullmatch(name) or name != name.lower():
        form.complain("name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
