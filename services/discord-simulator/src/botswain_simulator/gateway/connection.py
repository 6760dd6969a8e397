"""One gateway WebSocket: HELLO, IDENTIFY or RESUME, heartbeats, and a writer that sends what its session gives it.

Reading and writing are apart: frames queue in `_outbox`, one task encodes and sends them in order. A close goes through
the same queue, so that what was said before it arrives before it.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from botswain_simulator import intents
from botswain_simulator.faults import Fault, Faults
from botswain_simulator.gateway import codec
from botswain_simulator.gateway.codes import REASONS, SESSION_ENDING, CloseCode, Op, RefusedError
from botswain_simulator.gateway.hub import Hub
from botswain_simulator.gateway.limits import MAX_GUILDS_PER_SHARD, MAX_PAYLOAD_BYTES, SendRate
from botswain_simulator.gateway.sessions import Session
from botswain_simulator.models import Application
from botswain_simulator.stats import Stats

log = logging.getLogger(__name__)

_ACK = b'{"t":null,"s":null,"op":11,"d":null}'
_HEARTBEAT_GRACE = 1.5
"""Heartbeat intervals without a heartbeat, after which a connection counts as dead."""
_MAX_MESSAGE = 1 << 20
_CLOSE_TIMEOUT_S = 5.0
"""How long a peer that does not read may hold up the end of its connection."""
_ENDS_SESSION = SESSION_ENDING | {4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014}
_MAX_SHARDS = 16_384
_MAX_NONCE_BYTES = 32

Closing = tuple[int, str]


class Connection:
    """A client's connection, with a session once it has identified or resumed."""

    def __init__(self, request: web.Request, hub: Hub, faults: Faults, stats: Stats) -> None:
        self._request, self._hub, self._faults, self._stats = request, hub, faults, stats
        self._ws = web.WebSocketResponse(compress=False, max_msg_size=_MAX_MESSAGE, timeout=_CLOSE_TIMEOUT_S)
        self._outbox: deque[bytes | Closing] = deque()
        self._wake = asyncio.Event()
        self._encode: codec.Encoder = codec.plain
        self._rate = SendRate(asyncio.get_running_loop().time)
        self._keeps_session = True
        self._heartbeat_due = math.inf
        self._session: Session | None = None
        self._version = 10

    async def run(self) -> web.WebSocketResponse:
        """Serve the connection until either side ends it."""
        await self._ws.prepare(self._request)
        self._stats.gateway["connections"] += 1
        reader, writer = asyncio.create_task(self._serve()), asyncio.create_task(self._write())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            self._outbox.append((WSCloseCode.OK, ""))
            self._wake.set()
            # The reader must be gone before the closing handshake: aiohttp cuts it short while somebody else is receiving, and a
            # client whose answer finds the socket gone takes its close code for 1006.
            self._release()
            await _ended(reader)
            done, _ = await asyncio.wait({writer}, timeout=_CLOSE_TIMEOUT_S)
            if not done:
                self.abort()
            elif closing := writer.result():
                await self._ws.close(code=closing[0], message=closing[1].encode())
            if not reader.cancelled():
                reader.result()
        finally:
            self._release()
            await asyncio.gather(_ended(reader), _ended(writer))
        return self._ws

    def _release(self) -> None:
        """Let go of the session, so that it can be resumed: a client may be back before this connection is quite
        over.
        """
        if self._session is not None:
            self._hub.detach(self._session, self, keep=self._keeps_session)

    def send(self, frame: bytes) -> None:
        """Send a dispatch."""
        self._enqueue(frame)
        if len(self._outbox) > self._hub.settings.replay_limit:
            self._stats.gateway["slow_consumers"] += 1
            self.abort()
        elif fault := self._fault("dispatch"):
            self.apply(fault.kind, fault.spec)

    def send_op(self, op: Op, data: object = None) -> None:
        self._enqueue(orjson.dumps({"t": None, "s": None, "op": int(op), "d": data}))

    def close(self, code: int, reason: str | None = None) -> None:
        """Close with a code, after what is queued."""
        self._keeps_session = self._keeps_session and code not in _ENDS_SESSION
        self._stats.server_closes[code] += 1
        known = REASONS.get(CloseCode(code), "") if code in set(CloseCode) else ""
        self._outbox.append((code, known if reason is None else reason))
        self._wake.set()

    def abort(self) -> None:
        """Break the TCP connection without a close frame."""
        self._outbox.clear()
        if self._request.transport is not None:
            self._request.transport.abort()

    def apply(self, kind: str, spec: dict[str, Any]) -> None:
        """Do what a gateway fault says to this connection."""
        self._stats.faults[kind] += 1
        match kind:
            case "drop":
                self.abort()
            case "close":
                self.close(spec.get("code", CloseCode.UNKNOWN_ERROR))
            case "reconnect":
                self.send_op(Op.RECONNECT)
            case "request_heartbeat":
                self.send_op(Op.HEARTBEAT)
            case "invalid_session":
                self._invalidate(resumable=spec.get("resumable", False))

    def _enqueue(self, frame: bytes) -> None:
        self._outbox.append(frame)
        self._wake.set()

    def _fault(self, when: str) -> Fault | None:
        return self._faults.on_gateway(when, **self._identity())

    def _identity(self) -> dict[str, Any]:
        session = self._session
        return {
            "bot": session.application.id if session else None,
            "shard": session.shard_id if session else None,
            "session": session.id if session else None,
        }

    async def _write(self) -> Closing | None:
        """Send what is queued, up to a close; None when the peer has gone before."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._outbox:
                    item = self._outbox.popleft()
                    if isinstance(item, tuple):
                        return item
                    data, binary = self._encode(item)
                    await self._ws.send_frame(data, WSMsgType.BINARY if binary else WSMsgType.TEXT)
        except (ClientConnectionResetError, ConnectionResetError, RuntimeError):
            # aiohttp raises RuntimeError for a socket it knows to be closed.
            return None

    async def _serve(self) -> None:
        query = self._request.query
        try:
            self._encode = codec.for_query(query.get("v"), query.get("encoding"), query.get("compress"))
            self._version = int(query.get("v", "10"))
            interval = self._hub.settings.heartbeat_interval
            self.send_op(Op.HELLO, {"heartbeat_interval": int(interval * 1000), "_trace": ["simulator"]})
            self._heartbeat_due = self._now() + interval * _HEARTBEAT_GRACE
            if fault := self._fault("connect"):
                self.apply(fault.kind, fault.spec)
            await self._read()
        except RefusedError as refused:
            log.info(
                "gateway: closing", extra={"code": int(refused.code), "reason": refused.reason, **self._identity()}
            )
            self._keeps_session = self._keeps_session and refused.code not in _ENDS_SESSION
            self.close(refused.code, refused.reason)
        except TimeoutError:
            self._stats.gateway["heartbeat_timeouts"] += 1
            self.close(CloseCode.UNKNOWN_ERROR, "No heartbeat came in time.")

    async def _read(self) -> None:
        while True:
            message = await self._ws.receive(timeout=max(0.001, self._heartbeat_due - self._now()))
            if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                self._receive(message.data)
                continue
            if message.type == WSMsgType.CLOSE:
                code = int(message.data or 1005)
                self._stats.client_closes[code] += 1
                self._keeps_session = self._keeps_session and code not in SESSION_ENDING
            return

    def _receive(self, raw: str | bytes) -> None:
        data = raw.encode() if isinstance(raw, str) else raw
        if len(data) > MAX_PAYLOAD_BYTES:
            raise RefusedError(CloseCode.DECODE_ERROR, f"Payload of {len(data)} bytes; at most 4096 are taken.")
        if not self._rate.allow():
            raise RefusedError(CloseCode.RATE_LIMITED)
        try:
            payload = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise RefusedError(CloseCode.DECODE_ERROR) from None
        if not isinstance(payload, dict) or type(payload.get("op")) is not int:
            raise RefusedError(CloseCode.DECODE_ERROR)
        self._handle(payload["op"], payload.get("d"))

    def _handle(self, op: int, data: Any) -> None:
        handlers: dict[int, Callable[[Any], None]] = {
            Op.HEARTBEAT: self._heartbeat,
            Op.IDENTIFY: self._identify,
            Op.RESUME: self._resume,
        }
        if handler := handlers.get(op):
            handler(data)
            return
        if op not in {
            Op.PRESENCE_UPDATE,
            Op.VOICE_STATE_UPDATE,
            Op.REQUEST_GUILD_MEMBERS,
            Op.REQUEST_SOUNDBOARD_SOUNDS,
        }:
            raise RefusedError(CloseCode.UNKNOWN_OPCODE)
        if self._session is None:
            raise RefusedError(CloseCode.NOT_AUTHENTICATED)
        if not isinstance(data, dict):
            raise RefusedError(CloseCode.DECODE_ERROR)
        if op == Op.PRESENCE_UPDATE:
            self._hub.world.set_presence(self._session.application.user, data)
        elif op == Op.REQUEST_GUILD_MEMBERS:
            self._request_members(self._session, data)
        elif op == Op.REQUEST_SOUNDBOARD_SOUNDS:
            guild_ids = data.get("guild_ids")
            for guild_id in guild_ids if isinstance(guild_ids, list) else []:
                self._hub.dispatch_to(
                    [self._session], "SOUNDBOARD_SOUNDS", {"guild_id": guild_id, "soundboard_sounds": []}
                )
        # A voice state is taken and left at that: there is no voice server.

    def _heartbeat(self, _data: Any) -> None:
        self._stats.gateway["heartbeats"] += 1
        self._heartbeat_due = self._now() + self._hub.settings.heartbeat_interval * _HEARTBEAT_GRACE
        if fault := self._fault("heartbeat"):
            self.apply(fault.kind, fault.spec)
        if not self._faults.mutes(**self._identity()):
            self._enqueue(_ACK)

    def _identify(self, data: Any) -> None:
        if self._session is not None:
            raise RefusedError(CloseCode.ALREADY_AUTHENTICATED)
        if not isinstance(data, dict):
            raise RefusedError(CloseCode.DECODE_ERROR)
        application = self._authenticate(data)
        shard = _shard(data.get("shard"))
        granted = _intents(data.get("intents"), application)
        self._check_guild_count(application, shard)
        if not self._hub.budget.spend(application.id):
            self._exhaust(application)
        if not self._hub.buckets.allow(application.id, shard[0]):
            self._stats.gateway["identify_bucket_violations"] += 1
            self._invalidate(resumable=False)
            return
        if fault := self._faults.on_gateway("identify", bot=application.id, shard=shard[0], session=None):
            self.apply(fault.kind, fault.spec)
            return
        if data.get("compress") is True and self._encode is codec.plain:
            self._encode = codec.payload_compression
        self._stats.gateway["identifies"] += 1
        threshold = data.get("large_threshold")
        session = self._hub.open(application, shard, granted, threshold if isinstance(threshold, int) else 50)
        self._session = session
        self._hub.attach(session, self)
        log.info("gateway: identified", extra={**self._identity(), "shards": shard[1], "intents": granted})
        self._hub.greet(session, self._gateway_url(), self._version)
        self._hub.update_online(application)
        if isinstance(data.get("presence"), dict):
            self._hub.world.set_presence(application.user, data["presence"])

    def _resume(self, data: Any) -> None:
        if self._session is not None:
            raise RefusedError(CloseCode.ALREADY_AUTHENTICATED)
        if not isinstance(data, dict):
            raise RefusedError(CloseCode.DECODE_ERROR)
        application = self._authenticate(data)
        session = self._hub.sessions.get(str(data.get("session_id")))
        sequence = data.get("seq")
        if session is None or session.application is not application or type(sequence) is not int:
            self._refuse_resume()
            return
        if sequence > session.sequence or sequence < 0:
            raise RefusedError(CloseCode.INVALID_SEQ)
        if not session.can_replay_from(sequence):
            self._refuse_resume()
            return
        identity: dict[str, Any] = {"bot": application.id, "shard": session.shard_id, "session": session.id}
        if fault := self._faults.on_gateway("resume", **identity):
            self.apply(fault.kind, fault.spec)
            return
        if isinstance(session.sink, Connection):
            session.sink.close(CloseCode.UNKNOWN_ERROR, "The session was resumed by another connection.")
        self._session = session
        self._stats.gateway["resumes"] += 1
        session.resumes += 1
        for frame in session.replay(sequence):
            self._enqueue(frame)
        self._enqueue(session.resumed_frame())
        self._hub.attach(session, self)
        self._hub.update_online(application)
        log.info("gateway: resumed", extra={**self._identity(), "from": sequence, "to": session.sequence})

    def _refuse_resume(self) -> None:
        self._stats.gateway["resumes_refused"] += 1
        self._invalidate(resumable=False)

    def _invalidate(self, *, resumable: bool) -> None:
        """Op 9. When the session is gone for good, the client may IDENTIFY again on this very connection."""
        self._stats.gateway["invalid_sessions"] += 1
        self.send_op(Op.INVALID_SESSION, resumable)
        session, self._session = self._session, None
        if session is not None:
            self._hub.detach(session, self, keep=resumable)

    def _exhaust(self, application: Application) -> None:
        """Over the daily budget: every session ends, and the token is void (events/gateway, "Session Start Limit")."""
        self._stats.gateway["budget_exhausted"] += 1
        if self._hub.settings.exhausted_budget_resets_token:
            end_sessions(self._hub, application)
            self._hub.world.reset_token(application)
            self._hub.budget.refill(application.id)
            log.warning("gateway: IDENTIFY budget spent, token reset", extra={"bot": application.id})
        raise RefusedError(CloseCode.AUTHENTICATION_FAILED, "No IDENTIFY is left of the daily session_start_limit.")

    def _authenticate(self, data: dict[str, Any]) -> Application:
        token = data.get("token")
        application = self._hub.world.tokens.get(token.removeprefix("Bot ").strip()) if isinstance(token, str) else None
        if application is None:
            raise RefusedError(CloseCode.AUTHENTICATION_FAILED)
        return application

    def _check_guild_count(self, application: Application, shard: tuple[int, int]) -> None:
        if len(self._hub.world.guilds_of(application.id)) > MAX_GUILDS_PER_SHARD * shard[1]:
            raise RefusedError(CloseCode.SHARDING_REQUIRED)

    def _request_members(self, session: Session, data: dict[str, Any]) -> None:
        """Op 8 (events/gateway-events, "Request Guild Members")."""
        guild_id = data.get("guild_id")
        guild = self._hub.world.guilds.get(str(guild_id[0] if isinstance(guild_id, list) and guild_id else guild_id))
        wanted, query, limit, nonce = (data.get(name) for name in ("user_ids", "query", "limit", "nonce"))
        if not isinstance(limit or 0, int) or not isinstance(query or "", str) or isinstance(wanted, dict):
            raise RefusedError(CloseCode.DECODE_ERROR)
        if guild is None or session.application.id not in guild.members:
            return
        if not isinstance(nonce, str) or len(nonce.encode()) > _MAX_NONCE_BYTES:
            nonce = None
        not_found: list[str] = []
        if wanted is not None:
            ids = [str(i) for i in (wanted if isinstance(wanted, list) else [wanted])][:100]
            members = [guild.members[i] for i in ids if i in guild.members]
            not_found = [i for i in ids if i not in guild.members]
        else:
            if not query and not limit and not session.intents & intents.Intents.GUILD_MEMBERS:
                raise RefusedError(
                    CloseCode.DISALLOWED_INTENTS, "The whole member list needs the GUILD_MEMBERS intent."
                )
            start = (query or "").lower()
            members = [m for m in guild.members.values() if (m.nick or m.user.username).lower().startswith(start)]
            members = members[: max(0, min(limit, 100))] if limit else members
        presences = bool(data.get("presences")) and bool(session.intents & intents.Intents.GUILD_PRESENCES)
        self._hub.send_member_chunks(session, guild, members, not_found, nonce, presences)

    def _gateway_url(self) -> str:
        secure = self._request.headers.get("X-Forwarded-Proto", self._request.scheme) == "https"
        return f"{'wss' if secure else 'ws'}://{self._request.host}"

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def _ended(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait for its end. What it failed with is for whoever awaits the task itself."""
    task.cancel()
    await asyncio.wait({task})


def end_sessions(hub: Hub, application: Application, code: int = CloseCode.AUTHENTICATION_FAILED) -> int:
    """Close every connection of a bot and forget its sessions; returns how many there were."""
    sessions = hub.sessions_of(application.id)
    for session in sessions:
        if isinstance(session.sink, Connection):
            session.sink.close(code)
        hub.end(session)
    return len(sessions)


def _shard(value: Any) -> tuple[int, int]:
    if value is None:
        return 0, 1
    if not isinstance(value, list) or len(value) != 2 or not all(type(number) is int for number in value):
        raise RefusedError(CloseCode.INVALID_SHARD)
    if not 0 <= value[0] < value[1] <= _MAX_SHARDS:
        raise RefusedError(CloseCode.INVALID_SHARD)
    return value[0], value[1]


def _intents(value: Any, application: Application) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= intents.MAX_INTENTS:
        raise RefusedError(CloseCode.INVALID_INTENTS)
    if value & intents.PRIVILEGED & ~application.privileged_intents:
        raise RefusedError(CloseCode.DISALLOWED_INTENTS)
    return value
