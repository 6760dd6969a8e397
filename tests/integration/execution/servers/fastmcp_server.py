"""A server as fastmcp's documentation shows one."""

from fastmcp import FastMCP

server = FastMCP("fast")


@server.tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


server.run(show_banner=False)
