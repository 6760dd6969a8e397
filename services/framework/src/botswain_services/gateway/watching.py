"""Looking after the applications of a gateway: which of them live, and which are to be forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, UUID, uuid5

from botswain_services.gateway.registry import Registry
from botswain_services.logs import get_logger
from botswain_services.transport import ASYNC, CallFailedError
from botswain_services.types import Heartbeat, HeartbeatOutput, ServerStatus

ANSWER_SECONDS = 2.0
MISSES = 3
"""So many looks without an answer, one after the other, make an application dead."""
log = get_logger(__name__)


@dataclass
class Watched:
    """What is known of one application at one URL."""

    url: str
    misses: int = 0
    dead_since: float | None = None
    heartbeat: Heartbeat = field(default_factory=Heartbeat)

    @property
    def key(self) -> UUID:
        """Its server id; of an application that has none, one made from its URL."""
        return self.heartbeat.server_id or uuid5(NAMESPACE_URL, self.url)

    def heard(self, heartbeat: Heartbeat, now: float) -> None:
        """Take note of the answer to one look."""
        if heartbeat.status is ServerStatus.DOWN:
            heartbeat.server_id = heartbeat.server_id or self.heartbeat.server_id
            self.misses += 1
            if self.misses >= MISSES and self.dead_since is None:
                self.dead_since = now
        else:
            self.misses, self.dead_since = 0, None
        self.heartbeat = heartbeat


class Watch:
    """Looks at every application from time to time. A part of the gateway's life."""

    def __init__(
        self, registry: Registry, *, interval: float, forget_after: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._interval = interval
        self._forget_after = forget_after
        self._clock = clock
        self._known: dict[str, Watched] = {}
        self._task: asyncio.Task[None] | None = None

    def is_dead(self, name: str, url: str) -> bool:
        """Whether the application at `url` has not answered for a while."""
        watched = self._known.get(name)
        return watched is not None and watched.url == url and watched.dead_since is not None

    def heartbeats(self) -> dict[UUID, Heartbeat]:
        """The last heartbeat of every application, by server id."""
        return {watched.key: watched.heartbeat for watched in self._known.values()}

    async def look(self) -> None:
        """Ask all applications now; forget those that have been dead for too long."""
        apps = self._registry.all()
        known = {name: self._known.get(name) for name in apps}
        self._known = {
            name: old if old is not None and old.url == apps[name] else Watched(apps[name])
            for name, old in known.items()
        }
        watched = dict(self._known)
        heartbeats = await asyncio.gather(*(ask(one.url) for one in watched.values()))
        now = self._clock()
        for (name, one), heartbeat in zip(watched.items(), heartbeats, strict=True):
            one.heard(heartbeat, now)
            if one.dead_since is not None and now - one.dead_since >= self._forget_after:
                self._registry.remove(name, one.url)
                self._known.pop(name, None)
                log.warning("app_forgotten", app=name, url=one.url, dead_for=round(now - one.dead_since))

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except OSError as error:  # the shared file; the next look may find it well again
                log.warning("look_failed", error=str(error))
            await asyncio.sleep(self._interval)

    async def started(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="gateway-watch")

    async def draining(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def close(self) -> None:
        """Nothing is left to close."""


async def ask(url: str) -> Heartbeat:
    """An application's heartbeat. One that answers without having any is available."""
    try:
        answer = await ASYNC.request(
            "GET", f"{url.rstrip('/')}/heartbeat", body=None, headers={}, timeout=ANSWER_SECONDS
        )
    except CallFailedError as error:
        return Heartbeat(status=ServerStatus.DOWN, message=str(error))
    try:
        return HeartbeatOutput.model_validate(json.loads(answer.body)).heartbeat
    except ValueError:
        return Heartbeat(
            status=ServerStatus.AVAILABLE, message=f"answers with status {answer.status}, and has no heartbeat"
        )
