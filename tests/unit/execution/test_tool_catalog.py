"""Names of tools over all servers."""

from __future__ import annotations

from collections.abc import Sequence

import mcp_types
import pytest
from botswain_execution.catalog import Catalog
from botswain_execution.config import ServerConfig
from botswain_execution.errors import UnknownToolError
from botswain_execution.runtime import ServerTools
from structlog.testing import capture_logs


def tool(name: str, description: str = "") -> mcp_types.Tool:
    return mcp_types.Tool(name=name, description=description, input_schema={"type": "object"})


def listing(server: str, names: Sequence[str]) -> ServerTools:
    return ServerTools(server, tuple(tool(name) for name in names))


def catalog(**servers: ServerConfig) -> Catalog:
    return Catalog(servers)


def test_first_server_of_the_file_has_the_name_and_later_ones_get_a_longer_one() -> None:
    """Two tools of one name are both there; the warning says what the second is called."""
    tools = catalog(a=ServerConfig(command="x"), b=ServerConfig(command="x"))
    with capture_logs() as logs:
        tools.update([listing("a", ["search"]), listing("b", ["search", "open"])])
    assert [(entry.name, entry.server) for entry in tools.tools] == [("search", "a"), ("b__search", "b"), ("open", "b")]
    assert tools.find("search").server == "a"
    assert tools.find("b__search").tool.name == "search"
    assert [line["name"] for line in logs if line["event"] == "mcp_tool_renamed"] == ["b__search"]


def test_longer_form_works_for_every_tool() -> None:
    """`<server>__<tool>` names a tool whether its short name is taken or not."""
    tools = catalog(a=ServerConfig(command="x"))
    tools.update([listing("a", ["search"])])
    assert tools.find("a__search") is tools.find("search")


def test_unknown_tool_names_the_nearest() -> None:
    """The error says which tool may have been meant."""
    tools = catalog(a=ServerConfig(command="x"))
    tools.update([listing("a", ["discord_send_message"])])
    with pytest.raises(UnknownToolError, match=r"'send_message'\. Did you mean discord_send_message\?"):
        tools.find("send_message")


def test_update_tells_whether_anything_changed() -> None:
    """The same listing again is no change; another description is one, and replaces the tool."""
    tools = catalog(a=ServerConfig(command="x"))
    assert tools.update([listing("a", ["t"])])
    assert not tools.update([listing("a", ["t"])])
    assert tools.update([ServerTools("a", (tool("t", "new"),))])
    assert tools.find("t").tool.description == "new"


def test_denied_tools_are_not_listed_and_absent_ones_are_warned_of() -> None:
    """`deniedTools` hides tools; a name in the configuration that the server doesn't list is a likely slip."""
    tools = catalog(a=ServerConfig(command="x", denied_tools=frozenset({"rm"}), delivering_tools=frozenset({"sned"})))
    with capture_logs() as logs:
        tools.update([listing("a", ["rm", "send"])])
    assert [entry.name for entry in tools.tools] == ["send"]
    assert not tools.find("rm").permitted
    assert [line["tools"] for line in logs] == [["sned"]]


def test_tool_with_a_broken_schema_is_kept() -> None:
    """Its arguments go unchecked, and a warning says why."""
    tools = catalog(a=ServerConfig(command="x"))
    broken = mcp_types.Tool(name="t", input_schema={"type": "nonsense"})
    with capture_logs() as logs:
        tools.update([ServerTools("a", (broken,))])
    assert tools.find("t").complaint({"anything": 1}) is None
    assert logs[0]["event"] == "mcp_tool_schema_invalid"
