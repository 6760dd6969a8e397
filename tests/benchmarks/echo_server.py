"""The MCP server that `bench_execution.py` calls: one small tool, made and served as those of the shipped servers are.

With `--sdk` it is served by the SDK's own transport, as servers of others are.
"""

import sys

from botswain_execution.servers.stdio import serve
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

server = MCPServer("echo", log_level="WARNING")


class Echo(BaseModel):
    """What was said."""

    text: str


@server.tool()
async def echo(text: str) -> Echo:
    """Say the same."""
    return Echo(text=text)


if "--sdk" in sys.argv:
    server.run()
else:
    serve(server)
