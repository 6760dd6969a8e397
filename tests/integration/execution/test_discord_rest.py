"""The Discord client's behaviour when Discord limits, fails or hangs up: what is repeated, what isn't, and what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from botswain_execution.servers.calls import CallMeta
from botswain_execution.servers.discord_errors import DiscordError
from botswain_execution.servers.discord_limits import RateLimiter
from botswain_execution.servers.discord_rest import DiscordRest, allowed_mentions

KEYED = CallMeta(idempotency_key="k1")
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(minutes=10)
UNAVAILABLE = (503, {}, {"message": "upstream"})


class Pauses:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def rest(fake_discord: Any, pauses: Pauses) -> AsyncIterator[DiscordRest]:
    """A client of the stand-in whose waits take no time."""
    limiter = RateLimiter(clock=lambda: pauses.now, sleep=pauses.sleep)
    client = DiscordRest(
        "token",
        fake_discord.url,
        allowed_mentions=allowed_mentions(""),
        limiter=limiter,
        sleep=pauses.sleep,
        clock=lambda: NOW,
    )
    yield client
    await client.close()


async def test_429_is_waited_out(rest: DiscordRest, fake_discord: Any, pauses: Pauses) -> None:
    """After a 429 the request is sent again when `retry_after` has passed."""
    fake_discord.answers += [(429, {"x-ratelimit-scope": "user"}, {"retry_after": 1.5, "global": False})]
    assert await rest.send_message("1", "x", KEYED) == "1002"
    assert pauses.slept == [1.5]


async def test_spent_bucket_is_waited_for_before_sending(rest: DiscordRest, fake_discord: Any, pauses: Pauses) -> None:
    """When the last answer said that nothing remains, the next request waits for the window's end, without a 429."""
    headers = {
        "x-ratelimit-bucket": "b",
        "x-ratelimit-limit": "5",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset-after": "2.5",
    }
    fake_discord.answers += [(200, headers, {"id": "1"})]
    await rest.send_message("1", "x", KEYED)
    await rest.send_message("2", "other channel", KEYED)
    assert pauses.slept == []
    await rest.send_message("1", "y", KEYED)
    assert pauses.slept == [2.5]


async def test_endless_429s_end_in_words(rest: DiscordRest, fake_discord: Any) -> None:
    """A request that is refused again and again is given up."""
    fake_discord.answers += [(429, {}, {"retry_after": 0.1})] * 5
    with pytest.raises(DiscordError, match="refused 5 times"):
        await rest.send_message("1", "x", KEYED)


async def test_far_off_turn_is_refused_instead_of_waited_for(rest: DiscordRest, fake_discord: Any) -> None:
    """A limit that ends after a tool call would time out is told at once."""
    fake_discord.answers += [(429, {}, {"retry_after": 600})]
    with pytest.raises(DiscordError, match="may be asked again in 600 s"):
        await rest.send_message("1", "x", KEYED)


@pytest.mark.parametrize("failure", [UNAVAILABLE, None], ids=["503", "connection lost"])
async def test_message_with_a_key_is_sent_again_after_a_failure(
    rest: DiscordRest, fake_discord: Any, pauses: Pauses, failure: Any
) -> None:
    """With nonce and enforce_nonce a repeat can't make a second message, so failures are retried, with growing pauses."""
    fake_discord.answers += [failure, failure]
    assert await rest.send_message("1", "x", KEYED) == "1003"
    assert [asked.body["nonce"] for asked in fake_discord.asked] == ["k1"] * 3
    assert pauses.slept == [0.25, 0.5]


@pytest.mark.parametrize(
    ("failure", "words"),
    [(UNAVAILABLE, "answered 503: upstream"), (None, "Whether the request took effect is unknown")],
)
async def test_message_without_a_key_is_not_sent_again(
    rest: DiscordRest, fake_discord: Any, failure: Any, words: str
) -> None:
    """Without a key a repeat could be a second message, so the failure is told."""
    fake_discord.answers += [failure]
    with pytest.raises(DiscordError, match=words):
        await rest.send_message("1", "x", CallMeta())
    assert len(fake_discord.asked) == 1


async def test_edits_are_repeated_after_a_failure(rest: DiscordRest, fake_discord: Any) -> None:
    """An edit is the same however often it is made."""
    fake_discord.answers += [UNAVAILABLE]
    assert await rest.edit_message("1", "5", "x", CallMeta()) == "1002"


class Channel:
    """A channel's history, at a Discord that has forgotten its nonces; the bot is user 7. Its clock may be `ahead`."""

    def __init__(self, fake_discord: Any) -> None:
        self.ahead = timedelta(0)
        self.messages: list[dict[str, Any]] = []
        self.posted: list[str] = []
        self._fake = fake_discord
        fake_discord.answering = self.answer

    def add(self, content: str, *, author: str = "7", at: datetime = LONG_AGO) -> str:
        """A message, written at that time; its id."""
        last = int(self.messages[-1]["id"]) if self.messages else 0
        message_id = str(max(last + 1, (int((at + self.ahead).timestamp() * 1000) - 1_420_070_400_000) << 22))
        self.messages.append({"id": message_id, "content": content, "author": {"id": author}})
        return message_id

    async def answer(self, request: Any) -> Any:
        date = {"Date": format_datetime(NOW + self.ahead, usegmt=True)}
        if request.path.endswith("/users/@me"):
            return (200, date, {"id": "7"})
        if request.method == "POST":
            self.posted.append((await request.json())["content"])
            return (200, date, {"id": self.add(self.posted[-1], at=NOW)})
        after, limit = int(request.query["after"]), int(request.query["limit"])
        return (200, date, [m for m in self.messages if int(m["id"]) > after][:limit][::-1])


@pytest.fixture
def channel(fake_discord: Any) -> Channel:
    return Channel(fake_discord)


def attempted(at: datetime, key: str = "k1") -> CallMeta:
    return CallMeta(idempotency_key=key, attempted_at=at)


async def test_a_message_that_was_sent_long_ago_is_found(rest: DiscordRest, channel: Channel) -> None:
    """By its author and text, among later ones too; the white space that Discord removes doesn't matter."""
    channel.add("hello", author="8")
    sent = channel.add("hello", at=LONG_AGO + timedelta(seconds=2))
    channel.add("hello")
    assert await rest.send_message("1", " hello\n", attempted(LONG_AGO)) == sent
    assert channel.posted == []


async def test_a_message_that_was_not_sent_long_ago_is_sent(rest: DiscordRest, channel: Channel) -> None:
    """What others wrote, what was written before the attempt, and other texts are not it."""
    channel.add("hello", at=LONG_AGO - timedelta(minutes=5))
    channel.add("hello", author="8")
    channel.add("good bye")
    assert await rest.send_message("1", "hello", attempted(LONG_AGO)) == channel.messages[-1]["id"]
    assert channel.posted == ["hello"]


@pytest.mark.parametrize("minutes", [-7, 7])
async def test_a_clock_that_goes_wrong_does_not_hide_a_message(
    rest: DiscordRest, channel: Channel, minutes: int
) -> None:
    """The answer's date tells how far Discord's clock is from this side's."""
    channel.ahead = timedelta(minutes=minutes)
    channel.add("pong", at=LONG_AGO - timedelta(seconds=5))
    sent = channel.add("pong", at=LONG_AGO + timedelta(seconds=1))
    assert await rest.send_message("1", "pong", attempted(LONG_AGO)) == sent
    assert channel.posted == []


async def test_a_busy_channel_is_looked_through_page_by_page(rest: DiscordRest, channel: Channel) -> None:
    """The oldest thousand messages after the attempt are looked at."""
    for number in range(250):
        channel.add(str(number), author="8")
    sent = channel.add("hello")
    assert await rest.send_message("1", "hello", attempted(LONG_AGO)) == sent
    for number in range(1_000):
        channel.add(str(number), author="8")
    channel.add("too far off")
    await rest.send_message("1", "too far off", attempted(LONG_AGO, "k2"))
    assert channel.posted == ["too far off"]


async def test_a_recent_attempt_is_left_to_the_nonce(rest: DiscordRest, channel: Channel, fake_discord: Any) -> None:
    """Discord itself gives the first message back; nothing is looked for."""
    await rest.send_message("1", "hello", attempted(NOW - timedelta(seconds=50)))
    assert [asked.method for asked in fake_discord.asked] == ["POST"]
    assert fake_discord.asked[0].body["nonce"] == "k1"


async def test_what_this_process_sent_is_known_without_asking(
    rest: DiscordRest, channel: Channel, fake_discord: Any
) -> None:
    """By its key, whatever became of the message; and an equal text under another key is another message."""
    first = await rest.send_message("1", "hello", CallMeta(idempotency_key="k1"))
    channel.messages[-1]["id"] = first
    assert await rest.send_message("1", "hello", attempted(LONG_AGO, "k1")) == first
    assert [asked.method for asked in fake_discord.asked] == ["POST"]
    second = await rest.send_message("1", "hello", attempted(LONG_AGO, "k2"))
    assert second != first
    assert channel.posted == ["hello", "hello"]


async def test_a_channel_that_cannot_be_looked_at_is_not_written_to(rest: DiscordRest, fake_discord: Any) -> None:
    """Rather an error than a second answer; one that says that another attempt may have more luck."""
    fake_discord.answers += [(200, {}, {"id": "7"}), *[UNAVAILABLE] * 4]
    with pytest.raises(
        DiscordError, match=r"may have been sent before, and that can't be found out: .*answered 503"
    ) as caught:
        await rest.send_message("1", "hello", attempted(LONG_AGO))
    assert caught.value.transient
    assert {asked.method for asked in fake_discord.asked} == {"GET"}


async def test_nothing_is_sent_to_a_server_that_is_not_there(pauses: Pauses) -> None:
    """A connection that can't be made is retried, then told, with the certainty that nothing was sent."""
    rest = DiscordRest("token", "http://127.0.0.1:9/api/v10", allowed_mentions={}, sleep=pauses.sleep)
    with pytest.raises(DiscordError, match=r"can't be reached: ConnectError\. Nothing was sent"):
        await rest.send_message("1", "x", CallMeta())
    assert len(pauses.slept) == 3
    await rest.close()


async def test_refused_token_is_not_tried_again(rest: DiscordRest, fake_discord: Any) -> None:
    """After a 401 nothing is asked for a while: Discord bans addresses that go on."""
    fake_discord.answers += [(401, {}, {"message": "401: Unauthorized", "code": 0})]
    for _ in range(2):
        with pytest.raises(DiscordError, match="refused the bot token"):
            await rest.send_message("1", "x", KEYED)
    assert len(fake_discord.asked) == 1


async def test_trace_header_goes_to_stand_ins_alone(rest: DiscordRest, fake_discord: Any) -> None:
    """The `traceparent` header is sent to a stand-in; Discord itself never sees it."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await rest.send_message("1", "x", CallMeta(traceparent=trace))
    assert fake_discord.asked[0].headers["traceparent"] == trace
    real = DiscordRest("token", "https://discord.com/api/v10", allowed_mentions={})
    assert not real._trace
    await real.close()
