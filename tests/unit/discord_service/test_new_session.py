"""A new session's guilds tell which channels were written in while nobody read, and weren't known before."""

from __future__ import annotations

from typing import Any

from botswain_discord.catch_up import Mark
from botswain_discord.new_session import MARGIN_MS, PATIENCE, NewSession, id_at

BEFORE, SEEN, MISSED = (str(id_at(1_700_000_000_000 + seconds * 1_000)) for seconds in (-3_600, 0, 60))
SINCE = str(int(SEEN) - (MARGIN_MS << 22))


def channel(channel_id: str, last: Any, kind: Any = 0) -> dict[str, Any]:
    return {"id": channel_id, "type": kind, "last_message_id": last}


def session(*guild_ids: str, marks: tuple[Mark, ...] = (), since: str = SEEN) -> NewSession:
    ready = {"guilds": [{"id": guild_id, "unavailable": True} for guild_id in guild_ids]}
    return NewSession(ready, marks, int(since), now=100.0)


def test_a_channel_that_was_never_seen_is_fetched_from_where_reading_ended() -> None:
    """Channels and threads, where the last message is newer than that; a margin allows for clocks."""
    guild = {
        "id": "1",
        "channels": [channel("10", MISSED), channel("11", BEFORE), channel("12", None)],
        "threads": [channel("13", MISSED, 11)],
    }
    assert session("1").unseen(guild) == [Mark("10", "1", SINCE), Mark("13", "1", SINCE)]


def test_what_is_known_is_left_to_its_mark() -> None:
    """And the newest mark tells how far reading had come, if nothing else tells more."""
    marks = (Mark("10", "1", SEEN), Mark("20", "2", BEFORE))
    guild = {"id": "1", "channels": [channel("10", MISSED), channel("11", MISSED)]}
    assert session("1", marks=marks, since="0").unseen(guild) == [Mark("11", "1", SINCE)]


def test_a_guild_that_the_bot_was_just_let_into_is_not_read_back() -> None:
    """Only those that READY named, each once."""
    new = session("1")
    assert new.unseen({"id": "2", "channels": [channel("10", MISSED)]}) == []
    assert len(new.unseen({"id": "1", "channels": [channel("10", MISSED)]})) == 1
    assert new.unseen({"id": "1", "channels": [channel("10", MISSED)]}) == []


def test_it_is_over_when_every_guild_was_told_of() -> None:
    """Or when that takes too long: a guild may be away."""
    new = session("1", "2")
    new.unseen({"id": "1"})
    assert new.awaits(101.0)
    assert not new.awaits(100.0 + PATIENCE)
    new.unseen({"id": "2"})
    assert not new.awaits(101.0)


def test_odd_payloads_are_passed_over() -> None:
    """Whatever stands where guilds and channels should."""
    odd = [None, 5, {}, channel("10", "x"), channel(7, MISSED), channel("10", MISSED, "text"), channel("10", MISSED, 4)]  # type: ignore[arg-type]
    assert session("1").unseen({"id": "1", "channels": odd, "threads": 3}) == []
    assert NewSession({"guilds": {"id": "1"}}, (), 0, now=0.0).unseen({"id": ["1"]}) == []
