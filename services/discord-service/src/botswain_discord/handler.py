"""`DiscordGatewayHandler`: a discord.py client that turns raw dispatches into events for the orchestrator.

It logs in and connects as any client does, and reads payloads instead of objects (see `websocket`), so it holds no cache of
guilds, members or messages. What a payload looks like never ends a shard: it is counted, logged with its ids, and skipped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import aiohttp
import discord
from botswain_proto.v1.coordination_pb2 import ShardCursor
from botswain_proto.v1.event_pb2 import InternalEvent
from botswain_services import tracing
from botswain_services.logs import get_logger
from botswain_services.rpc import Peer
from discord.http import Route
from google.protobuf.json_format import MessageToDict

from botswain_discord import metrics, reactions
from botswain_discord.backoff import reconnect_delay
from botswain_discord.catch_up import PAGE
from botswain_discord.claims import Holding, ShardSet
from botswain_discord.close_codes import REFUSED_TOKEN
from botswain_discord.cursors import Place
from botswain_discord.errors import DiscordRefusedError, MalformedPayloadError
from botswain_discord.gateway_client import GatewayClient
from botswain_discord.identify import IdentifyPacer, Permits, StartLimit
from botswain_discord.line_limit import LineLimit
from botswain_discord.names import EVENTS as NAME_EVENTS
from botswain_discord.names import Names
from botswain_discord.normalise import MessageContext, ignored_reason, normalise_message, payload_ids
from botswain_discord.outbox import Session
from botswain_discord.recovery import Recovery
from botswain_discord.settings import DiscordSettings
from botswain_discord.shards import Shard, ShardState
from botswain_discord.websocket import ShardWebSocket

MALFORMED_LINES = 20
"""Log lines a second about malformed payloads."""
KEEP_SESSION = 4000
LIMIT_AGE = 5.0
"""Seconds for which Discord's word on the IDENTIFYs left is taken as new."""
HELD_LIMIT = 10_000
"""Live messages that may wait for their channels to catch up before reading pauses."""
log = get_logger(__name__)
T = TypeVar("T")


class DiscordGatewayHandler(discord.Client):
    """Reads the shards of one process and forwards their messages.

    `prepare()` logs in and learns which shards there are, `read()` keeps them connected, `disconnect()` closes their sockets. It
    sets the API base for all of discord.py in this process.
    """

    def __init__(self, settings: DiscordSettings, gateway: GatewayClient, permits: Peer | None = None) -> None:
        intents = discord.Intents.none()
        for name in settings.discord_intents:
            setattr(intents, name, True)
        super().__init__(intents=intents, max_messages=None, chunk_guilds_at_startup=False)
        Route.BASE = settings.discord_api_url
        self.names = Names()
        self.shards: dict[int, Shard] = {}
        self._settings = settings
        self._gateway = gateway
        self.stage = "not started"
        """What it is doing before it reads, or why that failed."""
        self._gateway_url = ""
        self._limit: tuple[float, StartLimit] | None = None
        self._pacer: IdentifyPacer | None = None
        self._permits_from = permits
        self._contexts: dict[int, MessageContext] = {}
        self._recovery = Recovery(self._fetch_messages, self._take_fetched, gateway.wait_for_room)
        self._bot_user_id = ""
        self._event_lines = LineLimit(settings.event_log_rate, lambda count: log.info("events_not_logged", count=count))
        self._malformed_lines = LineLimit(
            MALFORMED_LINES, lambda count: log.warning("malformed_payloads_not_logged", count=count)
        )
        self._parsers: dict[str, Callable[[dict[str, Any], ShardWebSocket], None]] = {
            "MESSAGE_CREATE": self.on_message,
            "MESSAGE_UPDATE": self.on_message_edit,
            "MESSAGE_REACTION_ADD": self.on_reaction_add,
            "READY": self._on_ready,
            "GUILD_CREATE": self._on_guild_create,
            "RESUMED": self._on_resumed,
        }

    # -- connecting ------------------------------------------------------------------------------------------------------

    async def login(self, token: str) -> None:
        """Log in, however long Discord can't be reached.

        Raises:
            DiscordRefusedError: the token, the application id or the API's address is wrong.
        """
        await self._persist("logging in", lambda: self._try_login(token))
        assert self.user is not None
        self._bot_user_id = str(self.user.id)
        application = self.application
        wanted = self._settings.discord_application_id
        if application is not None and str(application.id) != wanted:
            raise DiscordRefusedError(
                f"DISCORD_APPLICATION_ID is {wanted}, but DISCORD_BOT_TOKEN is of application {application.id} "
                f"({application.name}). Set the two that belong together."
            )

    async def prepare(self, token: str) -> None:
        """Log in, and ask where the gateway is and how many shards there are; however long that can't be done.

        Raises:
            DiscordRefusedError: the token, the application id or the API's address is wrong.
        """
        await self.login(token)
        recommended, self._gateway_url, limit = await self._persist("asking for the gateway", self.http.get_bot_gateway)
        self.shard_count = self._settings.shard_count or recommended
        self._connection.shard_count = self.shard_count
        self._limit = (time.monotonic(), _start_limit(limit))
        self._pacer = IdentifyPacer(_start_limit(limit))
        self.stage = "connecting"

    @property
    def shard_set(self) -> ShardSet:
        """The shards of this process, once `prepare()` has returned."""
        assert self.shard_count is not None
        return ShardSet(tuple(self._settings.shard_ids or range(self.shard_count)), self.shard_count)

    async def read(self, holding: Holding) -> None:
        """Run the shards until cancelled; their sockets stay open then, unread, until `disconnect()`.

        Raises:
            DiscordRefusedError: Discord says that one of them can't be run.
        """
        assert self._pacer is not None
        ids, count = self.shard_set
        failed = self._recovery.begin(holding.channels)
        permits = Permits(
            self._permits_from,
            self._settings.discord_application_id,
            holding,
            count,
            self._start_limit_now,
            self._pacer,
        )
        for shard_id in ids:
            self._contexts[shard_id] = MessageContext(
                self._settings.discord_application_id, self._bot_user_id, shard_id, count, self.names
            )
            session, sequence = self._restore(holding.cursors.get(shard_id))
            self.shards[shard_id] = Shard(
                shard_id,
                self,
                self,
                permits.permit,
                gateway_url=self._gateway_url,
                intents=self._settings.discord_intents,
                session=session,
                sequence=sequence,
            )
        tasks = [asyncio.create_task(shard.run(), name=f"shard {shard.id}") for shard in self.shards.values()]
        try:
            await asyncio.gather(*tasks, failed)
        finally:
            for task in tasks:
                task.cancel()
            tasks += self._recovery.cancel()
            await asyncio.wait(tasks)

    async def _start_limit_now(self) -> StartLimit:
        """Discord's word on the IDENTIFYs that are left, or its last one while it doesn't answer."""
        assert self._limit is not None
        if time.monotonic() - self._limit[0] > LIMIT_AGE:
            try:
                _, _, limit = await self.http.get_bot_gateway()
                self._limit = (time.monotonic(), _start_limit(limit))
            except (
                discord.GatewayNotFound,
                discord.HTTPException,
                aiohttp.ClientError,
                OSError,
                TimeoutError,
            ) as error:
                log.warning("start_limit_unknown", reason=str(error))
        return self._limit[1]

    def _restore(self, cursor: ShardCursor | None) -> tuple[Session | None, int | None]:
        """Where a shard goes on, and what it knew there."""
        if cursor is None:
            return None, None
        state = MessageToDict(cursor.state) if cursor.HasField("state") else {}
        if state:
            self.names.restore(state)
        shard = cursor.shard
        self._recovery.read_until(shard.id, cursor.updated_at.ToMilliseconds())
        if state.get("intents", self.intents.value) != self.intents.value:
            # A session keeps the intents that it was begun with.
            log.info("session_not_resumed", shard=shard.id, reason="DISCORD_INTENTS has changed")
            return None, None
        return Session(shard.id, shard.count, cursor.session_id, cursor.resume_gateway_url), cursor.seq

    def places(self) -> Iterator[Place]:
        """Where each shard stands; all that was read up to there is in the outbox."""
        for shard in self.shards.values():
            place = shard.place
            if place is not None and not self._recovery.behind(shard.id):
                yield Place(*place, self.names.version, partial(self._state, shard.id))

    def _state(self, shard_id: int) -> dict[str, Any]:
        return {
            "bot_user_id": self._bot_user_id,
            "intents": self.intents.value,
            **self.names.state(shard_id, self.shard_set.of),
        }

    async def disconnect(self, code: int) -> None:
        """Close the shards' sockets with `code`."""
        await asyncio.gather(*(shard.close(code) for shard in self.shards.values()))
        self.shards.clear()

    async def close(self) -> None:
        """Let go of everything. Sockets that are still open are closed so that their sessions stay."""
        await self.disconnect(KEEP_SESSION)
        self._event_lines.flush()
        self._malformed_lines.flush()
        await super().close()

    def problem(self) -> str | None:
        """Why not all shards are connected; None when they are."""
        if not self.shards:
            return self.stage
        down = [
            f"shard {shard.id}: {shard.state}{f' ({shard.last_problem})' if shard.last_problem else ''}"
            for shard in self.shards.values()
            if shard.state is not ShardState.CONNECTED
        ]
        return "; ".join(down) or None

    def shard_table(self) -> list[dict[str, Any]]:
        """The shards as `/ready` shows them, and the operator reads them; latencies in milliseconds."""
        guilds = self.names.guild_counts(self.shard_count or 1)
        return [
            {
                "id": shard.id,
                "count": self.shard_count,
                "state": "reading paused" if shard.paused else str(shard.state),
                "guilds": guilds[shard.id],
                "latency_ms": None if shard.latency is None else round(shard.latency * 1_000, 1),
            }
            for shard in self.shards.values()
        ]

    async def _try_login(self, token: str) -> None:
        try:
            await super().login(token)
        except (KeyError, TypeError) as error:
            raise DiscordRefusedError(
                f"DISCORD_API_URL: {Route.BASE} doesn't answer as Discord's API does ({type(error).__name__}: {error})"
            ) from error
        except BaseException:
            await self.http.close()  # each attempt makes a session and a connector of its own
            self.http.connector = discord.utils.MISSING
            raise

    async def _persist(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until Discord answers."""
        failures = 0
        self.stage = what
        while True:
            try:
                return await attempt()
            except discord.LoginFailure:
                raise DiscordRefusedError(REFUSED_TOKEN) from None
            except (
                discord.HTTPException,
                discord.GatewayNotFound,
                aiohttp.ClientError,
                OSError,
                TimeoutError,
            ) as error:
                cause = error.__cause__ if isinstance(error, discord.GatewayNotFound) else error
                if isinstance(cause, discord.HTTPException) and cause.status < 500 and cause.status != 429:
                    raise DiscordRefusedError(
                        f"DISCORD_API_URL: {Route.BASE} answered {cause.status} {cause.text[:200]!r} while {what}"
                    ) from error
                failures += 1
                delay = reconnect_delay(failures + 1)
                self.stage = f"{what} failed: {type(cause).__name__}: {cause}"
                log.warning("discord_unreachable", doing=what, reason=str(cause), delay=delay)
                await asyncio.sleep(delay)

    # -- dispatches ------------------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether messages should wait: the outbox is full, or too many are held while channels catch up."""
        return self._gateway.full or self._recovery.held >= HELD_LIMIT

    async def wait_for_room(self) -> None:
        """Return once messages need not wait."""
        await self._gateway.wait_for_room()
        await self._recovery.wait_until_held_below(HELD_LIMIT)

    def handle_dispatch(self, event: str, payload: Any, origin: ShardWebSocket) -> None:
        """Handle one dispatch; whatever its payload holds, this doesn't raise."""
        parser = self._parsers.get(event)
        if parser is None and event not in NAME_EVENTS:
            metrics.OTHERS_RECEIVED.inc()
            return
        try:
            if type(payload) is not dict:
                raise MalformedPayloadError(f"the payload is a JSON {type(payload).__name__}, not an object", {})
            if parser is not None:
                parser(payload, origin)
            else:
                metrics.OTHERS_RECEIVED.inc()
                self.names.feed(event, payload)
        except Exception as error:  # noqa: BLE001 - one payload that nobody foresaw must not end a shard
            self._count_malformed(event, payload, error, origin.shard_id, origin.sequence)

    def on_message(self, payload: dict[str, Any], origin: ShardWebSocket) -> None:
        """MESSAGE_CREATE: forward it, unless it isn't meant for an agent."""
        metrics.MESSAGES_RECEIVED.inc()
        shard_id = origin.shard_id or 0
        if self._recovery.idle or not self._recovery.behind(shard_id):
            self._take(payload, shard_id, origin.session, origin.sequence or 0)
        elif not self._recovery.hold(shard_id, payload):
            self._take(payload, shard_id, origin.session, 0)

    def _take(self, payload: dict[str, Any], shard_id: int, session: Session | None, seq: int) -> None:
        """Forward a message, unless it isn't meant for an agent. A `seq` of 0 keeps the shard's cursor where it is."""
        reason = ignored_reason(payload, self._bot_user_id)
        if reason is None:
            self._forward_event(self._normalize_message(payload, self._contexts[shard_id]), session, seq)
        else:
            metrics.IGNORED_BY_REASON[reason].inc()
        self._recovery.seen(payload)

    def on_message_edit(self, payload: dict[str, Any], origin: ShardWebSocket) -> None:
        """MESSAGE_UPDATE: counted, not processed."""
        metrics.EDITS_RECEIVED.inc()
        log.debug("message_edited", shard=origin.shard_id, **payload_ids(payload))

    def on_reaction_add(self, payload: dict[str, Any], origin: ShardWebSocket) -> None:
        """MESSAGE_REACTION_ADD: forward it, if it is somebody's to a message of the bot. It comes only when
        DISCORD_INTENTS asks for reactions, and is not fetched when a session is lost.
        """
        metrics.REACTIONS_RECEIVED.inc()
        reason = reactions.ignored_reason(payload, self._bot_user_id)
        if reason is not None:
            metrics.IGNORED_BY_REASON[reason].inc()
            return
        shard_id = origin.shard_id or 0
        event, odd = reactions.normalise_reaction(
            payload,
            self._contexts[shard_id],
            correlation_id=tracing.new_correlation_id(),
            traceparent=tracing.new_traceparent(),
            received_at=time.time(),
        )
        _count_odd(odd)
        seq = 0 if self._recovery.behind(shard_id) else origin.sequence or 0
        self._forward_event(event, origin.session, seq)

    def _normalize_message(self, payload: dict[str, Any], context: MessageContext) -> InternalEvent:
        """The event of a message, with a correlation id and the start of a trace."""
        event, odd = normalise_message(
            payload, context, correlation_id=tracing.new_correlation_id(), traceparent=tracing.new_traceparent()
        )
        _count_odd(odd)
        return event

    def _forward_event(self, event: InternalEvent, session: Session | None, seq: int) -> None:
        """Hand over and log, without waiting."""
        self._gateway.send_event(event, session, seq)
        if self._event_lines.allows():
            log.info(
                "event_received",
                correlation_id=event.correlation_id,
                event_id=event.event_id,
                channel=event.source_channel_id,
                trace_id=tracing.trace_id_of(event.traceparent),
            )

    def _on_ready(self, payload: dict[str, Any], origin: ShardWebSocket) -> None:
        guilds = payload.get("guilds")
        log.info("session_started", shard=origin.shard_id, guilds=len(guilds) if isinstance(guilds, list) else None)
        self.shards[origin.shard_id or 0].connected("identify")
        shard_id, count = origin.shard_id or 0, self.shard_set.of
        self._recovery.session_started(payload, shard_id, count, origin.session)

    def _on_guild_create(self, payload: dict[str, Any], origin: ShardWebSocket) -> None:
        metrics.OTHERS_RECEIVED.inc()
        self.names.feed("GUILD_CREATE", payload)
        self._recovery.guild_told(payload, origin.shard_id or 0, origin.session)

    def _on_resumed(self, _payload: dict[str, Any], origin: ShardWebSocket) -> None:
        self.shards[origin.shard_id or 0].connected("resume")

    # -- catching up -----------------------------------------------------------------------------------------------------

    async def _fetch_messages(self, channel_id: str, after: str) -> list[dict[str, Any]]:
        found: Any = await self.http.logs_from(channel_id, PAGE, after=after)
        return list(found)

    def _take_fetched(self, payload: dict[str, Any], shard_id: int, session: Session | None) -> None:
        try:
            self._take(payload, shard_id, session, 0)
        except Exception as error:  # noqa: BLE001 - as with a dispatch: one message must not hold up the channel
            self._count_malformed("fetched message", payload, error, shard_id, None)

    def _count_malformed(
        self, event: str, payload: Any, error: Exception, shard_id: int | None, seq: int | None
    ) -> None:
        metrics.MALFORMED.inc()
        if isinstance(error, MalformedPayloadError):
            reason, ids = str(error), error.ids
        else:
            reason = f"{type(error).__name__}: {error}"
            ids = payload_ids(payload) if type(payload) is dict else {}
        if self._malformed_lines.allows():
            log.warning("payload_malformed", dispatch=event, reason=reason, shard=shard_id, seq=seq, **ids)


def _count_odd(fields: list[str]) -> None:
    for field in fields:
        metrics.ODD_FIELDS.labels(field).inc()


def _start_limit(limit: Any) -> StartLimit:
    """From `session_start_limit` of GET /gateway/bot."""
    return StartLimit(limit["total"], limit["remaining"], limit["reset_after"] / 1_000, limit["max_concurrency"])
