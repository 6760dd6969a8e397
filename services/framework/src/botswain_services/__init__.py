"""Botswain's service framework: a class with methods becomes a process with an HTTP API, probes and gRPC."""

from botswain_services.errors import (
    AuthenticationError,
    InvalidEventError,
    ServiceError,
    SettingsError,
    StartupError,
)
from botswain_services.service import Service, run_service
from botswain_services.settings import ServiceSettings, load_settings
from botswain_services.types import Heartbeat, ServerStatus, TaskSchema

__all__ = [
    "AuthenticationError",
    "Heartbeat",
    "InvalidEventError",
    "ServerStatus",
    "Service",
    "ServiceError",
    "ServiceSettings",
    "SettingsError",
    "StartupError",
    "TaskSchema",
    "load_settings",
    "run_service",
]
