"""Which discord-service replica may be made, changed or removed now: one pure step of a rollout.

A reconcile takes whatever step is allowed by what it sees, and every change it causes brings the next reconcile; nothing has to
remember how far a rollout has come. The rules, in words:

* A replica that already has the wanted template is kept as it is.
* New replicas start at most `max_concurrency` at a time (Discord lets that many shards IDENTIFY in 5 s), one at a time while
  Discord's limits aren't known.
* A serving replica is changed only when no other replica of the set is starting: one at a time, each through the hand-over.
* A replica that isn't serving anyway is changed before those: a corrected spec mends a rollout that is stuck.
* A running replica is not changed while the orchestrator is being replaced: nothing would become ready meanwhile.
* Each start is counted against the IDENTIFY budget, of which a reserve is never spent.
* The replicas of another shard set stay until the wanted set is complete, then go. Of several other sets only the one that
  serves most stays: a re-shard that was overtaken by another leaves nothing behind.
* A token that Discord refuses starts no shard; replicas that run with that very token are stopped, so that none of them
  connects again and again; replicas with another token are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from botswain_operator.observed import GatewayFacts, Observed, Replica
from botswain_operator.sharding import ShardSet, plan_shards

State = Literal["Ready", "NotReady", "Starting", "Stalled", "Outdated", "Retiring", "Stopped", "Waiting"]


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one replica."""

    number: int
    shard_ids: tuple[int, ...]
    shard_count: int
    state: State
    apply: bool
    """Whether its Deployment is applied now; otherwise it is left as it is (or isn't made yet)."""
    scale: int = 1


@dataclass(frozen=True, slots=True)
class Rollout:
    """All steps of one reconcile."""

    steps: tuple[Step, ...] = ()
    retire: tuple[int, ...] = ()
    """Numbers of the Deployments that are deleted now."""
    waiting: str = ""
    """Why the next step is not taken yet; empty when there is none to take."""
    complete: bool = False
    """The wanted set runs, up to date, and nothing else does."""
    stalled: tuple[str, ...] = field(default=())
    """Replicas that make no progress, with the reason, in words."""
    identifies: int = 0
    """IDENTIFYs that the replicas which are started now will need."""
    budget_short: str = ""
    """Why the IDENTIFY budget holds the rollout back; empty if it doesn't."""


def reserve(facts: GatewayFacts) -> int:
    """IDENTIFYs that no rollout spends: a tenth of the day's, for crashes and sessions that Discord ends."""
    return facts.identify_total // 10


def plan_rollout(
    target: ShardSet, hashes: Mapping[int, str], observed: Observed, *, paused: bool = False, held: str = ""
) -> Rollout:
    """The steps that are allowed now.

    Args:
        target: the wanted shard set, placed.
        hashes: the wanted template's hash, by replica number.
        held: what running replicas wait for before they are changed; empty if for nothing.
    """
    runs = dict(
        zip(
            range(target.offset, target.offset + target.replicas),
            plan_shards(target.count, target.replicas),
            strict=True,
        )
    )
    ours = {
        number: found for number, found in observed.replicas.items() if number in runs and found.set_key == target.key
    }
    others = [found for number, found in sorted(observed.replicas.items()) if number not in ours]
    if paused:
        return _paused(runs, target, others)
    if observed.token.state in ("invalid", "missing", "pending"):
        return _without_token(runs, ours, others, target, observed)
    return _paced(runs, ours, others, hashes, target, observed, held)


def _paused(runs: Mapping[int, tuple[int, ...]], target: ShardSet, others: list[Replica]) -> Rollout:
    steps = tuple(Step(number, ids, target.count, "Stopped", apply=True, scale=0) for number, ids in runs.items())
    return Rollout(steps=steps, retire=tuple(found.number for found in others), complete=True)


def _without_token(
    runs: Mapping[int, tuple[int, ...]],
    ours: Mapping[int, Replica],
    others: list[Replica],
    target: ShardSet,
    observed: Observed,
) -> Rollout:
    steps = []
    refused = observed.token.hash if observed.token.state == "invalid" else None
    asking = observed.token.state == "pending"
    retire = tuple(found.number for found in others if found.token_hash == refused)
    for number, ids in runs.items():
        found = ours.get(number)
        if found is None:
            steps.append(Step(number, ids, target.count, "Waiting", apply=False))
        elif found.token_hash == refused:
            steps.append(Step(number, ids, target.count, "Stopped", apply=True, scale=0))
        else:
            steps.append(Step(number, ids, target.count, _standing(found, up_to_date=asking), apply=False))
    steps += [_retiring(found) for found in others if found.number not in retire]
    waiting = "Discord's answer about the token" if asking else "a valid token"
    return Rollout(steps=tuple(steps), retire=retire, waiting=waiting)


def _paced(
    runs: Mapping[int, tuple[int, ...]],
    ours: Mapping[int, Replica],
    others: list[Replica],
    hashes: Mapping[int, str],
    target: ShardSet,
    observed: Observed,
    held: str,
) -> Rollout:
    pace = _Pace(observed.gateway)
    # A replica that was stopped has to start like a new one, whatever its template.
    current = {
        number for number, found in ours.items() if found.workload.wanted and found.template_hash == hashes[number]
    }
    serving = {number for number, found in ours.items() if found.workload.wanted and found.workload.complete}
    pace.starting = len(current - serving)
    allowed = set(current)

    def order(number: int) -> tuple[int, int]:
        return (1 if number not in ours else 2 if number in serving else 0, number)

    for number in sorted(runs.keys() - current, key=order):
        if held and number in ours and ours[number].workload.wanted:
            pace.waiting = pace.waiting or held
        elif pace.may_start(len(runs[number]), serving=number in serving, what=f"replica {number}"):
            allowed.add(number)

    steps, stalled = [], []
    for number, ids in runs.items():
        existing = ours.get(number)
        if existing is None or (number in allowed and number not in current):
            state: State = "Starting" if number in allowed else "Waiting"
        else:
            state = _standing(existing, up_to_date=number in current)
        if existing is not None and state == "Stalled":
            stalled.append(f"{existing.workload.name}: {existing.workload.stalled}")
        steps.append(Step(number, ids, target.count, state, apply=number in allowed))
    set_complete = all(step.state == "Ready" for step in steps)
    retire = tuple(found.number for found in others if set_complete or found.set_key != _best(others))
    steps += [_retiring(found) for found in others if found.number not in retire]
    return Rollout(
        steps=tuple(steps),
        retire=retire,
        waiting=pace.waiting or ("" if set_complete else "replicas to become ready"),
        complete=set_complete,
        stalled=tuple(stalled),
        identifies=sum(len(runs[number]) for number in allowed - current),
        budget_short=pace.budget_short,
    )


def _best(others: Sequence[Replica]) -> str:
    """The set that serves most of its shards: when a re-shard is overtaken by another, only this one is worth keeping."""
    served: dict[str, float] = {}
    for found in others:
        ready = len(found.shard_ids) / found.shard_count if found.workload.ready else 0.0
        served[found.set_key] = served.get(found.set_key, 0.0) + ready
    return max(served, key=lambda key: (served[key], key))


class _Pace:
    """How many replicas may start now."""

    def __init__(self, facts: GatewayFacts | None) -> None:
        self._limit = max(1, facts.max_concurrency) if facts else 1
        self._left = facts.identify_left - reserve(facts) if facts else None
        self._facts = facts
        self.starting = 0
        self.waiting = ""
        self.budget_short = ""

    def may_start(self, shards: int, *, serving: bool, what: str) -> bool:
        if self.starting >= (1 if serving else self._limit):
            self.waiting = self.waiting or f"the replicas that aren't ready yet; {what} is next"
            return False
        if self._left is not None and self._facts is not None and shards > self._left:
            self.budget_short = self.budget_short or (
                f"{what} needs {shards} IDENTIFYs; {self._facts.identify_left} of {self._facts.identify_total} are left "
                f"until {self._facts.reset_at:%Y-%m-%d %H:%M} UTC, and {reserve(self._facts)} are kept in reserve"
            )
            self.waiting = self.waiting or f"IDENTIFYs: {self.budget_short}"
            return False
        if self._left is not None:
            self._left -= shards
        self.starting += 1
        return True


def _standing(found: Replica, *, up_to_date: bool) -> State:
    if not found.workload.wanted:
        return "Stopped"
    if found.workload.complete:
        return "Ready" if up_to_date else "Outdated"
    if found.workload.stalled:
        return "Stalled"
    return "NotReady" if found.workload.was_complete else "Starting"


def _retiring(found: Replica) -> Step:
    return Step(found.number, found.shard_ids, found.shard_count, "Retiring", apply=False)
