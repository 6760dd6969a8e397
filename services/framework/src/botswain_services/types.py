"""Plain data that services and their clients exchange."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, model_validator


class ServerStatus(str, Enum):  # noqa: UP042 - str() of a member must stay the member's name, as callers print it
    """What a service says of itself, or what is known of it from outside."""

    DOWN = "Down"
    LAUNCHING = "Launching"
    FAILED_TO_LAUNCH = "FailedToLaunch"
    AVAILABLE = "Available"
    STOPPING = "Stopping"

    # Second names of the same members, for callers that spell them as their values.
    Down = DOWN
    Launching = LAUNCHING
    FailedToLaunch = FAILED_TO_LAUNCH
    Available = AVAILABLE
    Stopping = STOPPING


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


class EndpointsOutput(BaseModel):
    """Answer of `/endpoints`: paths, without their leading slash."""

    endpoints: list[str]


class StatusOutput(BaseModel):
    """Answer of `/status`. Equal to a `ServerStatus` when it holds it."""

    status: ServerStatus

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ServerStatus):
            return self.status is other
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as of every model that can be changed


class HeartbeatOutput(BaseModel):
    """Answer of `/heartbeat`."""

    heartbeat: Heartbeat

    @model_validator(mode="after")
    def _restore_details(self) -> Self:
        """JSON made text of a gateway's `dict[UUID, Heartbeat]`; make it what it was."""
        details = self.heartbeat.details
        if isinstance(details, dict) and details and all(_is_heartbeat(*item) for item in details.items()):
            self.heartbeat.details = {
                UUID(str(key)): HeartbeatOutput(heartbeat=value).heartbeat for key, value in details.items()
            }
        return self


def _is_heartbeat(key: Any, value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"status", "server_id", "message", "details"}:
        return False
    try:
        UUID(str(key))
    except ValueError:
        return False
    return True


class ServerIDOutput(BaseModel):
    """Answer of `/server_id`."""

    server_id: UUID


class ClassNameOutput(BaseModel):
    """Answer of `/class_name`."""

    class_name: str


class PIDFileOutput(BaseModel):
    """Answer of `/pid_file`: its path on the service's machine; None when it keeps none."""

    pid_file: str | None


class ShutdownOutput(BaseModel):
    """Answer of `/shutdown`."""

    shutdown: bool


class EndpointsSchema(TaskSchema):
    """Contract of `/endpoints`."""

    name: str = "endpoints"
    output_schema: type[BaseModel] | None = EndpointsOutput


class StatusSchema(TaskSchema):
    """Contract of `/status`."""

    name: str = "status"
    output_schema: type[BaseModel] | None = StatusOutput


class HeartbeatSchema(TaskSchema):
    """Contract of `/heartbeat`."""

    name: str = "heartbeat"
    output_schema: type[BaseModel] | None = HeartbeatOutput


class ServerIDSchema(TaskSchema):
    """Contract of `/server_id`."""

    name: str = "server_id"
    output_schema: type[BaseModel] | None = ServerIDOutput


class ClassNameSchema(TaskSchema):
    """Contract of `/class_name`."""

    name: str = "class_name"
    output_schema: type[BaseModel] | None = ClassNameOutput


class PIDFileSchema(TaskSchema):
    """Contract of `/pid_file`."""

    name: str = "pid_file"
    output_schema: type[BaseModel] | None = PIDFileOutput


class ShutdownSchema(TaskSchema):
    """Contract of `/shutdown`."""

    name: str = "shutdown"
    output_schema: type[BaseModel] | None = ShutdownOutput
