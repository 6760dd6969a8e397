"""Routes, and what a handler gets to work with.

A handler is a plain function: the body has been read before it is called, and whatever it returns becomes JSON. That
keeps each of them atomic: nothing else happens in the world while it runs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from botswain_simulator.gateway import Hub
from botswain_simulator.models import Application, Channel, Guild, Message, User
from botswain_simulator.permissions import Permissions, guild_permissions
from botswain_simulator.rest import errors
from botswain_simulator.rest.forms import Form
from botswain_simulator.settings import Settings
from botswain_simulator.snowflakes import is_snowflake
from botswain_simulator.stats import Stats
from botswain_simulator.world import World


@dataclass(slots=True)
class File:
    """An uploaded file of a multipart body."""

    filename: str
    content_type: str
    data: bytes


@dataclass(slots=True)
class Body:
    """A request's body: JSON (None when there was none) and files by their form name."""

    data: Any = None
    files: dict[str, File] = field(default_factory=dict)


@dataclass(slots=True)
class Reply:
    """An answer with another status than 200 or 204."""

    status: int
    data: Any = None


@dataclass(slots=True)
class Context:
    """One request, with the checks that most handlers make."""

    world: World
    hub: Hub
    settings: Settings
    stats: Stats
    params: dict[str, str]
    query: Mapping[str, str]
    body: Body
    origin: str
    """Scheme and host by which the client reached the simulator, as for HTTP."""
    bot: Application | None = None

    @property
    def me(self) -> Application:
        if self.bot is None:
            raise errors.unauthorized()
        return self.bot

    def form(self) -> Form:
        """The body as an object; an absent one is an empty object."""
        return Form({} if self.body.data is None else self.body.data)

    def query_form(self) -> Form:
        return Form(dict(self.query))

    def user(self, user_id: str) -> User:
        """A user by id or "@me"."""
        if user_id == "@me":
            return self.me.user
        user = self.world.users.get(user_id)
        if user is None:
            raise errors.unknown("user")
        return user

    def guild(self, permission: int = 0) -> Guild:
        """The guild of the path, if the bot is in it and has the permission there."""
        guild = self.world.guilds.get(self.params["guild_id"])
        if guild is None:
            raise errors.unknown("guild")
        member = guild.members.get(self.me.id)
        if member is None:
            raise errors.missing_access()
        if permission & ~guild_permissions(guild, member):
            raise errors.missing_permissions()
        return guild

    def channel(self, permission: int = 0, channel_id: str | None = None) -> Channel:
        """The channel of the path, if the bot sees it and has the permission there."""
        channel = self.world.channels.get(channel_id or self.params["channel_id"])
        if channel is None:
            raise errors.unknown("channel")
        held = self.world.permissions_in(channel, self.me.id)
        if not held & Permissions.VIEW_CHANNEL:
            raise errors.missing_access()
        if permission & ~held:
            raise errors.missing_permissions()
        return channel

    def message(self, channel: Channel) -> Message:
        message = channel.messages.get(self.params["message_id"])
        if message is None or message.ephemeral_for is not None:
            raise errors.unknown("message")
        return message


Handler = Callable[[Context], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and path with what answers it. Routes of one `bucket` share their rate limit."""

    method: str
    template: str
    handler: Handler
    needs_bot: bool
    bucket: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


class Routes:
    """The routes of one module."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def __call__(
        self, method: str, template: str, *, needs_bot: bool = True, bucket: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Decorate a handler; `template` like `/channels/{channel_id}`."""

        def register(handler: Handler) -> Handler:
            self._routes.append(Route(method, template, handler, needs_bot, bucket or f"{method} {template}"))
            return handler

        return register


@dataclass(slots=True)
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    param: "_Node | None" = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class Router:
    """Finds the route for a path. A fixed segment (`@me`) goes before a parameter."""

    def __init__(self, routes: list[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node, names = self._root, []
            for part in route.template.strip("/").split("/"):
                if part.startswith("{"):
                    names.append(part[1:-1])
                    node.param = node.param or _Node()
                    node = node.param
                else:
                    node = node.fixed.setdefault(part, _Node())
            node.routes[route.method] = (route, tuple(names))

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """The route and its parameters. Raises Discord's 404, 405, or 50035 for an id that is none."""
        parts = [unquote(part) for part in raw_path.strip("/").split("/")]
        fallback: _Node | None = None
        for node, values in self._walk(self._root, parts, ()):
            if method in node.routes:
                route, names = node.routes[method]
                params = dict(zip(names, values, strict=True))
                _check_ids(params)
                return route, params
            fallback = node if node.routes else fallback
        raise errors.method_not_allowed() if fallback else errors.not_found()

    def _walk(self, node: _Node, parts: list[str], values: tuple[str, ...]) -> Iterator[tuple[_Node, tuple[str, ...]]]:
        if not parts:
            yield node, values
            return
        head, rest = parts[0], parts[1:]
        if head in node.fixed:
            yield from self._walk(node.fixed[head], rest, values)
        if node.param is not None:
            yield from self._walk(node.param, rest, (*values, head))


def _check_ids(params: dict[str, str]) -> None:
    for name, value in params.items():
        if name.endswith("_id") and not is_snowflake(value) and not (name == "user_id" and value == "@me"):
            raise errors.invalid_field(name, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
