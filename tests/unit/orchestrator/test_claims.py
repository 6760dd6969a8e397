"""Claims: who has to wait for whom."""

from __future__ import annotations

from botswain_orchestrator.coordination.claims import Claims, current_epoch, enter, grant, leave, moves_cursor

TTL = 10.0


def entered(*claimants: tuple[str, int, list[int]]) -> Claims:
    """All of them entered at 0, and each asked once."""
    claims = Claims()
    for name, count, ids in claimants:
        claims = enter(claims, name, count, ids, call=name, now=0.0, ttl=TTL)
        claims = grant(claims, name, call=name, now=0.0)
    return claims


def holders(claims: Claims) -> list[str]:
    return [one.id for one in claims.line if one.epoch is not None]


def test_disjoint_shards_and_other_counts_do_not_compete() -> None:
    """Processes of one bot share its shards out; a re-shard runs beside the old set."""
    assert holders(entered(("a", 4, [0, 1]), ("b", 4, [2, 3]), ("c", 8, [0, 1]))) == ["a", "b", "c"]


def test_the_line_is_first_come_first_served() -> None:
    """A later claimant doesn't overtake an earlier one, even where only the earlier one is in its way."""
    claims = entered(("a", 4, [0]), ("b", 4, [0, 1]), ("c", 4, [1]))
    assert holders(claims) == ["a"]
    claims = leave(claims, "a", call="a")
    assert holders(grant(claims, "c", call="c", now=1.0)) == []
    claims = grant(claims, "b", call="b", now=1.0)
    assert holders(grant(claims, "c", call="c", now=1.0)) == ["b"]


def test_who_comes_back_with_other_shards_stands_at_the_end() -> None:
    """It is another claim: the old one is given up."""
    claims = entered(("a", 4, [0]), ("b", 4, [0]), ("c", 4, [1]))
    claims = enter(claims, "a", 4, [0, 1], call="a2", now=1.0, ttl=TTL)
    assert [one.id for one in claims.line] == ["b", "c", "a"]
    assert holders(grant(claims, "b", call="b", now=1.0)) == ["b", "c"]


def test_who_comes_back_with_the_same_shards_keeps_its_epoch() -> None:
    """Also through another call; the old call says nothing any more."""
    claims = entered(("a", 1, [0]), ("b", 1, [0]))
    claims = enter(claims, "a", 1, [0], call="a2", now=9.0, ttl=TTL)
    assert current_epoch(claims, 1, 0, now=18.0) == 1
    assert leave(claims, "a", call="a") == claims


def test_without_any_claim_epoch_0_moves_the_cursor() -> None:
    """Once a bot's shards have been claimed, only the holder does."""
    assert moves_cursor(Claims(), 1, 0, epoch=0, now=0.0)
    claims = entered(("a", 1, [0]))
    assert moves_cursor(claims, 1, 0, epoch=1, now=1.0)
    assert not moves_cursor(claims, 1, 0, epoch=0, now=1.0)
    assert not moves_cursor(claims, 1, 0, epoch=1, now=11.0)
    assert not moves_cursor(leave(claims, "a", call="a"), 1, 0, epoch=0, now=1.0)
