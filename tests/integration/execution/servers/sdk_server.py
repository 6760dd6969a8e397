"""A server as the official SDK's documentation shows one."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("sdk", log_level="WARNING")


@server.tool()
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def fail() -> str:
    """Fail."""
    raise ValueError("inside")


server.run()
