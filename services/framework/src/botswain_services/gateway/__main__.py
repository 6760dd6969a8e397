"""`python -m botswain_services.gateway`: a gateway as a process of its own, as a container runs it."""

from __future__ import annotations

import sys

from botswain_services.gateway.gateway import Gateway
from botswain_services.gateway.types import GatewaySettings
from botswain_services.service import run_service
from botswain_services.settings import load_settings


def build() -> Gateway:
    """The gateway that the environment describes."""
    settings = load_settings(GatewaySettings)
    return Gateway(settings=settings, host=settings.bind_host, port=settings.http_port)


if __name__ == "__main__":
    sys.exit(run_service(build))
