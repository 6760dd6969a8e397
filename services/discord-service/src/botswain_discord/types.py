"""What bots and their callers exchange: commands, kinds of events, and the schemas of the bot service's endpoints.

Plain data; nothing here needs discord.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botswain_services import TaskSchema
from pydantic import BaseModel, Field


class DiscordEventType(Enum):
    """Types of events that can be handled; beside each, the keywords that `DiscordEventHandler.handle` gets."""

    READY = "ready"
    """None: the bot is connected and knows its guilds."""
    MESSAGE = "message"
    """`message`: somebody else than this bot wrote it."""
    MESSAGE_EDIT = "message_edit"
    """`before`, `after`: messages. Only of messages seen since the start, as are all events of old messages."""
    MESSAGE_DELETE = "message_delete"
    """`message`."""
    REACTION_ADD = "reaction_add"
    """`reaction`, `user`."""
    REACTION_REMOVE = "reaction_remove"
    """`reaction`, `user`."""
    MEMBER_JOIN = "member_join"
    """`member`. Asks for the privileged intent `members`."""
    MEMBER_LEAVE = "member_leave"
    """`member`. Asks for the privileged intent `members`."""
    GUILD_JOIN = "guild_join"
    """`guild`."""
    GUILD_REMOVE = "guild_remove"
    """`guild`."""
    VOICE_STATE_UPDATE = "voice_state_update"
    """`member`, `before`, `after`."""
    COMMAND = "command"
    """`command` (a `DiscordCommand`), `interaction`, `options`: it was allowed and is about to run."""
    ERROR = "error"
    """`error`, and `source`: the command or the event type in whose handler it was raised."""


class DiscordEventHandler(ABC):
    """Handles events of the types it is registered for."""

    @abstractmethod
    async def handle(self, event_type: DiscordEventType, **kwargs: Any) -> None:
        """Handle one event; `DiscordEventType` tells the keywords of each. What it raises is logged and becomes an ERROR."""


@dataclass
class DiscordCommand:
    """A command, as it was registered. `cooldown` in seconds, each user's own; `permissions` by discord.py's names."""

    name: str
    description: str
    usage: str
    aliases: list[str]
    category: str
    enabled: bool = True
    hidden: bool = False
    cooldown: int | None = None
    permissions: list[str] | None = None


class DiscordCommandInput(BaseModel):
    """A command to run, as somebody would type it, and who and where that is.

    Ids may be left out where the command doesn't need them; one with `permissions` needs `author_id` and `channel_id`.
    """

    content: str = Field(
        description="the command, e.g. `/roll sides:6` or `roll 6`; quotes keep words with spaces together"
    )
    options: dict[str, Any] = Field(default={}, description="options by name; before those in `content`")
    author_id: int | None = Field(default=None, description="Discord id of who runs it")
    channel_id: int | None = Field(default=None, description="Discord id of the channel it is run in")
    guild_id: int | None = Field(default=None, description="Discord id of the guild")
    message_id: int | None = Field(default=None, description="Discord id of a message that it belongs to")


class DiscordCommandOutput(BaseModel):
    """What a command answered: its texts, one a line or more, and the embed if there is one."""

    response: str
    embed: dict[str, Any] | None = None
    delete_after: float | None = None


class DiscordStatusOutput(BaseModel):
    """How a bot is. `latency` in seconds, None while it isn't connected."""

    bot_name: str | None = None
    guild_count: int = 0
    user_count: int = 0
    latency: float | None = None
    status: str


class DiscordCommandsOutput(BaseModel):
    """The registered commands: the fields of `DiscordCommand`, and `parameters`."""

    commands: list[dict[str, Any]]


class DiscordCommandSchema(TaskSchema):
    """Contract of `execute_command`."""

    name: str = "execute_command"
    input_schema: type[BaseModel] | None = DiscordCommandInput
    output_schema: type[BaseModel] | None = DiscordCommandOutput


class DiscordStatusSchema(TaskSchema):
    """Contract of `get_bot_status`."""

    name: str = "get_bot_status"
    output_schema: type[BaseModel] | None = DiscordStatusOutput


class DiscordCommandsSchema(TaskSchema):
    """Contract of `get_commands`."""

    name: str = "get_commands"
    output_schema: type[BaseModel] | None = DiscordCommandsOutput
