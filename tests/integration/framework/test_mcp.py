"""Services as MCP servers, seen by fastmcp's client and by the official one."""

import subprocess
import sys

import pytest
from botswain_services import ConnectionManager
from botswain_services.samples.echo_mcp import EchoService
from launchables import Calculator
from mcp import Client as OfficialClient


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    """One service for all tests here; with two workers, so that no session can hide."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SERVICE_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        manager = EchoService.launch(port=0, progress_bar=False, num_workers=2)
    yield manager
    manager._launched.end()


async def test_tools_have_typed_arguments_and_say_whose_they_are(echo):
    """Endpoints with `as_tool`, plain functions, and the default ones that read."""
    async with echo.mcp_client as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
    assert set(tools) == {"echo", "reverse_message", "endpoints", "status", "heartbeat"}
    assert "'echo' belongs to the service 'EchoService'" in tools["echo"].description
    schema = str(tools["echo"].input_schema)
    assert "message" in schema
    assert "delay" in schema


async def test_tools_can_be_called(echo):
    """Through the class's own MCP manager, more often than there are workers."""
    client = EchoService.mcp.connect(echo.url)
    async with client:
        for _ in range(4):
            answer = await client.call_tool("echo", {"payload": {"message": "hi"}})
            assert answer.structured_content == {"echoed": "hi"}
        answer = await client.call_tool("reverse_message", {"payload": {"message": "hi"}})
        assert answer.structured_content == {"echoed": "ih"}


async def test_the_official_client_is_served(echo):
    """What the protocol's own implementation says and hears."""
    async with OfficialClient(echo.mcp_url) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        answer = await client.call_tool("echo", {"payload": {"message": "hi"}})
    assert "reverse_message" in names
    assert answer.structured_content == {"echoed": "hi"}


def test_launching_for_mcp(environment):
    """`mcp.launch` gives a client of a service of its own."""
    import asyncio

    from botswain_services import launching

    client = EchoService.mcp.launch(host="localhost", port=0, wait_for_launch=True, timeout=30, progress_bar=False)

    async def names():
        async with client:
            return [tool.name for tool in await client.list_tools()]

    assert "echo" in asyncio.run(names())
    launching._active[-1].end()


async def test_guarded_tools_ask_for_a_token(launch, environment):
    """A tool is as guarded as its endpoint."""
    manager = launch(Calculator)
    async with manager.mcp_client as client:
        assert (await client.call_tool("guarded", {})).structured_content == {"secret": 42}
    async with ConnectionManager(url=manager.url).mcp_client as client:
        answer = await client.call_tool("guarded", {}, raise_on_error=False)
        assert answer.is_error
        assert "bearer token" in str(answer.content)
        assert (await client.call_tool("add", {"payload": {"a": 1}})).structured_content == {"total": 2}


def test_no_mcp_is_imported_before_it_is_asked_for():
    """Nor gRPC, nor exporters: a service that needs none pays for none."""
    code = """
import sys
from botswain_services.samples.echo_mcp import EchoService
EchoService()
heavy = {"mcp", "fastmcp", "grpc", "opentelemetry.sdk", "opentelemetry.exporter", "aiohttp"} & set(sys.modules)
print(sorted(heavy))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_an_instance_has_its_server():
    """`service.mcp` is the FastMCP server, for decorators of its own."""
    import asyncio

    service = EchoService()

    @service.mcp.tool
    def shout(text: str) -> str:
        """Say it loudly."""
        return text.upper()

    service.add_tool("late", lambda: 1)
    names = {tool.name for tool in asyncio.run(service.mcp.list_tools())}
    assert {"shout", "late", "echo"} <= names


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_endpoint_is_where_it_is_set(launch, environment, slash):
    """MCP_MOUNT_PATH and MCP_HTTP_APP_PATH move it, for the service and its clients; a slash at the end does no harm."""
    from fastmcp import Client

    environment.setenv("MCP_MOUNT_PATH", "/tools")
    environment.setenv("MCP_HTTP_APP_PATH", "/v1")
    manager = launch(EchoService)
    assert manager.mcp_url == f"{manager.url}tools/v1"
    async with Client(manager.mcp_url + slash) as client:
        assert "echo" in [tool.name for tool in await client.list_tools()]
