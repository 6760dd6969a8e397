"""What can be done with a service class from outside: find it, start it, talk to it.

The work is done elsewhere (`naming`, `connecting`, `launching`); this is where its signatures and words are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, overload

from botswain_services import naming
from botswain_services.types import ServerStatus
from botswain_services.urls import Url

if TYPE_CHECKING:
    from botswain_services.connection_manager import ConnectionManager
    from botswain_services.service import Service


class Launchable:
    """Class methods of `Service`."""

    _client_extension: ClassVar[type[ConnectionManager] | None] = None
    """What the generated client has beside its generated methods."""
    _client_interface: ClassVar[type[ConnectionManager] | None] = None
    """The registered client."""

    @classmethod
    def default_url(cls) -> Url:
        """The class's URL in DEFAULT_SERVICE_URLS, else that of `Service` there, else http://localhost:8000/."""
        return naming.default_url(cls.__name__)

    @classmethod
    def build_url(cls, url: str | Url | None = None, host: str | None = None, port: int | None = None) -> Url:
        """`url` when given, else `host` and `port`, else the default. It ends with a slash."""
        return naming.build_url(cls.__name__, url, host, port)

    @classmethod
    def get_mcp_paths(cls) -> tuple[str, str]:
        """(mount path, path of the MCP endpoint below it): MCP_MOUNT_PATH and MCP_HTTP_APP_PATH."""
        return naming.mcp_paths()

    @classmethod
    def default_log_file(cls) -> str:
        """Where launched services of this class log to."""
        return naming.log_file(cls.__name__)

    @classmethod
    def register_connection_manager(cls, connection_manager: type[ConnectionManager]) -> None:
        """Make `connect()` and `launch()` return this client instead of the generated one."""
        cls._client_interface = connection_manager

    @classmethod
    def status_at_host(cls, url: str | Url, timeout: float = 60) -> ServerStatus:
        """What the service at `url` says of itself; `DOWN` when nothing answers within `timeout` seconds."""
        from botswain_services.connecting import status_at

        return status_at(url, timeout)

    @classmethod
    def connect(cls, url: str | Url | None = None, timeout: float = 60) -> Any:
        """A client for the service at `url` (default: the class's), once it is available.

        A service that is starting is waited for, up to `timeout` seconds; one that does not answer is not.

        Raises:
            ServiceCallError: 503, an HTTPException: it is down, or did not become available.
        """
        from botswain_services.connecting import connect

        return connect(cast("type[Service]", cls), url, timeout)

    @overload
    @classmethod
    def launch(
        cls,
        *,
        url: str | Url | None = None,
        host: str | None = None,
        port: int | None = None,
        block: bool = False,
        num_workers: int = 1,
        wait_for_launch: Literal[False],
        timeout: float = 60,
        progress_bar: bool = True,
        **kwargs: Any,
    ) -> None: ...

    @overload
    @classmethod
    def launch(
        cls,
        *,
        url: str | Url | None = None,
        host: str | None = None,
        port: int | None = None,
        block: bool = False,
        num_workers: int = 1,
        wait_for_launch: bool = True,
        timeout: float = 60,
        progress_bar: bool = True,
        **kwargs: Any,
    ) -> Any: ...

    @classmethod
    def launch(
        cls,
        *,
        url: str | Url | None = None,
        host: str | None = None,
        port: int | None = None,
        block: bool = False,
        num_workers: int = 1,
        wait_for_launch: bool = True,
        timeout: float = 60,
        progress_bar: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Serve in a process of its own, and return a client for it.

        Args:
            url: where to serve; before `host` and `port`, which complete the default URL. Port 0: any free one.
            host: address to bind to.
            port: port to bind to.
            block: stay until the service ends. SIGINT and SIGTERM end it.
            num_workers: processes that serve, beside one that watches over them when there are several.
            wait_for_launch: return when it is ready; False: return None at once.
            timeout: seconds it may take until it is ready.
            progress_bar: show how it goes, where stderr is a terminal.
            kwargs: for the class's constructor. They travel over a pipe: neither the process list nor a log shows them.

        Raises:
            LaunchError: the port is taken (says by whom), or the process could not start; carries its own error.
        """
        from botswain_services.launching import LaunchOptions, launch

        options = LaunchOptions(
            cls.build_url(url, host, port), num_workers, block, wait_for_launch, timeout, progress_bar
        )
        return launch(cast("type[Service]", cls), options, kwargs)
