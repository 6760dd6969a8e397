"""What a gateway is told: its settings, and the applications it is to serve."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from botswain_services.settings import ServiceSettings
from botswain_services.types import TaskSchema

AppName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class AppConfig(BaseModel):
    """An application to serve below `/<name>/`."""

    name: AppName
    url: Annotated[str, StringConstraints(max_length=2048)]


class AppReference(BaseModel):
    """An application to forget."""

    name: AppName
    url: str | None = None
    """Forget it only while it has this URL: another instance may have taken the name meanwhile."""


class RegisterAppTaskSchema(TaskSchema):
    """Contract of `/register_app`."""

    name: str = "register_app"
    input_schema: type[BaseModel] | None = AppConfig


class UnregisterAppTaskSchema(TaskSchema):
    """Contract of `/unregister_app`."""

    name: str = "unregister_app"
    input_schema: type[BaseModel] | None = AppReference


class GatewaySettings(ServiceSettings):
    """Settings of a gateway."""

    bind_host: str = Field(
        default="127.0.0.1", description="Address to bind to; of `python -m botswain_services.gateway`."
    )
    http_port: int = Field(default=8080, ge=0, le=65535, description="Port to bind to; 0 picks a free one.")
    gateway_allowed_hosts: str = Field(
        default="localhost,127.0.0.1,::1",
        description="Hosts that applications may have, by commas; `*.example` stands for all below it.",
    )
    gateway_check_seconds: float = Field(default=5.0, gt=0, description="Time between two looks at each application.")
    gateway_forget_seconds: float = Field(
        default=300.0, gt=0, description="How long an application may stay dead before it is forgotten."
    )
    gateway_upstream_timeout_seconds: float = Field(
        default=60.0, gt=0, description="How long an application may take to begin its answer; more is a 504."
    )
    gateway_cors_origins: str = Field(
        default="", description="Origins whose pages may call the gateway, by commas; none: only its own."
    )
