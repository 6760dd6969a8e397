"""Plain data that services and their clients exchange."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class ServerStatus(str, Enum):  # noqa: UP042 - str() of a member must stay the member's name, as callers print it
    """What a service says of itself, or what is known of it from outside."""

    DOWN = "Down"
    LAUNCHING = "Launching"
    FAILED_TO_LAUNCH = "FailedToLaunch"
    AVAILABLE = "Available"
    STOPPING = "Stopping"


@dataclass
class Heartbeat:
    """Heartbeat status of a service.

    `details` is a dict whose form each service defines; a gateway's maps service ids to their heartbeats.
    """

    status: ServerStatus = ServerStatus.DOWN
    server_id: UUID | None = None
    message: str | None = None
    details: Any = None


class TaskSchema(BaseModel):
    """The contract of one endpoint: its name, and the models of its input and output (None: nothing)."""

    name: str
    input_schema: type[BaseModel] | None = None
    output_schema: type[BaseModel] | None = None
