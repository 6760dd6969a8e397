"""A Lease, so that two operators never both act: the second waits until the first lets go or stops renewing.

The holder counts from before it asked, everyone else from when they saw the last renewal, each on its own clock: clocks that
differ don't matter. A holder that can't renew in time ends its process, before anyone else may take over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from botswain_operator.errors import ApiError, Conflict, LeaseLost, NotFound
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.kinds import LEASE

log = logging.getLogger(__name__)


class Lease:
    """The lease `name` in `namespace`, to be held by `identity` for `seconds` at a time."""

    def __init__(self, client: KubeClient, namespace: str, name: str, identity: str, seconds: float) -> None:
        self._client = client
        self._namespace, self._name, self._identity, self._seconds = namespace, name, identity, seconds
        self._seen: tuple[str, float] = ("", 0.0)
        self._expires = 0.0
        self.holder = ""
        """Who holds it, as last seen."""
        self.problem = ""
        """Why the last try could not be made; empty if it was, whatever came of it."""

    async def acquire(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Wait until it is ours.

        Args:
            say: called after each try with why the lease can't even be asked for; empty if it can.
        """
        while not await self._try(self._take):
            say(self.problem)
            await asyncio.sleep(self._seconds / 5)
        say("")
        log.info("holding the lease %s/%s as %s", self._namespace, self._name, self._identity)

    async def keep(self) -> None:
        """Renew it for ever.

        Raises:
            LeaseLost: it could not be renewed in time, or someone else has it.
        """
        while True:
            await asyncio.sleep(self._seconds / 5)
            if not await self._try(self._take) and (self.holder != self._identity or time.monotonic() > self._expires):
                raise LeaseLost(f"the lease {self._namespace}/{self._name} is held by {self.holder or 'nobody'}")

    def check(self) -> None:
        """Whether it holds now: for a process that was stopped for a while and goes on with what it was about to do.

        Raises:
            LeaseLost: its time is over, and another may act.
        """
        if time.monotonic() > self._expires:
            raise LeaseLost(f"the lease {self._namespace}/{self._name} was not renewed in time")

    async def release(self) -> None:
        """Let go, so that the next need not wait."""
        if self.holder == self._identity and await self._try(self._give_up):
            log.info("released the lease %s/%s", self._namespace, self._name)

    async def _try(self, step: Callable[[], Awaitable[bool]]) -> bool:
        left = self._expires - time.monotonic()
        try:
            async with asyncio.timeout(max(0.1, min(left, self._seconds / 2)) if self._expires else self._seconds / 2):
                done = await step()
        except (ApiError, TimeoutError) as error:
            self.problem = f"lease {self._namespace}/{self._name}: {str(error) or 'no answer in time'}"
            log.warning("%s", self.problem)
            return False
        self.problem = ""
        return done

    async def _take(self) -> bool:
        asked = time.monotonic()
        try:
            found = await self._client.get(LEASE, self._namespace, self._name)
        except NotFound:
            try:
                await self._client.create(LEASE, self._namespace, self._body(None))
            except Conflict:
                return False
            return self._taken(asked)
        spec = found.get("spec") or {}
        self.holder = spec.get("holderIdentity") or ""
        if self.holder not in ("", self._identity) and not self._expired(found, asked):
            return False
        try:
            await self._client.replace(LEASE, self._namespace, self._name, self._body(found))
        except Conflict:
            return False
        return self._taken(asked)

    async def _give_up(self) -> bool:
        found = await self._client.get(LEASE, self._namespace, self._name)
        if found["spec"].get("holderIdentity") != self._identity:
            return False
        found["spec"] |= {"holderIdentity": "", "renewTime": _now()}
        await self._client.replace(LEASE, self._namespace, self._name, found)
        self.holder = ""
        return True

    def _taken(self, asked: float) -> bool:
        self.holder, self._expires = self._identity, asked + self._seconds
        return True

    def _expired(self, found: dict[str, Any], now: float) -> bool:
        """Whether nothing has changed for the time its holder gave itself, by our own clock."""
        version = found["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, now)
        return now - self._seen[1] > (found["spec"].get("leaseDurationSeconds") or self._seconds)

    def _body(self, found: dict[str, Any] | None) -> dict[str, Any]:
        body = found or {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
        }
        before = body.get("spec") or {}
        now = _now()
        ours = before.get("holderIdentity") == self._identity
        body["spec"] = {
            **before,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._seconds)),
            "renewTime": now,
            "acquireTime": before.get("acquireTime") if ours else now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (not ours and found is not None),
        }
        return body


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
