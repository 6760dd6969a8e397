"""`MCPClientManager`: `SomeService.mcp`, which connects MCP clients to instances of that service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botswain_services import naming
from botswain_services.calls import credentials
from botswain_services.errors import ClientError

if TYPE_CHECKING:
    from fastmcp import Client

    from botswain_services.service import Service
    from botswain_services.urls import Url


class MCPClientManager:
    """Makes MCP clients for one service class."""

    def __init__(self, service_cls: type[Service]) -> None:
        self.service_cls = service_cls

    def connect(self, url: str | Url | None = None) -> Client[Any]:
        """A FastMCP client for the service at `url` (default: the class's URL). It connects when it is entered."""
        base = self.service_cls.build_url(url=url)
        return make_client(naming.mcp_url(base), self.service_cls.name)

    def launch(self, **launch_kwargs: Any) -> Client[Any]:
        """Launch the service, with the arguments of `Service.launch`, and return a FastMCP client for it.

        Raises:
            LaunchError: it could not start.
        """
        manager = self.service_cls.launch(**launch_kwargs)
        if manager is None:
            raise ClientError("mcp.launch(wait_for_launch=False): there is no client before the service runs")
        return make_client(naming.mcp_url(manager.url), self.service_cls.name)


def make_client(mcp_url: str, audience: str | None) -> Client[Any]:
    """A FastMCP client that shows its credentials."""
    from fastmcp import Client
    from fastmcp.client.transports import StreamableHttpTransport

    return Client(StreamableHttpTransport(mcp_url, headers=credentials(mcp_url, audience)))
