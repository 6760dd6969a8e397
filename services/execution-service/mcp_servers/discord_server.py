"""MCP server for Discord's REST API: send a message, edit one, react to one. Runs under execution-service, over stdio.

Environment: DISCORD_BOT_TOKEN, DISCORD_API_URL, DISCORD_ALLOWED_MENTIONS (kinds that messages may ping, e.g. `users,roles`;
empty: nobody), DISCORD_REQUESTS_PER_SECOND (50, which is Discord's global limit unless it has granted more). Calls run side by
side in one process; what a bot may do per second is counted here, so run one process of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

from botswain_execution.servers.calls import TRANSIENT, CallMeta, call_meta, log_libraries
from botswain_execution.servers.discord_errors import DiscordError
from botswain_execution.servers.discord_limits import GLOBAL_LIMIT, RateLimiter
from botswain_execution.servers.discord_rest import DiscordRest, allowed_mentions
from botswain_execution.servers.stdio import serve
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

LONGEST_CONTENT = 2000
"""Characters of a message [resources/message, "Create Message"]."""

ChannelId = Annotated[str, Field(description="Id of the channel or thread: digits.", pattern=r"^\d{1,20}$")]
MessageId = Annotated[str, Field(description="Id of the message: digits.", pattern=r"^\d{1,20}$")]
Content = Annotated[str, Field(description="The text, in Discord's Markdown; at most 2000 characters.")]


class Message(BaseModel):
    """The message that was written."""

    message_id: str
    channel_id: str


class Reaction(BaseModel):
    """The reaction that was added."""

    message_id: str
    channel_id: str
    emoji: str


def _limits() -> tuple[dict[str, Any], int]:
    """What messages may ping, and requests a second. Raises ValueError naming the variable that is wrong."""
    mentions = allowed_mentions(os.environ.get("DISCORD_ALLOWED_MENTIONS", ""))
    per_second = os.environ.get("DISCORD_REQUESTS_PER_SECOND") or str(GLOBAL_LIMIT)
    if not per_second.isdecimal() or int(per_second) < 1:
        raise ValueError(f"DISCORD_REQUESTS_PER_SECOND: {per_second!r} is not a number above 0")
    return mentions, int(per_second)


@asynccontextmanager
async def _connected(_server: MCPServer[DiscordRest]) -> AsyncIterator[DiscordRest]:
    mentions, per_second = _limits()
    rest = DiscordRest(
        os.environ.get("DISCORD_BOT_TOKEN", ""),
        os.environ.get("DISCORD_API_URL") or "https://discord.com/api/v10",
        allowed_mentions=mentions,
        limiter=RateLimiter(per_second=per_second),
    )
    try:
        yield rest
    finally:
        await rest.close()


log_libraries()
server = MCPServer("discord", version="0.1.0", lifespan=_connected, log_level="WARNING")
DiscordContext = Context[DiscordRest, None]


def _parts(context: DiscordContext) -> tuple[DiscordRest, CallMeta]:
    request = context.request_context
    return request.lifespan_context, call_meta(request.meta)


def _failed(error: DiscordError) -> CallToolResult:
    """The error as a result: as a result it can say that the same call may succeed in a moment."""
    if not error.transient:
        raise ToolError(str(error)) from None
    return CallToolResult(content=[TextContent(type="text", text=str(error))], is_error=True, _meta={TRANSIENT: True})


def _checked(content: str) -> str:
    if not content.strip():
        raise ToolError("content is empty; Discord takes no empty messages")
    if len(content) > LONGEST_CONTENT:
        raise ToolError(
            f"content has {len(content):,} characters, and Discord takes at most {LONGEST_CONTENT:,}. "
            "Send it as several messages."
        )
    return content


@server.tool(annotations=ToolAnnotations(destructive_hint=False, idempotent_hint=True))
async def discord_send_message(channel_id: ChannelId, content: Content, context: DiscordContext) -> Message:
    """Send a message to a Discord channel. Call it once for each message; people see it at once."""
    rest, meta = _parts(context)
    try:
        message_id = await rest.send_message(channel_id, _checked(content), meta)
    except DiscordError as error:
        return cast(Message, _failed(error))
    return Message(message_id=message_id, channel_id=channel_id)


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
async def discord_edit_message(
    channel_id: ChannelId, message_id: MessageId, content: Content, context: DiscordContext
) -> Message:
    """Replace the text of a message that you sent before. The old text is gone."""
    rest, meta = _parts(context)
    try:
        await rest.edit_message(channel_id, message_id, _checked(content), meta)
    except DiscordError as error:
        return cast(Message, _failed(error))
    return Message(message_id=message_id, channel_id=channel_id)


@server.tool(annotations=ToolAnnotations(destructive_hint=False, idempotent_hint=True))
async def discord_add_reaction(
    channel_id: ChannelId,
    message_id: MessageId,
    emoji: Annotated[
        str, Field(description="One emoji, such as 👍, or name:id for one of the server's own.", min_length=1)
    ],
    context: DiscordContext,
) -> Reaction:
    """React to a message with an emoji. This sends no text."""
    rest, meta = _parts(context)
    plain = emoji.strip().removeprefix("<").removesuffix(">").removeprefix("a:").removeprefix(":")
    try:
        await rest.add_reaction(channel_id, message_id, plain, meta)
    except DiscordError as error:
        return cast(Reaction, _failed(error))
    return Reaction(message_id=message_id, channel_id=channel_id, emoji=plain)


if __name__ == "__main__":
    try:
        _limits()
    except ValueError as error:
        sys.exit(str(error))
    serve(server)
