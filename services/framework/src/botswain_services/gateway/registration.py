"""A service's own registration with a gateway: at start, again and again while it lives, and taken back at its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from botswain_services.auth import TokenIssuer
from botswain_services.logs import get_logger
from botswain_services.transport import ASYNC, CallFailedError

if TYPE_CHECKING:
    from botswain_services.service import Service

AGAIN_SECONDS = 10.0
"""Time between two registrations: a gateway that was started anew knows everybody after it."""
ANSWER_SECONDS = 5.0
AUDIENCE = "gateway"
log = get_logger(__name__)


class Registration:
    """Keeps one service registered. A part of the service's life."""

    def __init__(self, service: Service, gateway_url: str) -> None:
        self._service = service
        self._gateway = gateway_url.rstrip("/")
        secret = service.settings.service_auth_secret.get_secret_value()
        self._tokens = TokenIssuer(secret, issuer=service.name, audience=AUDIENCE)
        self._task: asyncio.Task[None] | None = None
        self._registered = False

    def _url(self) -> str:
        settings = self._service.settings
        if settings.advertised_url:
            return settings.advertised_url
        host = self._service.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._service.port}/"

    async def _tell(self, path: str) -> bool:
        body = json.dumps({"name": self._service.name, "url": self._url()}).encode()
        headers = {"Content-Type": "application/json", **self._tokens.header()}
        try:
            answer = await ASYNC.request(
                "POST", f"{self._gateway}/{path}", body=body, headers=headers, timeout=ANSWER_SECONDS
            )
        except CallFailedError as error:
            log.warning("gateway_not_told", path=path, gateway=self._gateway, error=str(error))
            return False
        if answer.status != 200:
            log.warning(
                "gateway_refused", path=path, gateway=self._gateway, status=answer.status, answer=answer.body[:500]
            )
        return answer.status == 200

    async def _run(self) -> None:
        wait = 0.2
        while True:
            told = await self._tell("register_app")
            if told and not self._registered:
                self._registered = True
                log.info("registered_with_gateway", gateway=self._gateway, app=self._service.name)
            wait = AGAIN_SECONDS if told else min(AGAIN_SECONDS, wait * 2)
            await asyncio.sleep(wait)

    async def started(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="gateway-registration")

    async def draining(self) -> None:
        """Take it back, so that no request comes any more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._registered:
            await self._tell("unregister_app")

    async def close(self) -> None:
        """Nothing is left to close."""
