"""The claim, epoch and cursor protocol as a state machine: claimants that crash at every step never lose an event or
record one twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from botswain_orchestrator.coordination.claims import (
    Claims,
    enter,
    expire,
    extend,
    grant,
    hang_up,
    leave,
    moves_cursor,
    renew,
)
from botswain_orchestrator.coordination.codec import dump_claims, load_claims
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

TTL, WINDOW = 10.0, 2.0
NAMES = st.sampled_from(["a", "b", "c"])


@dataclass
class Process:
    """One discord-service process as the protocol sees it: what it believes, which may be out of date."""

    call: str
    epoch: int | None = None
    read_to: int | None = None
    """The sequence number it has read up to; None while not connected."""
    outbox: list[int] = field(default_factory=list)
    """Read, and not yet acknowledged."""


class Protocol(RuleBasedStateMachine):
    """One shard, several claimants, Discord issuing numbered events, a ledger that dedupes and keeps the cursor."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.calls = 0
        self.claims = Claims()
        self.processes: dict[str, Process] = {}
        self.issued = 0
        self.recorded: list[int] = []
        self.cursor = 0
        self.epochs: list[int] = []

    @rule(name=NAMES)
    def start(self, name: str) -> None:
        """A process opens a call; one that lives on opens another and keeps what it believes."""
        self.calls += 1
        process = self.processes.setdefault(name, Process(""))
        process.call = str(self.calls)
        self.claims = enter(self.claims, name, 1, [0], call=process.call, now=self.now, ttl=TTL)

    @rule(name=NAMES)
    def ask(self, name: str) -> None:
        process = self.processes.get(name)
        if process is None:
            return
        before = self.claims.last_epoch
        self.claims = grant(self.claims, name, call=process.call, now=self.now)
        held = self.claims.find(name)
        if held is None:
            process.epoch = None
        elif held.epoch is not None:
            if held.epoch > before:
                self.epochs.append(held.epoch)
            if process.epoch != held.epoch:
                process.epoch, process.read_to = held.epoch, self.cursor

    @rule(name=NAMES)
    def renew(self, name: str) -> None:
        if name in self.processes:
            self.claims = renew(self.claims, name, call=self.processes[name].call, now=self.now, ttl=TTL)

    @rule(count=st.integers(1, 3))
    def issue(self, count: int) -> None:
        self.issued += count

    @rule(name=NAMES, count=st.integers(1, 3))
    def read(self, name: str, count: int) -> None:
        process = self.processes.get(name)
        if process is None or process.read_to is None:
            return
        upto = min(self.issued, process.read_to + count)
        process.outbox.extend(range(process.read_to + 1, upto + 1))
        process.read_to = upto

    @rule(name=NAMES, acknowledged=st.booleans())
    def publish(self, name: str, acknowledged: bool) -> None:
        """The ledger commits; the acknowledgement may be lost on its way."""
        process = self.processes.get(name)
        if process is None or not process.outbox:
            return
        self.recorded.extend(event for event in process.outbox if event not in self.recorded)
        if moves_cursor(self.claims, 1, 0, epoch=process.epoch or 0, now=self.now):
            self.cursor = max(self.cursor, process.outbox[-1])
        if acknowledged:
            process.outbox.clear()

    @rule(name=NAMES, noticed=st.booleans())
    def crash(self, name: str, noticed: bool) -> None:
        process = self.processes.pop(name, None)
        if process is not None and noticed:
            self.claims = hang_up(self.claims, name, call=process.call, now=self.now, window=WINDOW)

    @rule(name=NAMES, call=st.integers(0, 9))
    def late_end_of_an_older_call(self, name: str, call: int) -> None:
        """Nothing comes of it."""
        process = self.processes.get(name)
        if process is not None and process.call != str(call):
            before = expire(self.claims, self.now)
            assert leave(before, name, call=str(call)) == before
            assert hang_up(before, name, call=str(call), now=self.now, window=WINDOW) == before

    @rule(name=NAMES)
    def release(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and not process.outbox:
            del self.processes[name]
            self.claims = leave(self.claims, name, call=process.call)

    @rule(name=NAMES)
    def release_by_another_call(self, name: str) -> None:
        """The open call doesn't see it through; the other one enters, perhaps anew, and leaves."""
        process = self.processes.get(name)
        if process is not None and not process.outbox:
            self.start(name)
            self.ask(name)
            self.release(name)
            assert self.claims.find(name) is None

    @rule(seconds=st.sampled_from([0.5, 3.0, 30.0]))
    def outage_of_the_orchestrator(self, seconds: float) -> None:
        """The claims are read back as they were stored, and get one more TTL."""
        before = {one.id: one.epoch for one in self.claims.line}
        self.now += seconds
        self.claims = extend(load_claims(dump_claims(self.claims)), now=self.now, ttl=TTL)
        assert {one.id: one.epoch for one in expire(self.claims, self.now).line} == before

    @rule(seconds=st.sampled_from([0.5, 2.5, 5.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def one_holder(self) -> None:
        held = [claimant for claimant in expire(self.claims, self.now).line if claimant.epoch is not None]
        assert len(held) <= 1

    @invariant()
    def epochs_grow(self) -> None:
        assert self.epochs == sorted(set(self.epochs))

    @invariant()
    def nothing_behind_the_cursor_is_missing(self) -> None:
        assert set(range(1, self.cursor + 1)) <= set(self.recorded)

    def teardown(self) -> None:
        """Whatever happened, one process that lives on records the rest."""
        self.now += 2 * TTL
        self.processes.clear()
        self.start("a")
        self.ask("a")
        self.read("a", self.issued + 1)
        self.publish("a", True)
        assert sorted(self.recorded) == list(range(1, self.issued + 1))


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
