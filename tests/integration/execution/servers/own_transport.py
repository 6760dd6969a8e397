"""A server that is served as the shipped ones are, and whose tools strain the transport."""

import os
import subprocess

from botswain_execution.servers.stdio import serve
from mcp.server.mcpserver import MCPServer

server = MCPServer("own", log_level="WARNING")


@server.tool()
def chatter(text: str) -> str:
    """Print, here and in a child, before answering."""
    print("from Python")
    os.write(1, b"from the descriptor\n")
    subprocess.run(["echo", "from a child"], check=True)
    return text


@server.tool()
async def repeat(text: str, times: int) -> str:
    """A long answer."""
    return text * times


@server.tool()
def read_input() -> str:
    """What a child that reads its input gets."""
    return subprocess.run(["cat"], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    serve(server)
