"""Finding out whether a service runs somewhere, and getting a client for it."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

from botswain_services import naming
from botswain_services.errors import ServiceCallError
from botswain_services.transport import SYNC, CallFailedError
from botswain_services.types import ServerStatus
from botswain_services.urls import Url, parse_url

if TYPE_CHECKING:
    from botswain_services.service import Service

_JSON = {"Accept": "application/json"}


def status_at(url: Any, timeout: float) -> ServerStatus:
    """What the service at `url` says of itself; `DOWN` when nothing does within `timeout` seconds."""
    base = str(parse_url(url)).rstrip("/")
    try:
        answer = SYNC.request("GET", f"{base}/status", body=None, headers=_JSON, timeout=timeout)
    except CallFailedError:
        return ServerStatus.DOWN
    try:
        return ServerStatus(json.loads(answer.body)["status"])
    except (KeyError, TypeError, ValueError):
        return ServerStatus.DOWN  # something answers there, but no service of this framework


def is_listening(url: Url) -> bool:
    """Whether anything takes connections at `url`."""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.host or "", port), timeout=2).close()
    except OSError:
        return False
    return True


def connect(service_class: type[Service], url: Any, timeout: float) -> Any:
    """A client for the running service at `url`.

    Raises:
        ServiceCallError: 503: it is down, or was still starting after `timeout` seconds.
    """
    base = naming.build_url(service_class.__name__, url, None, None)
    deadline = time.monotonic() + timeout
    status = service_class.status_at_host(base, timeout=timeout)
    while status is ServerStatus.LAUNCHING and time.monotonic() < deadline:
        time.sleep(0.05)
        status = service_class.status_at_host(base, timeout=timeout)
    if status is not ServerStatus.AVAILABLE:
        raise ServiceCallError(503, f"{service_class.__name__} at {base} is not available: {status.value}")
    return make_client(service_class, base)


def make_client(service_class: type[Service], base: Url, init: dict[str, Any] | None = None) -> Any:
    """The class's registered client, else the generated one."""
    if service_class._client_interface is not None:
        return service_class._client_interface(url=base)
    from botswain_services.generation import client_class

    return client_class(service_class, init)(url=base)
