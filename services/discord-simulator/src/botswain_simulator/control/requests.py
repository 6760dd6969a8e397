"""What handlers of the control API get: the request's body, and readers that complain in sentences."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botswain_simulator.errors import WorldError
from botswain_simulator.models import Channel, Guild, Json, User
from botswain_simulator.rest.routing import Body, File
from botswain_simulator.snowflakes import is_snowflake
from botswain_simulator.world import World


@dataclass(slots=True)
class ControlRequest:
    """One request to /sim/."""

    world: World
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Body

    @property
    def data(self) -> Json:
        """The body as an object; an absent one is empty."""
        data = self.body.data if self.body.data is not None else {}
        if not isinstance(data, dict):
            raise WorldError("the body must be a JSON object")
        return data

    def text(self, name: str, *, longest: int | None = None) -> str:
        """A field that must be there."""
        value = self.optional(name, longest=longest)
        if not value:
            raise WorldError(f"{name}: missing; it must be a text")
        return value

    def optional(self, name: str, *, longest: int | None = None) -> str | None:
        value = self.data.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
            raise WorldError(f"{name}: {value!r} must be a text")
        if value is not None and longest is not None and len(str(value)) > longest:
            raise WorldError(f"{name}: {len(str(value))} characters; at most {longest} are allowed")
        return None if value is None else str(value)

    def items(self, name: str) -> list[Any]:
        """A list; an absent one is empty."""
        value = self.data.get(name)
        if value is not None and not isinstance(value, list):
            raise WorldError(f"{name}: {value!r} must be a list")
        return value or []

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A number from the query string."""
        value = self.query.get(name, str(default))
        if not value.isdecimal() or not lowest <= int(value[:12]) <= highest:
            raise WorldError(f"{name}: {value!r} must be a number from {lowest} to {highest}")
        return int(value)

    def snowflake(self, name: str) -> str | None:
        """An id from the query string."""
        value = self.query.get(name)
        if value is not None and not is_snowflake(value):
            raise WorldError(f"{name}: {value!r} is not an id; ids are decimal numbers")
        return value

    def channel(self) -> Channel:
        return self.world.channel(self.params["channel_id"])

    def guild(self) -> Guild:
        return self.world.guild(self.params["guild_id"])

    def speaker(self, channel: Channel | None = None) -> User:
        """Who acts: `user_id` or `username` of the body or the query, else the default user. Must be in the
        channel's guild.
        """
        user_id = self.optional("user_id") or self.query.get("user_id")
        username = self.optional("username") or self.query.get("username")
        if user_id:
            user = self.world.user(user_id)
        elif username:
            user = self.world.user_named(username)
        else:
            user = self.world.user(self.world.default_user_id or "")
        if channel is not None:
            self._check_present(user, channel)
        return user

    def _check_present(self, user: User, channel: Channel) -> None:
        if channel.guild_id is None:
            if user.id not in channel.recipients:
                raise WorldError(
                    f"user_id: {user.username} ({user.id}) is not part of direct conversation {channel.id}"
                )
        elif user.id not in self.world.guilds[channel.guild_id].members:
            raise WorldError(
                f"user_id: {user.username} ({user.id}) is not in guild {channel.guild_id}; "
                f"POST /sim/guilds/{channel.guild_id}/members lets them in"
            )

    def files(self) -> list[File]:
        """Uploaded files: multipart ones, and those given as base64 under `attachments`."""
        found = list(self.body.files.values())
        for index, item in enumerate(self.items("attachments")):
            if not isinstance(item, dict) or "data" not in item:
                continue
            try:
                data = base64.b64decode(item["data"], validate=True)
            except (binascii.Error, TypeError, ValueError) as error:
                raise WorldError(f"attachments[{index}].data: not base64: {error}") from error
            filename = str(item.get("filename") or f"file{index}")
            found.append(File(filename, str(item.get("content_type") or "application/octet-stream"), data))
        return found
