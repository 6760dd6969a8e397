"""A service's MCP server: tools are noted when they are added, the server is made when it is first asked for.

Importing an MCP implementation takes most of a second and tens of megabytes, and most services are never asked. So the
mount point (`McpServer` as an ASGI application) imports and starts it with the first request, in a thread.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from botswain_services import naming
from botswain_services.access import Access
from botswain_services.endpoints import adapt
from botswain_services.errors import ServiceError
from botswain_services.types import TaskSchema

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from botswain_services.mcp_client_manager import MCPClientManager
    from botswain_services.service import Service


class McpAccess:
    """`Service.mcp`: of a class its `MCPClientManager`, of an instance its FastMCP server."""

    def __get__(self, instance: Service | None, owner: type[Service]) -> MCPClientManager | FastMCP[Any]:
        if instance is not None:
            return instance._mcp.server
        from botswain_services.mcp_client_manager import MCPClientManager

        return MCPClientManager(owner)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: a function, and who may use it."""

    name: str
    func: Callable[..., Any]
    description: str
    scope: str


class McpServer:
    """The MCP side of one service; an ASGI application that is mounted at MCP_MOUNT_PATH."""

    def __init__(self, service_name: str, title: str, access: Access) -> None:
        self._service_name = service_name
        self._title = title
        self._access = access
        self._tools: dict[str, Tool] = {}
        self._server: FastMCP[Any] | None = None
        self._app: ASGIApp | None = None
        self._starting = asyncio.Lock()
        self._owner: asyncio.Task[None] | None = None
        self._closing: asyncio.Event | None = None

    def add(
        self, name: str, func: Callable[..., Any], *, scope: str = "public", schema: TaskSchema | None = None
    ) -> None:
        """Note a tool, in place of one with the same name."""
        about = inspect.getdoc(func) or f"Calls {name}."
        description = f"{about}\n\nThe tool {name!r} belongs to the service {self._service_name!r}."
        tool = Tool(name, adapt(func, schema, "POST", ""), description, scope)
        self._tools[name] = tool
        if self._server is not None:
            self._give(self._server, tool)

    @property
    def server(self) -> FastMCP[Any]:
        """The FastMCP server with all tools noted so far; made at the first use."""
        if self._server is None:
            try:
                from fastmcp import FastMCP
            except ImportError as error:
                raise ServiceError(
                    f"MCP needs the extra 'mcp': pip install 'botswain-services[mcp]' ({error})"
                ) from error
            self._server = FastMCP(name=self._title)
            for tool in self._tools.values():
                self._give(self._server, tool)
        return self._server

    def _give(self, server: FastMCP[Any], tool: Tool) -> None:
        func = tool.func if tool.scope == "public" else _guarded(tool, self._access)
        server.tool(name=tool.name, description=tool.description)(func)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            app = await self._started_app()
        except ServiceError as error:
            await JSONResponse({"detail": str(error)}, 501)(scope, receive, send)
            return
        await app(scope, receive, send)

    async def _started_app(self) -> ASGIApp:
        if self._app is not None:
            return self._app
        async with self._starting:
            if self._app is None:
                server = await asyncio.to_thread(lambda: self.server)
                # Without sessions any worker process can answer any request.
                app = server.http_app(path=naming.mcp_paths()[1], stateless_http=True)
                self._closing = asyncio.Event()
                ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._owner = asyncio.create_task(_hold_open(app, ready, self._closing), name="mcp")
                await ready
                self._app = app
            return self._app

    async def started(self) -> None:
        """Nothing: the server starts with its first request."""

    async def draining(self) -> None:
        """Nothing: calls under way end with their HTTP requests."""

    async def close(self) -> None:
        """End the server, if it was ever started."""
        if self._owner is not None and self._closing is not None:
            self._closing.set()
            await self._owner
            self._owner = self._app = None


async def _hold_open(app: Any, ready: asyncio.Future[None], closing: asyncio.Event) -> None:
    """Enter and leave the application's lifespan in one task, as its cancel scopes ask for."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(app.lifespan(app))
        except Exception as error:  # noqa: BLE001 - handed to who waits, whatever it is
            ready.set_exception(error)
            return
        ready.set_result(None)
        await closing.wait()


def _guarded(tool: Tool, access: Access) -> Callable[..., Any]:
    """The tool's function, for callers that its scope allows only."""

    def check() -> None:
        from fastmcp.exceptions import ToolError
        from fastmcp.server.dependencies import get_http_request

        request = get_http_request()
        client = request.client.host if request.client else None
        authorization = request.headers.get("authorization")
        if not access.allows(tool.scope, authorization=authorization, client=client, headers=request.headers):
            raise ToolError(f"the tool {tool.name!r} asks for a bearer token that is meant for this service")

    if inspect.iscoroutinefunction(tool.func):

        @functools.wraps(tool.func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            check()
            return await tool.func(*args, **kwargs)

    else:

        @functools.wraps(tool.func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            check()
            return tool.func(*args, **kwargs)

    return wrapper
