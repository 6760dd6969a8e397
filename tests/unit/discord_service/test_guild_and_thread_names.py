"""Names of guilds and threads are learnt from dispatches and forgotten with them."""

from __future__ import annotations

from typing import Any

import pytest
from botswain_discord.names import EVENTS, Names, ThreadName


def thread(**changes: Any) -> dict[str, Any]:
    return {"id": "250", "guild_id": "500", "type": 11, "parent_id": "200", "name": "moorings", **changes}


@pytest.fixture
def names() -> Names:
    """Guild 500 "Harbour" with one thread."""
    names = Names()
    names.feed("GUILD_CREATE", {"id": "500", "name": "Harbour", "threads": [thread()]})
    return names


def test_a_guild_tells_its_name_and_threads(names: Names) -> None:
    """What GUILD_CREATE brings is known; anything else isn't."""
    assert names.guild_name("500") == "Harbour"
    assert names.thread("500", "250") == ThreadName("250", "200", "moorings")
    assert names.guild_name("501") is None
    assert names.thread("500", "200") is None


def test_a_new_name_replaces_the_old(names: Names) -> None:
    """Of the guild and of the thread."""
    names.feed("GUILD_UPDATE", {"id": "500", "name": "Haven"})
    names.feed("THREAD_UPDATE", thread(name="anchors"))
    assert names.guild_name("500") == "Haven"
    assert names.thread("500", "250") == ThreadName("250", "200", "anchors")


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("THREAD_DELETE", {"id": "250", "guild_id": "500"}),
        ("THREAD_UPDATE", thread(thread_metadata={"archived": True})),
        ("GUILD_DELETE", {"id": "500"}),
    ],
)
def test_what_is_gone_is_forgotten(names: Names, event: str, payload: dict[str, Any]) -> None:
    """A deleted or archived thread, and a guild with all its threads."""
    names.feed(event, payload)
    assert names.thread("500", "250") is None


def test_an_outage_forgets_nothing(names: Names) -> None:
    """GUILD_DELETE with `unavailable` isn't a farewell."""
    names.feed("GUILD_DELETE", {"id": "500", "unavailable": True})
    assert names.guild_name("500") == "Harbour"


def test_listed_and_created_threads_are_known() -> None:
    """Also of a guild that nothing else was heard of."""
    names = Names()
    names.feed("THREAD_LIST_SYNC", {"guild_id": "1", "threads": [thread(id="2")]})
    names.feed("THREAD_CREATE", thread(id="3", guild_id="1"))
    assert [names.thread("1", each) is not None for each in ("2", "3")] == [True, True]


@pytest.mark.parametrize("event", sorted(EVENTS))
@pytest.mark.parametrize(
    "payload",
    [{}, {"id": 5, "guild_id": 5}, {"id": "500", "guild_id": "500", "name": 3, "type": 11, "threads": [3, {}, "x"]}],
)
def test_odd_payloads_are_passed_over(names: Names, event: str, payload: dict[str, Any]) -> None:
    """They raise nothing and spoil nothing that is known of others."""
    names.feed("GUILD_CREATE", {"id": "600", "name": "Other"})
    names.feed(event, payload)
    assert names.guild_name("600") == "Other"


def test_names_are_known_again_from_a_shards_state() -> None:
    """A process that never saw GUILD_CREATE knows them; guilds of other shards are not in the state."""
    before, after = Names(), Names()
    here, elsewhere = str(4 << 22), str(5 << 22)
    thread = {"id": "7", "type": 11, "parent_id": "6", "name": "plans", "guild_id": here}
    before.feed("GUILD_CREATE", {"id": here, "name": "Harbour", "threads": [thread]})
    before.feed("GUILD_CREATE", {"id": elsewhere, "name": "Quay"})
    after.restore(before.state(0, 2))
    assert (after.guild_name(here), after.guild_name(elsewhere)) == ("Harbour", None)
    assert after.thread(here, "7") == ThreadName("7", "6", "plans")


def test_guilds_are_counted_by_shard() -> None:
    """Each known guild counts for the shard that Discord sends it to; one that the bot has left doesn't."""
    names = Names()
    for number in range(5):
        names.feed("GUILD_CREATE", {"id": str(number << 22), "name": "Harbour"})
    names.feed("GUILD_CREATE", {"id": "odd", "name": "Quay"})
    names.feed("GUILD_DELETE", {"id": str(4 << 22)})
    assert names.guild_counts(2) == {0: 2, 1: 2}
    assert names.guild_counts(1) == {0: 4}
