"""A process goes, by a signal or without a word, and the next goes on where the recorded events end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from .claiming import Coordination
from .conftest import Adapter, Discord, Process, PublishOrchestrator, until

RunAdapter = Callable[..., Adapter]
RunProcess = Callable[..., Awaitable[Process]]
CHANNELS = ("general", "random", "bots")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Op 9 is followed by an IDENTIFY almost at once."""
    monkeypatch.setattr("botswain_discord.shards.INVALID_SESSION_WAIT", (0.1, 0.1))


def coordination(ledger: PublishOrchestrator) -> Coordination:
    assert ledger.coordination is not None
    return ledger.coordination


def by_channel(ledger: PublishOrchestrator) -> dict[str, list[str]]:
    """What was recorded, each event once, as the ledger does."""
    found: dict[str, list[str]] = {}
    for event in ledger.events:
        found.setdefault(event.source_channel_id, []).append(event.content)
    return found


class Load:
    """Says numbers in three channels by turns until it is stopped."""

    def __init__(self, discord: Discord, per_second: float = 200.0) -> None:
        self.said: dict[str, list[str]] = {discord.channel(name).id: [] for name in CHANNELS}
        self._discord = discord
        self._pause = 1 / per_second
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        number = 0
        while True:
            channel = self._discord.channel(CHANNELS[number % 3])
            self._discord.say(str(number), channel=channel)
            self.said[channel.id].append(str(number))
            number += 1
            await asyncio.sleep(self._pause)

    @property
    def count(self) -> int:
        return sum(len(said) for said in self.said.values())

    async def more(self, count: int) -> None:
        """Wait until that many more were said."""
        goal = self.count + count
        await until(lambda: self.count >= goal, "the load")

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


async def test_a_killed_process_is_replaced_without_a_gap(
    ledger: PublishOrchestrator, discord: Discord, run_process: RunProcess
) -> None:
    """SIGKILL under load, three times: every message is recorded, in order in its channel, and one IDENTIFY was spent in all."""
    coordination(ledger).ttl = 1.0
    process = await run_process(ledger.url)
    await until(lambda: discord.counts["identifies"] == 1, "the IDENTIFY")
    load = Load(discord)
    for kill in range(1, 4):
        await load.more(60)
        process.process.kill()
        await process.exit_code()
        await load.more(20)
        process = await run_process(ledger.url)
        await until(lambda: discord.counts["resumes"] == kill, "the RESUME")  # noqa: B023 - waited for here
    await load.more(20)
    await load.stop()
    await until(lambda: by_channel(ledger) == load.said, "every message, in order")
    assert discord.counts["identifies"] == 1


async def test_a_standby_takes_over_on_sigterm(
    ledger: PublishOrchestrator,
    discord: Discord,
    run_process: RunProcess,
    record_property: Callable[[str, object], None],
) -> None:
    """The session is handed on: no IDENTIFY, no message lost, and those said meanwhile come at once."""
    arrived: dict[str, float] = {}
    record = coordination(ledger).record

    def timed(request: object) -> bool:
        for event in request.events:  # type: ignore[attr-defined]
            arrived.setdefault(event.event_id, time.monotonic())
        return record(request)  # type: ignore[arg-type]

    coordination(ledger).record = timed  # type: ignore[method-assign, assignment]
    coordination(ledger).ttl = 600.0
    active = await run_process(ledger.url)
    await until(lambda: discord.counts["identifies"] == 1, "the IDENTIFY")
    said: dict[str, float] = {}
    slowest: list[float] = []
    for handover in range(1, 6):
        standby = await run_process(ledger.url)
        await until(lambda: "claim_standby" in standby.output, "the standby")  # noqa: B023
        before = len(said)
        for number in range(120):
            if number == 40:
                active.process.terminate()
            message = discord.say(f"{handover}.{number}")
            said[f"discord:message:{message.id}"] = time.monotonic()
            await asyncio.sleep(0.005)
        assert await active.exit_code() == 0
        await until(lambda: len(arrived) == len(said), "every message")
        slowest.append(max(arrived[key] - said[key] for key in list(said)[before:]))
        active = standby
    record_property("handover_gaps_ms", [round(gap * 1_000) for gap in slowest])
    print("hand-over gaps, ms:", [round(gap * 1_000) for gap in slowest])
    assert [event.event_id for event in ledger.events] == list(said)
    assert (discord.counts["identifies"], discord.counts["resumes"]) == (1, 5)
    assert discord.simulator.stats.client_closes == {4000: 5}
    assert "events_not_acknowledged" not in active.output


async def test_a_resumed_process_knows_names_and_itself(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """READY never comes, and yet: guild and thread names, mentions, the same conversations as before, the bot's own
    messages left out, readiness."""
    first = run_adapter(ledger.url)
    await first.connected()
    thread = discord.world.open_thread(discord.channel(), discord.ada, "moorings")
    discord.say("before")
    discord.say("before", channel=thread)
    await until(lambda: len(ledger.events) == 2, "the first messages")
    await first.stop()
    second = run_adapter(ledger.url)
    await second.connected()
    body = await second.status(200)
    assert (body["role"], body["shards"][0]["state"]) == ("active", "connected")
    bot = discord.application.user
    discord.say("my own", author=bot)
    discord.say(f"hello <@{bot.id}>")
    discord.say("which berth?", channel=thread)
    await until(lambda: len(ledger.events) == 4, "the other messages")
    earlier, event, in_thread = (ledger.events[number] for number in (0, 2, 3))
    assert (event.discord.guild_name, list(event.discord.mentions)) == (discord.guild.name, [bot.id])
    assert event.discord.bot_user_id == bot.id
    assert event.routing == earlier.routing
    assert (in_thread.discord.thread.parent_id, in_thread.discord.thread.name) == (discord.channel().id, "moorings")
    assert in_thread.routing == ledger.events[1].routing
    another = discord.world.open_thread(discord.channel(), discord.ada, "anchors")
    discord.say("in a later thread", channel=another)
    await until(lambda: len(ledger.events) == 5, "the message in a later thread")
    assert ledger.events[4].discord.thread.name == "anchors"
    assert (discord.counts["identifies"], discord.counts["resumes"]) == (1, 1)


async def test_other_intents_begin_a_session_of_their_own(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """A session keeps the intents it was begun with, so it isn't resumed under others; what came meanwhile is fetched."""
    first = run_adapter(ledger.url)
    await first.connected()
    discord.say("before")
    await until(lambda: len(ledger.events) == 1, "the first message")
    await first.stop()
    discord.say("meanwhile")
    second = run_adapter(ledger.url, DISCORD_INTENTS="guilds,guild_messages,message_content,guild_reactions")
    await second.connected()
    await until(lambda: len(ledger.events) == 2, "the message that came meanwhile")
    assert [event.content for event in ledger.events] == ["before", "meanwhile"]
    assert (discord.counts["identifies"], discord.counts["resumes"]) == (2, 0)


@pytest.mark.parametrize("resumable", [True, False])
async def test_an_invalidated_session_loses_nothing(
    ledger: PublishOrchestrator,
    discord: Discord,
    run_adapter: RunAdapter,
    resumable: bool,
) -> None:
    """Op 9: resumed where Discord allows it, else begun anew and caught up; the load goes on all the time."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    load = Load(discord)
    await load.more(60)
    await discord.fault(kind="invalid_session", resumable=resumable)
    counted = "resumes" if resumable else "identifies"
    await until(lambda: discord.counts[counted] == (1 if resumable else 2), "the new connection")
    await load.more(60)
    await load.stop()
    await until(lambda: by_channel(ledger) == load.said, "every message, in order")


async def test_a_session_that_expired_is_caught_up(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """Nobody ran for so long that Discord forgot the session: channels are fetched from the recorded marks, page by page."""
    first = run_adapter(ledger.url)
    await first.connected()
    said = {discord.channel(name).id: [f"first in {name}"] for name in CHANNELS}
    for name in CHANNELS:
        discord.say(f"first in {name}", channel=discord.channel(name))
    await until(lambda: by_channel(ledger) == said, "the first messages")
    await first.stop()
    for number in range(250):
        discord.say(str(number))
        said[discord.channel().id].append(str(number))
    discord.say("my own", author=discord.application.user)
    discord.say("one", channel=discord.channel("random"))
    said[discord.channel("random").id].append("one")
    await discord.fault(kind="expire_sessions")
    await run_adapter(ledger.url).connected()
    load = Load(discord)
    await load.more(30)
    await load.stop()
    for channel, numbers in load.said.items():
        said[channel] += numbers
    await until(lambda: by_channel(ledger) == said, "every message, in order")
    assert discord.counts["identifies"] == 2
    guild_ids = {event.discord.guild_id for event in ledger.events}
    assert guild_ids == {discord.guild.id}
    (session,) = discord.simulator.hub.sessions.values()
    await until(lambda: coordination(ledger).cursors[1, 0].session_id == session.id, "the new session's cursor")


@pytest.mark.parametrize("known", [True, False], ids=["after messages", "before any message"])
async def test_channels_made_while_nobody_ran_are_caught_up(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter, known: bool
) -> None:
    """A channel and a thread in which none was ever seen: what was written there while the session was lost is fetched."""
    first = run_adapter(ledger.url)
    await first.connected()
    said = {}
    if known:
        discord.say("before")
        said = {discord.channel().id: ["before"]}
        await until(lambda: by_channel(ledger) == said, "the first message")
    await until(lambda: coordination(ledger).cursors, "a cursor")
    await first.stop()
    world = discord.world
    made = [world.add_channel(discord.guild, "new"), world.open_thread(discord.channel(), discord.ada, "thread")]
    for channel in made:
        for number in range(3):
            discord.say(str(number), channel=channel)
        said[channel.id] = ["0", "1", "2"]
    await discord.fault(kind="expire_sessions")
    second = run_adapter(ledger.url)
    await second.connected()
    discord.say("live", channel=made[0])
    said[made[0].id].append("live")
    await until(lambda: by_channel(ledger) == said, "every message, in order")
    (session,) = discord.simulator.hub.sessions.values()
    await until(lambda: coordination(ledger).cursors[1, 0].session_id == session.id, "the new session's cursor")


async def test_a_process_that_dies_while_catching_up_leaves_it_to_the_next(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """Its cursor stays at the lost session, so that the next one doesn't take the gap for recorded."""
    first = run_adapter(ledger.url)
    await first.connected()
    discord.say("before")
    await until(lambda: ledger.events, "the first message")
    await first.stop()
    for number in range(20):
        discord.say(str(number))
    await discord.fault(kind="expire_sessions")
    await discord.fault(kind="latency", route="/messages$", seconds=600.0)
    second = run_adapter(ledger.url)
    await second.connected()
    discord.say("live")
    await second.stop()
    discord.simulator.faults.clear()
    await run_adapter(ledger.url).connected()
    expected = ["before", *map(str, range(20)), "live"]
    await until(lambda: by_channel(ledger) == {discord.channel().id: expected}, "every message, in order")


@pytest.mark.parametrize("status", [403, 404])
async def test_a_channel_that_may_not_be_read_holds_nothing_up(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter, status: int
) -> None:
    """It is left out with a warning; others are caught up, and live messages of that channel come through."""
    first = run_adapter(ledger.url)
    await first.connected()
    for name in CHANNELS:
        discord.say("before", channel=discord.channel(name))
    await until(lambda: len(ledger.events) == 3, "the first messages")
    await first.stop()
    for name in CHANNELS:
        discord.say("meanwhile", channel=discord.channel(name))
    await discord.fault(kind="expire_sessions")
    await discord.fault(kind="http_status", status=status, route=f"/channels/{discord.channel().id}/messages")
    await run_adapter(ledger.url).connected()
    discord.say("after")
    expected = {discord.channel(name).id: ["before", "meanwhile"] for name in CHANNELS}
    expected[discord.channel().id] = ["before", "after"]
    await until(lambda: by_channel(ledger) == expected, "the others' messages")


async def test_a_bot_is_resharded_with_both_sets_running(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """From one shard to two under load: the old set goes when the new one is complete; every message is recorded, in order."""
    old = run_adapter(ledger.url, SHARD_IDS="0", SHARD_COUNT="1")
    await old.connected()
    load = Load(discord)
    await load.more(30)
    new = [run_adapter(ledger.url, SHARD_IDS=str(shard), SHARD_COUNT="2") for shard in range(2)]
    for adapter in new:
        await adapter.connected()
        assert adapter.service.reader.role == "active"
    await load.more(30)
    await old.stop()
    await load.more(30)
    await load.stop()
    await until(lambda: by_channel(ledger) == load.said, "every message, in order")
    for adapter in new:
        await adapter.status(200)
    brought = Counter(request.cursor.shard.count for request in ledger.requests if request.events)
    assert set(brought) >= {1, 2}
