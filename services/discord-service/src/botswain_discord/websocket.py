"""discord.py's gateway connection with a lean receiving side.

`ShardWebSocket` keeps the library's handshake, rate limiter and decompression, has heartbeats of its own (see `heartbeats`), and
replaces what happens to a dispatch: no object is built and no cache is filled; the payload goes to a `Sink` together with its
shard, session and sequence number, which the library's parser table doesn't hand over. A frame that can't be read, or a dispatch
that a sink can't handle, is skipped; neither ends the connection.

While the sink is full, a message waits here and the socket is not read, so TCP holds Discord back and nothing is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol

import aiohttp
import discord
import orjson
import yarl
from botswain_services.logs import get_logger
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from discord.http import INTERNAL_API_VERSION
from discord.utils import _ActiveDecompressionContext
from zstandard import ZstdError

from botswain_discord import metrics
from botswain_discord.heartbeats import Heartbeats
from botswain_discord.outbox import Session

HANDSHAKE_TIMEOUT = 60.0
CLOSE_TIMEOUT = 2.0
BINARY, TEXT = aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT
SILENCE = "a heartbeat was not acknowledged"
log = get_logger(__name__)


class Sink(Protocol):
    """Where dispatches go."""

    @property
    def full(self) -> bool:
        """Whether messages should wait."""

    async def wait_for_room(self) -> None:
        """Return once messages need not wait."""

    def handle_dispatch(self, event: str, payload: Any, origin: ShardWebSocket) -> None:
        """Handle one dispatch. Must not raise for a payload's sake."""


class ShardWebSocket(DiscordWebSocket):
    """One connection of one shard. Made by `open_websocket`."""

    sink: Sink
    session: Session | None
    paused: bool = False
    given_up: str | None = None
    """Why this side closed the connection, where it did."""
    _heartbeats: Heartbeats | None = None
    _closing: asyncio.Task[None] | None = None

    async def poll_event(self) -> None:
        """Wait for one frame and handle it. The library bounds the wait by a timer a frame; here heartbeats do that.

        Raises:
            ReconnectWebSocket: the connection is over, and the session may go on.
            discord.ConnectionClosed: the connection is over, for a reason that a new one would meet too.
        """
        message = await self.socket.receive()
        if message.type is BINARY or message.type is TEXT:
            await self.received_message(message.data)
            return
        if self._heartbeats is not None:
            self._heartbeats.stop()
        await self.socket.close(code=4000)
        if self._can_handle_close():
            raise ReconnectWebSocket(self.shard_id)
        raise discord.ConnectionClosed(self.socket, shard_id=self.shard_id, code=self._close_code)

    async def received_message(self, msg: Any, /) -> None:
        """Handle one frame.

        Raises:
            ReconnectWebSocket: Discord asked for it (op 7, op 9), or the compressed stream broke.
        """
        if type(msg) is bytes:
            try:
                msg = self._decompressor.decompress(msg)
            except (ZstdError, ValueError) as error:  # one context a connection: all later frames would be lost too
                log.warning("gateway_stream_corrupt", shard=self.shard_id, reason=str(error))
                await self.close(4000)
                raise ReconnectWebSocket(self.shard_id) from None
            if msg is None:
                return
        try:
            frame = orjson.loads(msg)
        except orjson.JSONDecodeError as error:
            self._unreadable(str(error))
            return
        if type(frame) is not dict:
            self._unreadable(f"a JSON {type(frame).__name__}")
            return
        if frame.get("op") != self.DISPATCH:
            await self._controlled(frame, msg)
            return
        event = frame.get("t")
        if event == "MESSAGE_CREATE" and self.sink.full:
            await self._pause()
        self._dispatched(event, frame.get("d"), frame.get("s"))

    def _dispatched(self, event: Any, payload: Any, seq: Any) -> None:
        if type(seq) is int:
            self.sequence = seq
        if event == "READY":
            self._start_session(payload)
        if type(event) is str:
            self.sink.handle_dispatch(event, payload, self)
        else:
            self._unreadable("a dispatch without a name")

    async def _controlled(self, frame: dict[str, Any], text: str) -> None:
        """HELLO starts the heartbeats; any other opcode is the library's to handle."""
        try:
            if frame.get("op") == self.HELLO:
                self._start_heartbeats(frame["d"]["heartbeat_interval"] / 1_000)
                return
            await super().received_message(text)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self._unreadable(f"op {frame.get('op')}: {type(error).__name__} {error}")

    def _start_heartbeats(self, interval: float) -> None:
        self._heartbeats = Heartbeats(
            interval,
            lambda: self.sequence,
            self.send_heartbeat,
            excused=lambda: self.paused,
            on_silence=self._give_up,
        )
        self._keep_alive = self._heartbeats  # type: ignore[assignment]  # of the same form
        self._heartbeats.start()

    def _give_up(self) -> None:
        """The other end is gone: the reader, which would wait for it, ends with the closing."""
        self.given_up = SILENCE
        self._closing = asyncio.create_task(close_websocket(self, 4000), name=f"close shard {self.shard_id}")

    def _start_session(self, ready: Any) -> None:
        session_id = ready.get("session_id") if type(ready) is dict else None
        url = ready.get("resume_gateway_url") if type(ready) is dict else None
        if not isinstance(session_id, str):
            self._unreadable("READY without session_id: this session can't be resumed")
            return
        self.session_id = session_id
        if isinstance(url, str):
            self.gateway = yarl.URL(url)
        self.session = Session(self.shard_id or 0, self.shard_count or 1, session_id, str(self.gateway))

    async def _pause(self) -> None:
        """Wait for room, unread; heartbeats go on."""
        metrics.PAUSES.inc()
        log.warning("reading_paused", shard=self.shard_id, reason="the outbox is full")
        self.paused = True
        try:
            while self.sink.full:
                await self.sink.wait_for_room()
        finally:
            self.paused = False
            if self._heartbeats is not None:
                self._heartbeats.excuse()
        log.info("reading_resumed", shard=self.shard_id)

    def _unreadable(self, reason: str) -> None:
        metrics.UNREADABLE.inc()
        log.warning("gateway_frame_unreadable", shard=self.shard_id, seq=self.sequence, reason=reason)


async def open_websocket(
    client: discord.Client,
    sink: Sink,
    url: str,
    shard_id: int,
    *,
    resume: Session | None = None,
    sequence: int | None = None,
) -> ShardWebSocket:
    """Connect, read HELLO, and send RESUME when `resume` is given, else IDENTIFY.

    It does what `DiscordWebSocket.from_client` does, which can't be told of a sink and leaves its socket open when it fails.

    Raises:
        ReconnectWebSocket, discord.ConnectionClosed, aiohttp.ClientError, OSError, TimeoutError: it didn't work.
    """
    async with asyncio.timeout(HANDSHAKE_TIMEOUT):
        gateway = yarl.URL(url)
        compression = _ActiveDecompressionContext.COMPRESSION_TYPE
        query = gateway.with_query(v=INTERNAL_API_VERSION, encoding="json", compress=compression)
        socket = await client.http.ws_connect(str(query))
        socket._timeout = aiohttp.ClientWSTimeout(
            ws_close=CLOSE_TIMEOUT
        )  # the library's are 30 s, also for who is gone
        websocket = ShardWebSocket(socket, loop=client.loop)
        state = client._connection
        websocket.sink = sink
        websocket.session = resume
        websocket.token = client.http.token
        websocket.gateway = gateway
        websocket.call_hooks = state.call_hooks
        websocket._connection = state
        websocket._initial_identify = True  # else the library waits five seconds: the pacer has seen to that
        websocket._max_heartbeat_timeout = state.heartbeat_timeout
        websocket._rate_limiter.shard_id = shard_id
        websocket.shard_id = shard_id
        websocket.shard_count = state.shard_count
        websocket.session_id = resume.session_id if resume else None
        websocket.sequence = sequence if resume else None
        try:
            await websocket.poll_event()
            if resume:
                await websocket.resume()
            else:
                await websocket.identify()
        except BaseException:
            await close_websocket(websocket, 4000)
            raise
    return websocket


async def close_websocket(websocket: ShardWebSocket, code: int) -> None:
    """Close within `CLOSE_TIMEOUT`: 1000 and 1001 end the session, any other code keeps it for a RESUME."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await websocket.close(code)
