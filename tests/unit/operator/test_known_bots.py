"""What is known of the bots while events, lists and answers overtake each other."""

from __future__ import annotations

from typing import Any

from botswain_operator.known_bots import KnownBots

KEY = ("bots", "harbour")


def body(version: int, *, generation: int = 1, uid: str = "first", **status: Any) -> dict[str, Any]:
    metadata = {
        "namespace": "bots",
        "name": "harbour",
        "uid": uid,
        "generation": generation,
        "resourceVersion": str(version),
    }
    return {"metadata": metadata, "spec": {"generation": generation}, "status": status}


def test_new_spec_is_news_and_a_status_is_not() -> None:
    """A new bot and a new generation are worth a look; the operator's own words about it are not."""
    bots = KnownBots()
    assert bots.see(body(1))
    assert not bots.see(body(2, shards=1))
    assert bots.see(body(3, generation=2, shards=1))


def test_answer_to_a_status_write_brings_the_spec_that_was_changed_before_it() -> None:
    """What is newer than an event that is still to come holds what the event would tell, and counts in its stead."""
    bots = KnownBots()
    bots.see(body(1))
    assert bots.see(body(3, generation=2, shards=1)), "the answer, after a change of the spec with version 2"
    assert not bots.see(body(2, generation=2)), "the event of that change"
    known = bots.get(KEY)
    assert known is not None
    assert (known["spec"], known["status"]) == ({"generation": 2}, {"shards": 1})


def test_end_of_a_bot_is_not_that_of_its_namesake() -> None:
    """A bot that was deleted and made anew stays, in whichever order the two events come."""
    bots = KnownBots()
    bots.see(body(1))
    assert bots.see(body(3, uid="second"))
    assert not bots.lose(KEY, "first")
    assert KEY in bots
    assert bots.lose(KEY, "second")
    assert KEY not in bots


def test_list_says_nothing_of_what_came_after_it() -> None:
    """A bot that a list doesn't have is gone only if it is older than the list."""
    bots = KnownBots()
    bots.see(body(5))
    assert bots.missing_from(set(), "7") == [KEY]
    bots.see(body(8, shards=1))
    assert bots.missing_from(set(), "7") == []
    assert bots.missing_from({KEY}, "9") == []
