"""The echo service as MCP tools: one of its endpoint, one of a plain function."""

from __future__ import annotations

import time
from typing import Any

from botswain_services.samples.echo_service import EchoInput, EchoOutput, echo_task
from botswain_services.service import Service


def reverse_message(payload: EchoInput) -> EchoOutput:
    """Say the message backwards."""
    return EchoOutput(echoed=payload.message[::-1])


class EchoService(Service):
    """Echoes messages, to people and to models."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_endpoint("echo", self.echo, schema=echo_task, as_tool=True)
        self.add_tool("reverse_message", reverse_message)

    def echo(self, payload: EchoInput) -> EchoOutput:
        """Say the message again."""
        if payload.delay > 0:
            time.sleep(payload.delay)
        return EchoOutput(echoed=payload.message)
