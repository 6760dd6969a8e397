"""MCP server that fetches web pages as Markdown. Only public addresses are asked, unless FETCH_ALLOW_PRIVATE=true. Runs under
execution-service, over stdio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from botswain_execution.servers.addresses import RefusedUrlError
from botswain_execution.servers.calls import log_libraries
from botswain_execution.servers.pages import Fetcher, FetchError, to_markdown
from botswain_execution.servers.stdio import serve
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field


@asynccontextmanager
async def _connected(_server: MCPServer[Fetcher]) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(allow_private=os.environ.get("FETCH_ALLOW_PRIVATE", "").lower() in ("1", "true", "yes"))
    try:
        yield fetcher
    finally:
        await fetcher.close()


log_libraries()
server = MCPServer("fetch", version="0.1.0", lifespan=_connected, log_level="WARNING")


@server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True), structured_output=False)
async def fetch(
    url: Annotated[str, Field(description="The page's address, with http:// or https://.")],
    context: Context[Fetcher, None],
    max_length: Annotated[int, Field(description="Most characters to return.", ge=1, le=100_000)] = 5000,
    start_index: Annotated[int, Field(description="Character to start at, to read on in a long page.", ge=0)] = 0,
    raw: Annotated[bool, Field(description="Return the HTML itself, not Markdown.")] = False,
) -> str:
    """Fetch a web page and return its text as Markdown."""
    try:
        page = await context.request_context.lifespan_context.fetch(url)
    except (RefusedUrlError, FetchError) as error:
        raise ToolError(str(error)) from None
    text = page.text if raw or not page.is_html else await asyncio.to_thread(to_markdown, page.text)
    part = text[start_index : start_index + max_length]
    if not part:
        return f"Contents of {page.url}:\n[nothing at start_index={start_index}: the page has {len(text)} characters]"
    left = len(text) - start_index - len(part)
    more = f"\n[{left} more characters; read on with start_index={start_index + len(part)}]" if left > 0 else ""
    return f"Contents of {page.url}:\n{part}{more}"


if __name__ == "__main__":
    serve(server)
