"""`ConnectionManager`: the client's side of one running service.

`generate_connection_manager` makes subclasses of it with a method for each endpoint; a hand-written subclass may be
registered in their place.
"""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from botswain_services import calls, naming
from botswain_services.endpoints import Endpoint
from botswain_services.errors import ServiceCallError
from botswain_services.transport import ASYNC, SYNC, CallFailedError
from botswain_services.types import ServerStatus, ShutdownOutput, ShutdownSchema, StatusOutput, StatusSchema
from botswain_services.urls import Url

if TYPE_CHECKING:
    from fastmcp import Client

    from botswain_services.launching import Launched
    from botswain_services.service import Service

SHUTDOWN_SECONDS = 30.0
"""How long `shutdown(block=True)` waits."""
STATUS_SECONDS = 10.0
STATUS = Endpoint("status", ("GET",), StatusSchema(), "public", as_tool=False)
SHUTDOWN = Endpoint("shutdown", ("POST",), ShutdownSchema(), "admin", as_tool=False)


@lru_cache(maxsize=256)
def _text_of(url: Url) -> str:
    return str(url)


class StatusQuestion:
    """`manager.status()` asks; `manager.status == ServerStatus.AVAILABLE` asks too, and compares."""

    def __init__(self, manager: ConnectionManager) -> None:
        self._manager = manager

    def __call__(self) -> StatusOutput:
        """What the service says of itself; `DOWN` when it can't be reached."""
        try:
            answer = self._manager.call(STATUS, timeout=STATUS_SECONDS)
        except ServiceCallError:
            return StatusOutput(status=ServerStatus.DOWN)
        return StatusOutput.model_validate(answer)

    def __eq__(self, other: object) -> bool:
        return self() == other

    __hash__ = None  # type: ignore[assignment]  # its value changes

    def __repr__(self) -> str:
        return f"<status of {self._manager.url}; call it to ask>"


class ConnectionManager:
    """Talks to the service at `url`.

    Attributes:
        url: the service's base URL; it ends with a slash.
    """

    _service_class: ClassVar[type[Service] | None] = None
    _service_endpoints: ClassVar[dict[str, Endpoint]] = {}
    _launched: Launched | None = None

    def __init__(
        self, url: Url | str | None = None, server_id: UUID | None = None, server_pid_file: str | None = None
    ) -> None:
        owner = self._service_class.__name__ if self._service_class is not None else "Service"
        self.url: Url = naming.build_url(owner, url, None, None)
        self._server_id = server_id
        self._server_pid_file = server_pid_file
        self._mcp_client: Client[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.url}>"

    @property
    def status(self) -> StatusQuestion:
        """Call it for a `StatusOutput` (`DOWN` when the service can't be reached), or compare it with a `ServerStatus`."""
        return StatusQuestion(self)

    async def astatus(self) -> StatusOutput:
        """What the service says of itself; `DOWN` when it can't be reached."""
        try:
            answer = await self.acall(STATUS, timeout=STATUS_SECONDS)
        except ServiceCallError:
            return StatusOutput(status=ServerStatus.DOWN)
        return StatusOutput.model_validate(answer)

    def shutdown(self, block: bool = True) -> ShutdownOutput:
        """End the service.

        Args:
            block: wait until it no longer answers; False: return when it has agreed.

        Raises:
            ServiceCallError: it refused, or can't be reached.
            TimeoutError: it still answers after 30 s.
        """
        self.call(SHUTDOWN)
        if block:
            deadline = time.monotonic() + SHUTDOWN_SECONDS
            while self._still_answers() and time.monotonic() < deadline:
                time.sleep(0.02)
            self._check_ended(deadline)
            if self._launched is not None:
                self._launched.wait(max(1.0, deadline - time.monotonic()))
        return ShutdownOutput(shutdown=True)

    async def ashutdown(self, block: bool = True) -> ShutdownOutput:
        """As `shutdown()`, without blocking the event loop."""
        return await asyncio.to_thread(self.shutdown, block)

    def _still_answers(self) -> bool:
        """Ask without repetition: a refused connection is the answer that is hoped for."""
        from botswain_services.connecting import is_listening

        return is_listening(self.url)

    def _check_ended(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"the service at {self.url} still answers after {SHUTDOWN_SECONDS:g} s")

    @property
    def mcp_url(self) -> str:
        """URL of the service's MCP endpoint."""
        return naming.mcp_url(self.url)

    @property
    def mcp_client(self) -> Client[Any]:
        """A FastMCP client for the service; enter it (`async with`) to use it."""
        if self._mcp_client is None:
            from botswain_services.mcp_client_manager import make_client

            self._mcp_client = make_client(self.mcp_url, self._audience)
        return self._mcp_client

    @property
    def _audience(self) -> str | None:
        return self._service_class.name if self._service_class is not None else None

    def call(
        self,
        endpoint: Endpoint,
        *args: Any,
        validate_input: bool = True,
        validate_output: bool = True,
        timeout: float = 60,
        **kwargs: Any,
    ) -> Any:
        """Call an endpoint and wait for its answer. What generated methods do.

        Raises:
            ServiceCallError: the service answered with an error, or not at all within `timeout` seconds.
        """
        request = calls.prepare(endpoint, args, kwargs, validate_input=validate_input)
        base = _text_of(self.url)
        url = f"{base}{request.path}"
        headers = calls.call_headers(base, self._audience)
        try:
            answer = SYNC.request(request.method, url, body=request.body, headers=headers, timeout=timeout)
        except CallFailedError as error:
            raise calls.failure(error, request.method, url, headers) from None
        return calls.read(endpoint, answer, validate_output=validate_output, url=url)

    async def acall(
        self,
        endpoint: Endpoint,
        *args: Any,
        validate_input: bool = True,
        validate_output: bool = True,
        timeout: float = 60,
        **kwargs: Any,
    ) -> Any:
        """As `call()`, from asyncio."""
        request = calls.prepare(endpoint, args, kwargs, validate_input=validate_input)
        base = _text_of(self.url)
        url = f"{base}{request.path}"
        headers = calls.call_headers(base, self._audience)
        try:
            answer = await ASYNC.request(request.method, url, body=request.body, headers=headers, timeout=timeout)
        except CallFailedError as error:
            raise calls.failure(error, request.method, url, headers) from None
        return calls.read(endpoint, answer, validate_output=validate_output, url=url)
