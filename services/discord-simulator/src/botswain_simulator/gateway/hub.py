"""All sessions of all bots, and the way from a thing that happened in the world to the sessions that may see it.

This is the hot path under load: an event is encoded at most twice (with and without message content), never once per
session.
"""

import asyncio
import secrets
from collections.abc import Iterable, Iterator

import orjson

from botswain_simulator import intents, payloads
from botswain_simulator.gateway.limits import IdentifyBuckets, IdentifyBudget
from botswain_simulator.gateway.sessions import Session, Sink, dispatch_head
from botswain_simulator.models import Application, Channel, ChannelType, Guild, Member
from botswain_simulator.permissions import Permissions
from botswain_simulator.settings import Settings
from botswain_simulator.snowflakes import shard_of
from botswain_simulator.world import Event, World, rendering

Shards = dict[int, dict[int, list[Session]]]
"""shard count -> shard id -> sessions: several may run one shard, and counts may mix while a bot re-shards."""

_SEEN_BY_ALL_WHO_LEAVE = {"CHANNEL_DELETE", "THREAD_DELETE"}


class Hub:
    """Keeps sessions and feeds them from the world."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.world = world
        self.settings = settings
        self.sessions: dict[str, Session] = {}
        self.buckets = IdentifyBuckets(world.clock, settings.max_concurrency, settings.identify_interval)
        self.budget = IdentifyBudget(world.clock, settings.session_start_limit)
        self._shards: dict[str, Shards] = {}
        self._heads: dict[str, bytes] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._unsubscribe = world.subscribe(self.on_event)

    def close(self) -> None:
        """Stop listening and forget every session."""
        self._unsubscribe()
        for session in list(self.sessions.values()):
            self.end(session)

    def forget(self) -> None:
        """Give every bot its IDENTIFYs back."""
        self.buckets = IdentifyBuckets(self.world.clock, self.settings.max_concurrency, self.settings.identify_interval)
        self.budget = IdentifyBudget(self.world.clock, self.settings.session_start_limit)

    def open(self, application: Application, shard: tuple[int, int], granted: int, large_threshold: int) -> Session:
        """Begin a session."""
        session = Session(
            secrets.token_hex(16),
            application,
            *shard,
            granted,
            self.settings.replay_limit,
            self.world.clock(),
            large_threshold,
        )
        self.sessions[session.id] = session
        self._shards.setdefault(application.id, {}).setdefault(shard[1], {}).setdefault(shard[0], []).append(session)
        return session

    def attach(self, session: Session, sink: Sink) -> None:
        """Let a session's frames go to a connection."""
        if timer := self._expiries.pop(session.id, None):
            timer.cancel()
        session.sink, session.detached_at = sink, None

    def detach(self, session: Session, sink: Sink, *, keep: bool) -> None:
        """A connection is gone. Its session stays for `session_retention` seconds when it may be resumed."""
        if session.sink is not sink:
            return
        session.sink, session.detached_at = None, self.world.clock()
        if not keep or session.id not in self.sessions:
            self.end(session)
        else:
            loop = asyncio.get_running_loop()
            self._expiries[session.id] = loop.call_later(self.settings.session_retention, self.end, session)
        self.update_online(session.application)

    def end(self, session: Session) -> None:
        """Forget a session: a RESUME of it gets op 9."""
        if timer := self._expiries.pop(session.id, None):
            timer.cancel()
        if self.sessions.pop(session.id, None) is not None:
            by_count = self._shards[session.application.id]
            by_count[session.shard_count][session.shard_id].remove(session)
            if not by_count[session.shard_count][session.shard_id]:
                del by_count[session.shard_count][session.shard_id]
            if not by_count[session.shard_count]:
                del by_count[session.shard_count]
            if not by_count:
                del self._shards[session.application.id]

    def sessions_of(self, application_id: str) -> list[Session]:
        return [s for s in self.sessions.values() if s.application.id == application_id]

    def guilds_on(self, session: Session) -> list[Guild]:
        """The guilds a session's shard looks after."""
        return [
            guild
            for guild in self.world.guilds_of(session.application.id)
            if shard_of(guild.id, session.shard_count) == session.shard_id
        ]

    def greet(self, session: Session, gateway_url: str, version: int) -> None:
        """READY, then a GUILD_CREATE for each guild of the shard."""
        guilds = self.guilds_on(session)
        application = session.application
        ready = {
            "v": version,
            "user_settings": {},
            "user": payloads.current_user(application.user),
            "session_type": "normal",
            "session_id": session.id,
            "resume_gateway_url": gateway_url,
            "relationships": [],
            "private_channels": [],
            "presences": [],
            "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": ["us-east"],
            "game_relationships": [],
            "auth": {},
            "application": {"id": application.id, "flags": payloads.application_flags(application.privileged_intents)},
            "shard": [session.shard_id, session.shard_count],
            "_trace": ["simulator"],
        }
        session.dispatch(self._head("READY"), orjson.dumps(ready))
        if session.intents & intents.Intents.GUILDS:
            for guild in guilds:
                self._send_guild(session, guild)

    def on_event(self, event: Event) -> None:
        """Give an event to every session that may see it."""
        if not self._shards or event.bots == ():
            return
        full = bare = b""
        needed = intents.required(event.name, in_guild=event.guild_id is not None)
        head = self._head(event.name)
        for bot_id in self._receivers(event):
            for session in self._on_shard(bot_id, event.guild_id):
                if needed and not session.intents & needed and not _is_about(event, bot_id):
                    continue
                if event.name == "GUILD_CREATE":
                    self._send_guild(session, event.subject)
                elif event.message is None or rendering.may_read(event.message, bot_id, session.intents):
                    full = full or orjson.dumps(event.data)
                    session.dispatch(head, full)
                else:
                    bare = bare or orjson.dumps(rendering.without_content(event.data))
                    session.dispatch(head, bare)

    def send_member_chunks(self, session: Session, guild: Guild, members: list[Member], not_found: list[str],
                           nonce: str | None, presences: bool) -> None:  # fmt: skip
        """Answer op 8: GUILD_MEMBERS_CHUNK for every 1,000 members (events/gateway-events, "Request Guild Members")."""
        chunks = [members[i : i + 1000] for i in range(0, len(members), 1000)] or [[]]
        for index, chunk in enumerate(chunks):
            data = {
                "guild_id": guild.id,
                "members": [payloads.member(m) for m in chunk],
                "chunk_index": index,
                "chunk_count": len(chunks),
                "not_found": not_found,
            }
            if presences:
                data["presences"] = [payloads.presence(m, guild.id) for m in chunk if m.user.online]
            if nonce is not None:
                data["nonce"] = nonce
            session.dispatch(self._head("GUILD_MEMBERS_CHUNK"), orjson.dumps(data))

    def dispatch_to(self, sessions: Iterable[Session], name: str, data: object) -> None:
        """Send any event to some sessions, whatever their intents."""
        body = orjson.dumps(data)
        for session in sessions:
            session.dispatch(self._head(name), body)

    def _receivers(self, event: Event) -> Iterator[str]:
        if event.bots is not None:
            yield from (bot for bot in event.bots if bot in self._shards)
            return
        guild = self.world.guilds.get(event.guild_id or "")
        if guild is None:
            return
        channel = event.channel
        for bot_id in self._shards:
            if bot_id not in guild.members:
                continue
            if channel is None or event.name in _SEEN_BY_ALL_WHO_LEAVE or self._sees(bot_id, channel):
                yield bot_id

    def _sees(self, bot_id: str, channel: Channel) -> bool:
        held = self.world.permissions_in(channel, bot_id)
        if channel.type == ChannelType.PRIVATE_THREAD and channel.thread and not held & Permissions.MANAGE_THREADS:
            return held != 0 and bot_id in channel.thread.members
        return held != 0

    def _on_shard(self, bot_id: str, guild_id: str | None) -> Iterator[Session]:
        """The sessions that look after a guild; for what has no guild, those of shard 0."""
        for count, by_id in self._shards[bot_id].items():
            yield from by_id.get(shard_of(guild_id, count) if guild_id else 0, ())

    def _send_guild(self, session: Session, guild: Guild) -> None:
        data = payloads.guild_create(
            guild,
            bot_id=session.application.id,
            with_members=bool(session.intents & intents.Intents.GUILD_MEMBERS),
            with_presences=bool(session.intents & intents.Intents.GUILD_PRESENCES),
            large_threshold=session.large_threshold,
        )
        session.dispatch(self._head("GUILD_CREATE"), orjson.dumps(data))

    def _head(self, name: str) -> bytes:
        head = self._heads.get(name)
        if head is None:
            head = self._heads[name] = dispatch_head(name)
        return head

    def update_online(self, application: Application) -> None:
        """Let a bot be seen online while one of its sessions is connected. READY must go out before: this is an
        event, too.
        """
        connected = any(s.sink is not None for s in self.sessions_of(application.id))
        self.world.set_online(application.user, connected)


def _is_about(event: Event, bot_id: str) -> bool:
    """A bot hears of changes to its own membership without GUILD_MEMBERS."""
    return event.name == "GUILD_MEMBER_UPDATE" and isinstance(event.subject, Member) and event.subject.user.id == bot_id
