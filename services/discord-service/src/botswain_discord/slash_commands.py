"""A bot's commands: what a handler takes, who may run it and when, and the form that discord.py registers.

One `RegisteredCommand` serves both callers, a person in Discord and a program over HTTP: options, permissions and cooldown are
decided here, on plain data.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, cast

import discord
from discord import AppCommandOptionType as OptionType
from discord import app_commands

from botswain_discord.errors import CommandError, CommandRefusedError
from botswain_discord.types import DiscordCommand

TYPES: dict[str, Any] = {
    "string": str,
    "str": str,
    "integer": int,
    "int": int,
    "number": float,
    "float": float,
    "boolean": bool,
    "bool": bool,
}
"""Names for types in `parameters`."""
_KNOWN = frozenset({"description", "type", "required", "default", "choices"})
_COOLDOWNS_KEPT = 10_000


class RegisteredCommand:
    """A command with its handler.

    The handler's first parameter gets the interaction, if it is called so, has no annotation, or is annotated as one; all others
    are options. What the handler returns is the answer; one that isn't async runs in a thread.

    Args:
        about: what was registered.
        handler: sync or async.
        parameters: by name: `description`, `type`, `required`, `default`, `choices`; before what the handler's signature says.
        run: called by discord.py with the interaction and the options.
        clock: seconds, for the cooldown.

    Raises:
        CommandError: name, options or permissions are not what Discord takes.
    """

    def __init__(
        self,
        about: DiscordCommand,
        handler: Callable[..., Any],
        parameters: Mapping[str, Mapping[str, Any]],
        run: Callable[[RegisteredCommand, Any, dict[str, Any]], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.about = about
        self._handler = handler
        self._clock = clock
        self._ready_at: dict[str, float] = {}
        if about.cooldown is not None and about.cooldown < 0:
            raise CommandError(f"command {about.name!r}: cooldown is {about.cooldown}; it is seconds, 0 or more")
        unknown = sorted(set(about.permissions or ()) - set(discord.Permissions.VALID_FLAGS))
        if unknown:
            raise CommandError(
                f"command {about.name!r}: unknown permissions {', '.join(unknown)}; e.g. manage_messages"
            )
        self._takes_interaction, self._options = _options_of(about.name, handler, parameters)
        self.slash = self._make_slash(parameters, run)

    async def call(self, interaction: Any, options: Mapping[str, Any]) -> Any:
        """Run the handler; what it returned."""
        positional = (interaction,) if self._takes_interaction else ()
        if inspect.iscoroutinefunction(self._handler):
            return await self._handler(*positional, **options)
        result = await asyncio.to_thread(self._handler, *positional, **options)
        return await result if inspect.isawaitable(result) else result

    def admit(self, caller: str, permissions: discord.Permissions | None) -> None:
        """Let `caller` run it now, and start the cooldown.

        Args:
            caller: whose cooldown it is.
            permissions: the caller's in the channel; None: not known.

        Raises:
            CommandRefusedError: disabled (403), not permitted (403) or too early (429); in words for the caller.
        """
        name = self.about.name
        if not self.about.enabled:
            raise CommandRefusedError(403, f"/{name} is disabled.")
        held = permissions or discord.Permissions.none()
        missing = [one for one in self.about.permissions or () if not getattr(held, one) and not held.administrator]
        if missing:
            words = ", ".join(one.replace("_", " ") for one in missing)
            raise CommandRefusedError(403, f"/{name} asks for permissions you don't have here: {words}.")
        if not self.about.cooldown:
            return
        now = self._clock()
        left = self._ready_at.get(caller, now) - now
        if left > 0:
            raise CommandRefusedError(429, f"/{name} is cooling down: try again in {max(1, round(left))} s.")
        if len(self._ready_at) >= _COOLDOWNS_KEPT:
            self._ready_at = {who: then for who, then in self._ready_at.items() if then > now}
        self._ready_at[caller] = now + self.about.cooldown

    def parse(self, words: list[str], given: Mapping[str, Any]) -> dict[str, Any]:
        """Options from text (`name:value`, `name=value`, else in order) and from plain data, which goes first.

        Raises:
            CommandRefusedError: 422: one is missing, unknown or of another type; says which.
        """
        raw: dict[str, Any] = {}
        order = [option for option in self.slash.parameters if option.name not in given]
        for word in words:
            name, value = _named(word, {option.name for option in self.slash.parameters})
            if name is None:
                free = [option.name for option in order if option.name not in raw]
                if not free:
                    raise CommandRefusedError(
                        422, f"/{self.about.name}: {word!r} is one option too many. {self._usage()}"
                    )
                name = free[0]
            raw[name] = value
        raw.update(given)
        known = {option.name: option for option in self.slash.parameters}
        unknown = sorted(set(raw) - set(known))
        if unknown:
            raise CommandRefusedError(422, f"/{self.about.name} has no option {', '.join(unknown)}. {self._usage()}")
        missing = [option.name for option in known.values() if option.required and option.name not in raw]
        if missing:
            raise CommandRefusedError(422, f"/{self.about.name}: {', '.join(missing)} is missing. {self._usage()}")
        return {name: self._converted(known[name], value) for name, value in raw.items()}

    def describe(self) -> dict[str, Any]:
        """Plain data for lists of commands."""
        options = [
            {
                "name": option.name,
                "description": str(option.description),
                "type": option.type.name,
                "required": option.required,
                "choices": [choice.value for choice in option.choices],
            }
            for option in self.slash.parameters
        ]
        return asdict(self.about) | {"parameters": options}

    def _usage(self) -> str:
        return f"Usage: {self.about.usage}"

    def _converted(self, option: app_commands.Parameter, value: Any) -> Any:
        annotation = self._options[option.name].annotation
        if inspect.isclass(annotation) and issubclass(annotation, enum.Enum) and value in annotation.__members__:
            return annotation[value]
        try:
            converted = _convert(option.type, value)
            if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
                return annotation(converted)
        except (ValueError, TypeError):
            raise CommandRefusedError(
                422, f"/{self.about.name}: {option.name} is {value!r}, which is not of type {option.type.name}"
            ) from None
        low, high = option.min_value, option.max_value
        size = len(converted) if isinstance(converted, str) else converted
        if (low is not None and size < low) or (high is not None and size > high):
            raise CommandRefusedError(422, f"/{self.about.name}: {option.name} must be from {low} to {high}")
        if option.choices and converted not in {
            one for choice in option.choices for one in (choice.name, choice.value)
        }:
            names = ", ".join(choice.name for choice in option.choices)
            raise CommandRefusedError(422, f"/{self.about.name}: {option.name} is {value!r}; it must be one of {names}")
        return converted

    def _make_slash(
        self,
        parameters: Mapping[str, Mapping[str, Any]],
        run: Callable[[RegisteredCommand, Any, dict[str, Any]], Awaitable[None]],
    ) -> app_commands.Command[Any, ..., Any]:
        async def callback(interaction: discord.Interaction, **options: Any) -> None:
            await run(self, interaction, options)

        first = inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_ONLY, annotation=discord.Interaction)
        marked = cast("Any", callback)
        marked.__signature__ = inspect.Signature([first, *self._options.values()])
        marked.__discord_app_commands_param_description__ = {
            name: str(parameters.get(name, {}).get("description") or name) for name in self._options
        }
        marked.__discord_app_commands_param_choices__ = {
            name: [app_commands.Choice(name=str(value), value=value) for value in about["choices"]]
            for name, about in parameters.items()
            if about.get("choices")
        }
        if self.about.permissions:
            flags = dict.fromkeys(self.about.permissions, True)
            marked.__discord_app_commands_default_permissions__ = discord.Permissions(**flags)
        if not 1 <= len(self.about.description) <= 100:
            raise CommandError(
                f"command {self.about.name!r}: its description has {len(self.about.description)} characters; 1 to 100 are allowed"
            )
        try:
            return app_commands.Command(name=self.about.name, description=self.about.description, callback=marked)
        except (TypeError, ValueError) as error:
            raise CommandError(f"command {self.about.name!r}: {error}") from error


def split(content: str) -> tuple[str, list[str]]:
    """A typed command's name, without the slash, and its words.

    Raises:
        CommandRefusedError: 422: it is empty, or a quote is not closed.
    """
    try:
        words = shlex.split(content)
    except ValueError as error:
        raise CommandRefusedError(422, f"content {content!r}: {error}") from None
    name = words[0].lstrip("/!") if words else ""
    if not name:
        raise CommandRefusedError(422, "content names no command; e.g. /roll sides:6")
    return name, words[1:]


def _options_of(
    command: str, handler: Callable[..., Any], parameters: Mapping[str, Mapping[str, Any]]
) -> tuple[bool, dict[str, inspect.Parameter]]:
    """Whether the handler takes the interaction, and its options as keyword parameters with annotations."""
    try:
        declared = list(inspect.signature(handler, eval_str=True).parameters.values())
    except (NameError, TypeError, ValueError) as error:
        raise CommandError(f"command {command!r}: the handler's signature can't be read: {error}") from error
    takes = bool(declared) and _is_interaction(declared[0])
    taken = {parameter.name: parameter for parameter in declared[takes:]}
    rest = [name for name, one in taken.items() if one.kind is one.VAR_KEYWORD]
    options = {name: one for name, one in taken.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    for name, about in parameters.items():
        if unknown := sorted(set(about) - _KNOWN):
            raise CommandError(
                f"command {command!r}: parameter {name!r}: unknown {', '.join(unknown)}; known: {', '.join(sorted(_KNOWN))}"
            )
        if name not in options and not rest:
            raise CommandError(f"command {command!r}: the handler takes no parameter {name!r}")
        options[name] = _refined(command, options.get(name), name, about)
    empty = inspect.Parameter.empty
    return takes, {
        name: one.replace(
            kind=inspect.Parameter.KEYWORD_ONLY, annotation=str if one.annotation is empty else one.annotation
        )
        for name, one in options.items()
    }


def _refined(
    command: str, declared: inspect.Parameter | None, name: str, about: Mapping[str, Any]
) -> inspect.Parameter:
    parameter = declared or inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
    wanted = about.get("type")
    if wanted is not None and parameter.annotation is parameter.empty:
        annotation = TYPES.get(wanted.lower()) if isinstance(wanted, str) else wanted
        if annotation is None:
            raise CommandError(
                f"command {command!r}: parameter {name!r}: unknown type {wanted!r}; known: {', '.join(TYPES)}"
            )
        parameter = parameter.replace(annotation=annotation)
    if "default" in about:
        return parameter.replace(default=about["default"])
    if about.get("required") is False and parameter.default is parameter.empty:
        return parameter.replace(default=None)
    return parameter


def _is_interaction(parameter: inspect.Parameter) -> bool:
    if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
        return False
    annotation = parameter.annotation
    if parameter.name == "interaction" or annotation is parameter.empty:
        return True
    return inspect.isclass(annotation) and issubclass(annotation, discord.Interaction)


def _named(word: str, names: set[str]) -> tuple[str | None, str]:
    for separator in (":", "="):
        name, found, value = word.partition(separator)
        if found and name in names:
            return name, value
    return None, word


def _convert(kind: OptionType, value: Any) -> Any:
    """`value` as Discord would send an option of that kind; ValueError or TypeError when it is none."""
    if kind is OptionType.boolean:
        words = {"true": True, "yes": True, "false": False, "no": False}
        if isinstance(value, bool):
            return value
        if str(value).lower() not in words:
            raise ValueError
        return words[str(value).lower()]
    if isinstance(value, bool):
        raise TypeError
    if kind is OptionType.integer:
        if isinstance(value, float) and not value.is_integer():
            raise ValueError
        return int(value)
    if kind is OptionType.number:
        return float(value)
    if kind is OptionType.string and isinstance(value, str | int | float):
        return str(value)
    raise TypeError
