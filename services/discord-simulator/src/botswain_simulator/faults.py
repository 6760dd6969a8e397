"""Faults: what is to go wrong, for whom, how often. The gateway and REST ask here at the places where things can go
wrong.
"""

import itertools
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botswain_simulator.errors import WorldError
from botswain_simulator.snowflakes import Clock

GATEWAY_ACTIONS = frozenset({"drop", "close", "reconnect", "invalid_session"})
"""Done to connections: at once, or with `when` each time a connection gets to a point."""
ONE_SHOT = frozenset({"reset_token", "expire_sessions", "request_heartbeat"})
STANDING = frozenset({"mute", "http_status", "latency", "rate_limit"})
KINDS = GATEWAY_ACTIONS | ONE_SHOT | STANDING
WHENS = ("connect", "identify", "resume", "dispatch", "heartbeat")

_FIELDS: dict[str, tuple[type, ...]] = {
    "kind": (str,), "when": (str,), "bot": (str,), "shard": (int,), "session": (str,), "method": (str,), "route": (str,),
    "count": (int,), "probability": (int, float), "seed": (int,), "duration": (int, float), "code": (int,),
    "resumable": (bool,), "status": (int,), "body": (dict, list, str), "seconds": (int, float), "jitter": (int, float),
    "retry_after": (int, float), "scope": (str,), "side": (str,),
}  # fmt: skip


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong. Match fields that are None match everything."""

    id: str
    kind: str
    spec: dict[str, Any]
    expires_at: float | None
    remaining: int | None
    probability: float
    route: re.Pattern[str] | None
    hits: int = 0
    dice: random.Random = field(default_factory=random.Random)

    def as_json(self) -> dict[str, Any]:
        return {
            **self.spec,
            "id": self.id,
            "hits": self.hits,
            "remaining": self.remaining,
            "expires_at": self.expires_at,
        }


class Faults:
    """The standing faults, in the order they came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = itertools.count(1)
        self._faults: dict[str, Fault] = {}

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Take up a fault. Raises WorldError that names the field that is wrong."""
        fault = make(spec, str(next(self._ids)), self._clock())
        self._faults[fault.id] = fault
        return fault

    def active(self) -> list[Fault]:
        now = self._clock()
        for fault in list(self._faults.values()):
            if (fault.expires_at is not None and now >= fault.expires_at) or fault.remaining == 0:
                del self._faults[fault.id]
        return list(self._faults.values())

    def remove(self, fault_id: str) -> bool:
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> int:
        count = len(self._faults)
        self._faults.clear()
        return count

    def on_gateway(self, when: str, *, bot: str | None, shard: int | None, session: str | None) -> Fault | None:
        """The fault that befalls a connection at this point, if one does."""
        if not self._faults:
            return None
        for fault in self.active():
            if (
                fault.spec.get("when") == when
                and _matches(fault, bot=bot, shard=shard, session=session)
                and befalls(fault)
            ):
                return fault
        return None

    def mutes(self, *, bot: str | None, shard: int | None, session: str | None) -> bool:
        """Whether heartbeats of a session stay unanswered."""
        if not self._faults:
            return False
        return any(
            fault.kind == "mute" and _matches(fault, bot=bot, shard=shard, session=session) and befalls(fault)
            for fault in self.active()
        )

    def on_request(
        self, kind: str, *, bot: str | None, method: str, path: str, side: str | None = None
    ) -> Fault | None:
        """The fault of a kind that befalls a REST request, before or after it is carried out if `side` says which."""
        if not self._faults:
            return None
        for fault in self.active():
            if fault.kind != kind or (side is not None and fault.spec.get("side", "before") != side):
                continue
            if _matches(fault, bot=bot, method=method, path=path) and befalls(fault):
                return fault
        return None


def make(spec: Mapping[str, Any], fault_id: str, now: float) -> Fault:
    """A fault from its JSON form."""
    flat = {**spec, **(spec.get("match") or {})}
    flat.pop("match", None)
    for name, value in flat.items():
        if name not in _FIELDS:
            raise WorldError(f"{name}: not a field of a fault; known are {', '.join(sorted(_FIELDS))}")
        if (
            value is None
            or (isinstance(value, bool) and bool not in _FIELDS[name])
            or not isinstance(value, _FIELDS[name])
        ):
            raise WorldError(f"{name}: {value!r} is not a {' or '.join(t.__name__ for t in _FIELDS[name])}")
    kind = flat.get("kind")
    if kind not in KINDS:
        raise WorldError(f"kind: {kind!r} is not one of {', '.join(sorted(KINDS))}")
    if "when" in flat and (kind not in GATEWAY_ACTIONS or flat["when"] not in WHENS):
        raise WorldError(f"when: goes with {', '.join(sorted(GATEWAY_ACTIONS))} and must be one of {', '.join(WHENS)}")
    _check_numbers(flat)
    try:
        route = re.compile(flat["route"]) if "route" in flat else None
    except re.error as error:
        raise WorldError(f"route: {flat['route']!r} is not a regular expression: {error}") from error
    duration = flat.get("duration")
    return Fault(
        fault_id,
        kind,
        flat,
        now + duration if duration is not None else None,
        flat.get("count"),
        float(flat.get("probability", 1.0)),
        route,
        dice=random.Random(flat.get("seed")),  # noqa: S311 - which request fails is no secret
    )


def _check_numbers(flat: Mapping[str, Any]) -> None:
    bounds = {
        "count": (1, 1_000_000_000), "probability": (0, 1), "duration": (0, 86_400), "status": (400, 599), "seconds": (0, 600),
        "jitter": (0, 600), "retry_after": (0, 86_400), "code": (1000, 4999), "shard": (0, 100_000),
    }  # fmt: skip
    for name, (low, high) in bounds.items():
        if name in flat and not low <= flat[name] <= high:
            raise WorldError(f"{name}: {flat[name]!r} must be from {low} to {high}")
    if "side" in flat and flat["side"] not in {"before", "after"}:
        raise WorldError(f"side: {flat['side']!r} must be 'before' or 'after'")


def matches_session(spec: Mapping[str, Any], *, bot: str | None, shard: int | None, session: str | None) -> bool:
    """Whether a fault's match fields fit a session."""
    return (
        spec.get("bot") in {None, bot} and spec.get("shard") in {None, shard} and spec.get("session") in {None, session}
    )


def _matches(
    fault: Fault,
    *,
    bot: str | None,
    shard: int | None = None,
    session: str | None = None,
    method: str | None = None,
    path: str = "",
) -> bool:
    if not matches_session(fault.spec, bot=bot, shard=shard, session=session):
        return False
    if method is not None and fault.spec.get("method", method).upper() != method:
        return False
    return fault.route is None or fault.route.search(path) is not None


def befalls(fault: Fault) -> bool:
    """Throw the dice and count."""
    if fault.probability < 1.0 and fault.dice.random() >= fault.probability:
        return False
    fault.hits += 1
    if fault.remaining is not None:
        fault.remaining -= 1
    return True
