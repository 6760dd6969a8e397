"""Botswain's service framework: a class with methods becomes a process with an HTTP API, a client, tools, probes and gRPC.

What few programs need (the gateway, the launcher, samples) is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from botswain_services.connection_manager import ConnectionManager
from botswain_services.errors import (
    AuthenticationError,
    ClientError,
    EndpointError,
    InvalidEventError,
    LaunchError,
    ServiceCallError,
    ServiceError,
    SettingsError,
    StartupError,
)
from botswain_services.middleware import RequestLoggingMiddleware
from botswain_services.service import Service, run_service
from botswain_services.settings import ServiceSettings, load_settings
from botswain_services.types import (
    ClassNameSchema,
    EndpointsSchema,
    Heartbeat,
    HeartbeatSchema,
    PIDFileSchema,
    ServerIDSchema,
    ServerStatus,
    ShutdownSchema,
    StatusSchema,
    TaskSchema,
)
from botswain_services.urls import Url
from botswain_services.utils import add_endpoint, generate_connection_manager, register_connection_manager

if TYPE_CHECKING:
    from botswain_services.gateway.gateway import Gateway
    from botswain_services.gateway.proxy_connection_manager import ProxyConnectionManager
    from botswain_services.gateway.types import AppConfig, RegisterAppTaskSchema
    from botswain_services.launcher import Launcher
    from botswain_services.mcp_client_manager import MCPClientManager
    from botswain_services.samples.echo_service import EchoService

__all__ = [
    "AppConfig",
    "AuthenticationError",
    "ClassNameSchema",
    "ClientError",
    "ConnectionManager",
    "EchoService",
    "EndpointError",
    "EndpointsSchema",
    "Gateway",
    "Heartbeat",
    "HeartbeatSchema",
    "InvalidEventError",
    "LaunchError",
    "Launcher",
    "MCPClientManager",
    "PIDFileSchema",
    "ProxyConnectionManager",
    "RegisterAppTaskSchema",
    "RequestLoggingMiddleware",
    "ServerIDSchema",
    "ServerStatus",
    "Service",
    "ServiceCallError",
    "ServiceError",
    "ServiceSettings",
    "SettingsError",
    "ShutdownSchema",
    "StartupError",
    "StatusSchema",
    "TaskSchema",
    "Url",
    "add_endpoint",
    "generate_connection_manager",
    "load_settings",
    "register_connection_manager",
    "run_service",
]

_LATER = {
    "AppConfig": "gateway.types",
    "EchoService": "samples.echo_service",
    "Gateway": "gateway.gateway",
    "Launcher": "launcher",
    "MCPClientManager": "mcp_client_manager",
    "ProxyConnectionManager": "gateway.proxy_connection_manager",
    "RegisterAppTaskSchema": "gateway.types",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"botswain_services.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
