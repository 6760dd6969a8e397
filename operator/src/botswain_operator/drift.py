"""Whether a live object still says what was applied.

A manifest is applied when its hash isn't the one on the live object (the operator wants something else), or when a value in
it isn't the live one (someone changed it). Fields that the manifest doesn't name are other people's and don't count. Lists
are compared as the API server merges them: by the keys of their entries where they have some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botswain_operator import names
from botswain_operator.quantities import value_of

# Keys by which entries of a list are told apart, the first that all of them have.
_KEYS = (
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("topologyKey", "whenUnsatisfiable"),
    ("uid",),
    ("name",),
)
# Lists that are replaced as a whole.
_ATOMIC = frozenset(
    {
        "tolerations",
        "ingress",
        "egress",
        "policyTypes",
        "accessModes",
        "metrics",
        "endpoints",
        "drop",
        "args",
        "command",
    }
)
# Maps of quantities, and fields that are one.
_QUANTITIES = frozenset({"requests", "limits"})
_ANY_QUANTITY = "quantity"
_QUANTITY = frozenset({_ANY_QUANTITY, "sizeLimit"})
# Maps that are replaced as a whole: one more label selects other pods.
_ATOMIC_MAPS = frozenset({"selector", "matchLabels", "nodeSelector", "podSelector", "namespaceSelector"})


def in_sync(manifest: Mapping[str, Any], live: Mapping[str, Any] | None) -> bool:
    """Whether applying `manifest` would change nothing."""
    if live is None:
        return False
    return applied_hash(live) == applied_hash(manifest) and covers(manifest, live)


def applied_hash(item: Mapping[str, Any]) -> str | None:
    """The hash among an object's annotations."""
    found: str | None = (item["metadata"].get("annotations") or {}).get(names.HASH)
    return found


def covers(wanted: object, live: object, key: str = "") -> bool:
    """Whether everything in `wanted` is in `live`."""
    if key in _ATOMIC_MAPS:
        return wanted == live
    if isinstance(wanted, Mapping):
        names_quantities = key in _QUANTITIES
        return isinstance(live, Mapping) and all(
            # The server leaves out a field that is empty.
            covers(content, live[name], _ANY_QUANTITY if names_quantities else name)
            if name in live
            else content in ({}, [], "")
            for name, content in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(live, list | tuple) and _covers_list(wanted, live, key)
    return wanted == live or (key in _QUANTITY and _same_quantity(wanted, live))


def _same_quantity(wanted: object, live: object) -> bool:
    value = value_of(wanted)
    return value is not None and value == value_of(live)


def _covers_list(wanted: Sequence[Any], live: Sequence[Any], key: str) -> bool:
    keys = None if key in _ATOMIC else _merge_keys(wanted)
    if keys is None:
        return len(wanted) == len(live) and all(covers(one, other) for one, other in zip(wanted, live, strict=True))
    known = {tuple(entry.get(name) for name in keys): entry for entry in live if isinstance(entry, Mapping)}
    return all(
        (found := tuple(entry[name] for name in keys)) in known and covers(entry, known[found]) for entry in wanted
    )


def _merge_keys(entries: Sequence[Any]) -> tuple[str, ...] | None:
    for keys in _KEYS:
        if entries and all(isinstance(entry, Mapping) and all(name in entry for name in keys) for entry in entries):
            return keys
    return None
