"""How orchestrators divide the partitions of lanes among themselves."""

from __future__ import annotations

from botswain_orchestrator.ledger.partitions import PARTITIONS, Plan, partition_of, plan
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule


def test_a_lane_has_the_same_partition_everywhere() -> None:
    """The numbers are part of the database's contents: these were right when it was made."""
    assert [partition_of(lane) for lane in ("discord:1:2", "api:t1", "")] == [52, 20, 0]


@given(st.text())
def test_every_lane_has_a_partition(lane: str) -> None:
    """Whatever its name."""
    assert 0 <= partition_of(lane) < PARTITIONS


def test_one_alone_takes_everything() -> None:
    """Nobody else would answer."""
    assert plan("a", ["a"], dict.fromkeys(range(8))).take == frozenset(range(8))


def test_a_newcomer_waits_for_its_share() -> None:
    """It takes nothing that is held; the holder gives what is too much."""
    owners: dict[int, str | None] = dict.fromkeys(range(8), "a")
    assert plan("b", ["a", "b"], owners) == Plan(frozenset(), frozenset())
    assert plan("a", ["a", "b"], owners) == Plan(frozenset(), frozenset({4, 5, 6, 7}))


def test_who_leaves_gives_everything() -> None:
    """Also when nobody is there to take it."""
    assert plan("a", [], dict.fromkeys(range(4), "a")).give == frozenset(range(4))


class Replicas(RuleBasedStateMachine):
    """Orchestrators that come, leave and die, and look at the table in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[int, str | None] = dict.fromkeys(range(PARTITIONS))
        self.living: set[str] = set()
        self.number = 0

    @rule()
    @precondition(lambda self: len(self.living) < 6)
    def come(self) -> None:
        self.number += 1
        self.living.add(f"replica-{self.number}")

    @rule(data=st.data())
    @precondition(lambda self: self.living)
    def die(self, data: st.DataObject) -> None:
        self.living.discard(data.draw(st.sampled_from(sorted(self.living))))

    @rule(data=st.data())
    @precondition(lambda self: self.living)
    def some_looks(self, data: st.DataObject) -> None:
        for replica in data.draw(st.lists(st.sampled_from(sorted(self.living)), max_size=4)):
            self.look(replica)

    @rule()
    @precondition(lambda self: self.living)
    def all_look(self) -> None:
        """Two rounds are enough: one gives, the next takes."""
        for _ in range(2):
            for replica in sorted(self.living):
                self.look(replica)
        shares = [sum(owner == replica for owner in self.owners.values()) for replica in self.living]
        assert sum(shares) == PARTITIONS
        assert max(shares) - min(shares) <= 1
        assert all(plan(replica, self.living, self.owners) == Plan(frozenset(), frozenset()) for replica in self.living)

    def look(self, replica: str) -> None:
        self.owners = {number: owner if owner in self.living else None for number, owner in self.owners.items()}
        todo = plan(replica, self.living, self.owners)
        assert all(self.owners[number] is None for number in todo.take)
        assert all(self.owners[number] == replica for number in todo.give)
        self.owners |= dict.fromkeys(todo.take, replica) | dict.fromkeys(todo.give)

    @invariant()
    def nothing_is_owned_that_is_not_a_partition(self) -> None:
        assert self.owners.keys() == set(range(PARTITIONS))


TestReplicas = Replicas.TestCase
