"""A service that says what it is told: an endpoint with a schema, nothing more."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel

from botswain_services.service import Service
from botswain_services.types import TaskSchema


class EchoInput(BaseModel):
    """What to say, and after how many seconds."""

    message: str
    delay: float = 0.0


class EchoOutput(BaseModel):
    """What was said."""

    echoed: str


echo_task = TaskSchema(name="echo", input_schema=EchoInput, output_schema=EchoOutput)


class EchoService(Service):
    """Echoes messages."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_endpoint("echo", self.echo, schema=echo_task)

    def echo(self, payload: EchoInput) -> EchoOutput:
        """Say the message again."""
        if payload.delay > 0:
            time.sleep(payload.delay)
        return EchoOutput(echoed=payload.message)
