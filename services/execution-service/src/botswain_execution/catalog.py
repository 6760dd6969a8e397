"""The tools of all servers, under the names that agents use.

A name belongs to the first server, in the file's order, that offers it; later ones get `<server>__<tool>`. That longer form works
for every tool, whether its short name is taken or not. (Two underscores, not a dot: model APIs refuse dots in tool names.)
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import mcp_types
from botswain_services.logs import get_logger

from botswain_execution.arguments import Complaint, InvalidSchemaError, checker
from botswain_execution.config import ServerConfig
from botswain_execution.errors import UnknownToolError
from botswain_execution.runtime import ServerTools

log = get_logger(__name__)

SEPARATOR = "__"


@dataclass(frozen=True, slots=True)
class CatalogTool:
    """A tool: `name` as agents call it, `tool` as its server lists it."""

    name: str
    server: str
    tool: mcp_types.Tool
    config: ServerConfig
    complaint: Complaint

    @property
    def permitted(self) -> bool:
        """Whether the server's entry lets agents use it."""
        return self.config.permits(self.tool.name)

    @property
    def delivers(self) -> bool:
        """Whether it puts text before the user when it succeeds."""
        return self.tool.name in self.config.delivering_tools

    @property
    def needs_approval(self) -> bool:
        """Whether a person has to approve each call."""
        return self.tool.name in self.config.approval_tools


class Catalog:
    """The last listing of every server. `update()` it when one changes."""

    def __init__(self, servers: Mapping[str, ServerConfig]) -> None:
        self._servers = servers
        self._listings: dict[str, tuple[mcp_types.Tool, ...]] = {}
        self._by_name: dict[str, CatalogTool] = {}
        self._listed: tuple[CatalogTool, ...] = ()

    @property
    def tools(self) -> tuple[CatalogTool, ...]:
        """Each permitted tool once, in the order of the file and of the listings."""
        return tuple(tool for tool in self._listed if tool.permitted)

    def update(self, listings: Sequence[ServerTools]) -> bool:
        """Take the servers' listings, in the file's order; whether anything changed."""
        current = {listing.server: listing.tools for listing in listings}
        if current == self._listings:
            return False
        known = {(tool.server, tool.tool.name): tool for tool in self._listed}
        self._listings = current
        by_name: dict[str, CatalogTool] = {}
        listed: list[CatalogTool] = []
        for listing in listings:
            self._warn_of_absent(listing)
            for tool in listing.tools:
                full = f"{listing.server}{SEPARATOR}{tool.name}"
                name = full if tool.name in by_name else tool.name
                old = known.get((listing.server, tool.name))
                entry = (
                    replace(old, name=name)
                    if old is not None and old.tool == tool
                    else self._make(name, listing.server, tool)
                )
                if name != tool.name:
                    log.warning("mcp_tool_renamed", server=listing.server, tool=tool.name, name=name)
                by_name[name] = entry
                by_name.setdefault(full, entry)
                listed.append(entry)
        self._by_name, self._listed = by_name, tuple(listed)
        return True

    def find(self, name: str) -> CatalogTool:
        """The tool of that name, permitted or not.

        Raises:
            UnknownToolError: names the nearest ones.
        """
        try:
            return self._by_name[name]
        except KeyError:
            near = difflib.get_close_matches(name, [tool.name for tool in self.tools], n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise UnknownToolError(f"no server offers a tool named {name!r}.{hint}") from None

    def _make(self, name: str, server: str, tool: mcp_types.Tool) -> CatalogTool:
        try:
            complaint = checker(tool.input_schema)
        except InvalidSchemaError as error:
            log.warning("mcp_tool_schema_invalid", server=server, tool=tool.name, reason=str(error))
            complaint = _no_complaint
        return CatalogTool(name, server, tool, self._servers[server], complaint)

    def _warn_of_absent(self, listing: ServerTools) -> None:
        config = self._servers[listing.server]
        named = config.delivering_tools | config.denied_tools | config.approval_tools
        named |= config.allowed_tools or frozenset()
        absent = named - {tool.name for tool in listing.tools}
        if absent:
            log.warning("mcp_configured_tools_absent", server=listing.server, tools=sorted(absent))


def _no_complaint(_arguments: Mapping[str, object]) -> str | None:
    return None
