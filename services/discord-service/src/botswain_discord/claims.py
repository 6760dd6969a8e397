"""Who reads which shards: this process's side of `CoordinationService.Claim`.

One call stays open for as long as the process lives. In it the process stands in line, is granted its shards, renews them, and
lets go. When the call breaks, what was granted is kept and the next call asks under the same name: while no orchestrator answers,
nobody else can be granted the shards either, and one that comes back finds the claim as it was.

A claim that isn't let go of holds up the next process for the rest of its TTL. So where the open call doesn't see the release
through, because its orchestrator is dead or stands still, calls over new connections do: to whichever orchestrator answers.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeAlias

import grpc
from botswain_proto.v1 import coordination_pb2_grpc
from botswain_proto.v1.coordination_pb2 import (
    ChannelMark,
    ClaimGranted,
    ClaimRelease,
    ClaimRenew,
    ClaimRequest,
    ClaimResponse,
    ClaimStart,
    ShardCursor,
)
from botswain_services.logs import get_logger
from botswain_services.rpc import Peer

from botswain_discord.backoff import reconnect_delay

RENEWALS_PER_TTL = 3
DEFAULT_TTL = 10.0
"""Seconds, where a grant tells none."""
UNSUPPORTED_RETRY = 30.0
"""Seconds until an orchestrator that knows no claims is asked again: a newer one may have taken its place."""
RELEASE_TIMEOUT = 1.0
"""Seconds that the open call has to see a release through."""
RELEASE_ATTEMPT = 2.0
"""Seconds for each call after it."""
RELEASE_PAUSE = 0.1
RELEASE_PATIENCE = 5.0
"""Seconds until a process that hands over gives up on releasing: an orchestrator that is started again is back by then."""
LAST_RELEASE_PATIENCE = 1.5
"""The same where the grace period is over."""
log = get_logger(__name__)

ClaimCall: TypeAlias = grpc.aio.StreamStreamCall[ClaimRequest, ClaimResponse]


class ShardSet(NamedTuple):
    """Shards of a bot that has `of` of them."""

    ids: tuple[int, ...]
    of: int


class Holding:
    """Shards that this process may read, until `over` is done; its result says why.

    `epoch` is 0 without claims. It can grow while the holding goes on: after an outage of the orchestrator that outlived the TTL.
    """

    def __init__(self, epoch: int, cursors: Mapping[int, ShardCursor], channels: tuple[ChannelMark, ...]) -> None:
        self.epoch = epoch
        self.cursors = cursors
        self.channels = channels
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()


def unclaimed() -> Holding:
    """What a process holds where nobody grants claims: everything it is set to, from nowhere."""
    return Holding(0, {}, ())


class ClaimClient:
    """Stands in line for shards, and keeps them.

    Args:
        peer: the orchestrator.
        bot_id: whose shards.
        sleep: waits between calls and renewals.
    """

    def __init__(self, peer: Peer, bot_id: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.claimant_id = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        self.position: tuple[int, str] | None = None
        """In line: the place (1 is next) and the holder's name."""
        self._peer = peer
        self._claim = coordination_pb2_grpc.CoordinationServiceStub(peer.channel).Claim
        self._start = ClaimStart()
        self._bot_id = bot_id
        self._sleep = sleep
        self._holding: Holding | None = None
        self._granted = asyncio.Event()
        self._call: ClaimCall | None = None
        self._task: asyncio.Task[None] | None = None
        self._releasing = asyncio.Event()
        self._answered = False
        self._known = False
        """An orchestrator may have this process among its holders, or in its line."""
        self._problem: str | None = None

    def start(self, shards: ShardSet) -> asyncio.Task[None]:
        """Stand in line for `shards`. The task ends after `release()`, or by a defect, which it raises."""
        self._start = ClaimStart(
            bot_id=self._bot_id, claimant_id=self.claimant_id, shard_ids=shards.ids, shard_count=shards.of
        )
        self._task = asyncio.create_task(self._run(), name="claim")
        return self._task

    async def granted(self) -> Holding:
        """Wait until the shards are this process's to read."""
        while self._holding is None:
            self._granted.clear()
            await self._granted.wait()
        return self._holding

    def fenced(self, epoch: int) -> None:
        """The orchestrator recorded events of `epoch` and not their cursor: the claim is over, if it is still that one."""
        if self._holding is not None and epoch and epoch == self._holding.epoch:
            self._lose("another process has held these shards since")
            if self._call is not None:
                self._call.cancel()

    async def release(self, patience: float) -> None:
        """Let go of the shards, or of the place in the line. What no orchestrator takes in `patience` seconds ends by itself."""
        self._releasing.set()
        try:
            async with asyncio.timeout(patience):
                if self._task is not None and not self._task.done():
                    await self._release_by_the_open_call(self._task)
                while self._known:
                    if not await self._release_by_a_new_call():
                        await self._sleep(RELEASE_PAUSE)
        except TimeoutError:
            self._known = False
            log.warning("claim_not_released", reason="no orchestrator can be reached; the claim ends by itself")

    async def _release_by_the_open_call(self, task: asyncio.Task[None]) -> None:
        """The call's end says that the orchestrator has taken it. Without a call, or without that, the task ends all the same."""
        try:
            if self._call is not None:
                async with asyncio.timeout(RELEASE_TIMEOUT):
                    await self._call.write(ClaimRequest(release=ClaimRelease()))
                    await asyncio.wait({task})
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError):
            pass  # `_known` tells
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _release_by_a_new_call(self) -> bool:
        """Whether an orchestrator has taken it."""
        peer = self._peer.afresh()
        try:
            stub = coordination_pb2_grpc.CoordinationServiceStub(peer.channel)
            call: ClaimCall = stub.Claim(metadata=peer.metadata(), timeout=RELEASE_ATTEMPT)
            await call.write(ClaimRequest(start=self._start))
            await call.write(ClaimRequest(release=ClaimRelease()))
            while isinstance(await call.read(), ClaimResponse):
                pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False
        finally:
            await peer.close()
        self._known = False
        return True

    async def _run(self) -> None:
        failures = 0
        while not self._releasing.is_set():
            self._answered = False
            try:
                await self._one_call()
                problem = "the orchestrator ended the call"
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    self._do_without()
                    await self._sleep(UNSUPPORTED_RETRY)
                    continue
                problem = f"{error.code().name}: {error.details()}"
            except TimeoutError:
                problem = "no renewal was answered within the TTL"
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                problem = "the claim was over"  # `fenced()` ended the call
            self._call = None
            self.position = None
            if self._releasing.is_set():
                return
            failures = 1 if self._answered else failures + 1
            if problem != self._problem:
                log.warning("claim_interrupted", reason=problem, reading=self._holding is not None)
            self._problem = problem
            await self._sleep(max(0.1, min(reconnect_delay(failures), 2.0)))

    async def _one_call(self) -> None:
        self._call = call = self._claim(metadata=self._peer.metadata())
        renewing: asyncio.Task[None] | None = None
        silence: float | None = None
        try:
            await call.write(ClaimRequest(start=self._start))
            while True:
                async with asyncio.timeout(silence):
                    response = await call.read()
                if not isinstance(response, ClaimResponse):  # EOF
                    self._known = False
                    return
                self._answered = self._known = True
                self._problem = None
                state = response.WhichOneof("state")
                if state == "granted":
                    silence = response.granted.ttl.ToTimedelta().total_seconds() or DEFAULT_TTL
                    self._take(response.granted)
                    if renewing is None:
                        renewing = asyncio.create_task(self._renew(call, silence), name="claim-renewals")
                elif state == "standby":
                    self._stand_by(response.standby.position, response.standby.holder_id)
                elif state == "revoked":
                    self._known = False
                    self._lose(response.revoked.reason or "revoked")
                    return
        finally:
            if renewing is not None:
                renewing.cancel()
                await asyncio.wait({renewing})
            call.cancel()

    async def _renew(self, call: ClaimCall, ttl: float) -> None:
        while not self._releasing.is_set():
            await self._sleep(ttl / RENEWALS_PER_TTL)
            try:
                await call.write(ClaimRequest(renew=ClaimRenew()))
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):  # the reader will tell
                return

    def _take(self, granted: ClaimGranted) -> None:
        self.position = None
        if self._holding is not None:  # its sockets were read all the time, so it goes on where it is
            if self._holding.epoch != granted.epoch:
                log.info("claim_renewed", epoch=granted.epoch, before=self._holding.epoch)
            self._holding.epoch = granted.epoch
            return
        log.info("claim_granted", epoch=granted.epoch, cursors=len(granted.cursors), channels=len(granted.channels))
        self._hold(
            Holding(granted.epoch, {cursor.shard.id: cursor for cursor in granted.cursors}, tuple(granted.channels))
        )

    def _hold(self, holding: Holding) -> None:
        self._holding = holding
        self._granted.set()

    def _stand_by(self, position: int, holder: str) -> None:
        self.position = (position, holder)
        log.info("claim_standby", position=position, holder=holder)
        self._lose(f"{holder or 'another process'} holds these shards")

    def _lose(self, reason: str) -> None:
        holding, self._holding = self._holding, None
        if holding is not None and not holding.over.done():
            log.warning("claim_lost", epoch=holding.epoch, reason=reason)
            holding.over.set_result(reason)

    def _do_without(self) -> None:
        if self._holding is None:
            log.warning("claims_unavailable", reason="this orchestrator knows no claims; reading without one")
            self._hold(unclaimed())
