"""What every service answers without being asked to: probes for machines, and the endpoints that tell of the service itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Response
from fastapi.responses import JSONResponse

from botswain_services.types import (
    ClassNameSchema,
    EndpointsSchema,
    HeartbeatSchema,
    PIDFileSchema,
    ServerIDSchema,
    ShutdownSchema,
    StatusSchema,
)

if TYPE_CHECKING:
    from botswain_services.service import Service

VERSION = "0.1.0"


def add_default_endpoints(service: Service) -> None:
    """`/endpoints`, `/status`, `/heartbeat`, `/server_id`, `/class_name`, `/pid_file` and `/shutdown`."""
    reading = ["POST", "GET"]
    add = service.add_endpoint
    add("/endpoints", service.endpoints_func, EndpointsSchema(), methods=reading, as_tool=True)
    add("/status", service.status_func, StatusSchema(), methods=reading, as_tool=True)
    add("/heartbeat", service.heartbeat_func, HeartbeatSchema(), methods=reading, as_tool=True)
    add("/server_id", service.server_id_func, ServerIDSchema(), methods=reading)
    add("/class_name", service.class_name_func, ClassNameSchema(), methods=reading)
    add("/pid_file", service.pid_file_func, PIDFileSchema(), methods=reading)
    add("/shutdown", service.shutdown, ShutdownSchema(), scope="admin")


def add_probes(service: Service) -> None:
    """`/health` (alive), `/ready` (503 with the reasons why not) and `/metrics`."""
    about = {"service": service.name, "version": VERSION}

    async def health() -> dict[str, str]:
        return {"status": "healthy", **about}

    async def ready() -> JSONResponse:
        readiness = await service.health.readiness()
        body = {"status": "ready" if readiness.ready else "not ready", **about, **service.health.details}
        if readiness.reasons:
            body["reasons"] = readiness.reasons
        return JSONResponse(body, status_code=200 if readiness.ready else 503)

    async def metrics() -> Response:
        from botswain_services.metrics import CONTENT_TYPE, exposition

        return Response(exposition(), media_type=CONTENT_TYPE)

    for path, func in (("/health", health), ("/ready", ready), ("/metrics", metrics)):
        service.app.add_api_route(path, func, methods=["GET"], include_in_schema=path != "/metrics", tags=["probes"])
