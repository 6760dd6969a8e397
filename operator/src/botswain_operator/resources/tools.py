"""The file of MCP servers that execution-service gets, if the bot wants anything else than the one in the image.

It repeats the servers that ship with the image, because the file replaces that of the image; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from botswain_operator.manifests import Manifest, without_nothing
from botswain_operator.spec import Tools

SHARE = "/opt/botswain/share"
"""Where the image has `mcp_servers/` and `config/`."""

_SHIPPED: dict[str, Manifest] = {
    "discord": {
        "command": "${PYTHON}",
        "args": ["mcp_servers/discord_server.py"],
        "env": {
            "DISCORD_BOT_TOKEN": "${DISCORD_BOT_TOKEN:-}",
            "DISCORD_API_URL": "${DISCORD_API_URL}",
            "DISCORD_ALLOWED_MENTIONS": "${DISCORD_ALLOWED_MENTIONS:-}",
            "DISCORD_REQUESTS_PER_SECOND": "${DISCORD_REQUESTS_PER_SECOND:-50}",
        },
        "required": True,
        "deliveringTools": ["discord_send_message", "discord_edit_message"],
        "channelScope": {"argument": "channel_id", "unnamed": "refuse"},
        "limits": {"memoryMb": 2048},
    },
    "filesystem": {
        "command": "${PYTHON}",
        "args": ["mcp_servers/filesystem_server.py"],
        "env": {"FILESYSTEM_ROOT": "${FILESYSTEM_ROOT}", "FILESYSTEM_READ_ONLY": "${FILESYSTEM_READ_ONLY:-false}"},
        "limits": {"memoryMb": 2048},
    },
    "fetch": {
        "command": "${PYTHON}",
        "args": ["mcp_servers/fetch_server.py"],
        "env": {"FETCH_ALLOW_PRIVATE": "${FETCH_ALLOW_PRIVATE}"},
        "limits": {"memoryMb": 2048},
    },
}


def servers_file(tools: Tools) -> dict[str, Any] | None:
    """The file's content; None if the one in the image says what the bot wants."""
    if tools.allow is None and tools.channels == "event" and not tools.mcp_servers and tools.approval is None:
        return None
    servers: dict[str, Manifest] = {name: {**server, "cwd": SHARE} for name, server in _SHIPPED.items()}
    if tools.channels == "any":
        del servers["discord"]["channelScope"]
    for name, own in sorted(tools.mcp_servers.items()):
        servers[name] = without_nothing({"command": own.command, "args": list(own.args), "env": own.env})
    if tools.allow is not None:
        for server in servers.values():
            server["allowedTools"] = sorted(tools.allow)
    if tools.approval is not None:
        for server in servers.values():
            server["approvalTools"] = sorted(tools.approval.tools)
    return {"mcpServers": servers}
