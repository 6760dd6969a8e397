"""Field ownership and server-side apply, after kubernetes' structured-merge-diff: who set which field, and what follows.

A field is named by its path: `f:name` for a member, `k:{"name":"x"}` for an entry of a keyed list, `.` for the entry itself.
An atomic value (a scalar, an atomic list or map) is a leaf with all that is in it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from kube_emulator.errors import ApiRefusal
from kube_emulator.kinds import ATOMIC_MAPS, Kind, child_schema, list_keys

Path = tuple[str, ...]
_SERVER_FIELDS = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
)


def leaves(kind: Kind, body: Mapping[str, Any]) -> dict[Path, Any]:
    """Every field that an object sets, but for what names it and what the server sets."""
    found: dict[Path, Any] = {}
    for name, value in body.items():
        if name in ("apiVersion", "kind"):
            continue
        if name == "metadata":
            kept = {key: item for key, item in value.items() if key not in (*_SERVER_FIELDS, "name", "namespace")}
            found.update(_leaves(kept, ("f:metadata",), "metadata", None))
        else:
            found.update(_leaves(value, (f"f:{name}",), name, child_schema(kind.schema, name)))
    return found


def _leaves(value: Any, path: Path, name: str, schema: Mapping[str, Any] | None) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and name not in ATOMIC_MAPS:
        for key, item in value.items():
            yield from _leaves(item, (*path, f"f:{key}"), key, child_schema(schema, key))
        return
    keys = list_keys(name, value, schema) if isinstance(value, list) and value else None
    if keys is None:
        yield path, value
        return
    items = schema.get("items") if schema else None
    for entry in value:
        entry_path = (*path, _entry_name(entry, keys))
        yield (*entry_path, "."), None
        for key, item in entry.items():
            yield from _leaves(item, (*entry_path, f"f:{key}"), key, child_schema(items, key))


def _entry_name(entry: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return "k:" + json.dumps({key: entry.get(key) for key in keys}, sort_keys=True, separators=(",", ":"))


def encode(paths: set[Path]) -> dict[str, Any]:
    """`fieldsV1` for a set of paths."""
    root: dict[str, Any] = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
    return root


def decode(fields: Mapping[str, Any], prefix: Path = ()) -> Iterator[Path]:
    """The paths of a `fieldsV1`."""
    for element, inner in fields.items():
        if inner:
            yield from decode(inner, (*prefix, element))
        else:
            yield (*prefix, element)


class Owners:
    """An object's managedFields as sets of paths, by manager, operation and subresource."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._entries: dict[tuple[str, str, str], set[Path]] = {}
        for entry in (body.get("metadata") or {}).get("managedFields") or []:
            key = (entry["manager"], entry["operation"], entry.get("subresource", ""))
            self._entries[key] = set(decode(entry.get("fieldsV1") or {}))

    def of(self, key: tuple[str, str, str]) -> set[Path]:
        return self._entries.get(key, set())

    def others(self, key: tuple[str, str, str]) -> Iterator[tuple[tuple[str, str, str], set[Path]]]:
        for other, paths in self._entries.items():
            if other != key:
                yield other, paths

    def put(self, key: tuple[str, str, str], paths: set[Path]) -> None:
        self._entries[key] = paths

    def dump(self, api_version: str, time: str, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """`managedFields`; an entry that hasn't changed keeps its time."""
        times = {
            (e["manager"], e["operation"], e.get("subresource", "")): (e.get("fieldsV1"), e.get("time")) for e in before
        }
        dumped = []
        for (manager, operation, subresource), paths in self._entries.items():
            if not paths:
                continue
            fields = encode(paths)
            known = times.get((manager, operation, subresource))
            dumped.append(
                {
                    "manager": manager,
                    "operation": operation,
                    "apiVersion": api_version,
                    "time": known[1] if known and known[0] == fields else time,
                    "fieldsType": "FieldsV1",
                    "fieldsV1": fields,
                    **({"subresource": subresource} if subresource else {}),
                }
            )
        return dumped


def apply(
    kind: Kind,
    live: Mapping[str, Any] | None,
    applied: Mapping[str, Any],
    manager: tuple[str, str, str],
    *,
    force: bool,
) -> tuple[dict[str, Any], Owners]:
    """Server-side apply: the merged object, and who owns what then.

    Raises:
        ApiRefusal: 409, another manager owns a field with another value, and `force` is not set.
    """
    base: dict[str, Any] = orjson.loads(orjson.dumps(live)) if live else {}
    owners = Owners(base)
    wanted, present = leaves(kind, applied), leaves(kind, base)
    new = set(wanted)
    conflicts = []
    for other, paths in list(owners.others(manager)):
        taken = {path for path in paths & new if present.get(path) != wanted[path]}
        conflicts += [(other[0], path) for path in sorted(taken)]
        owners.put(other, paths - taken)
    if conflicts and not force:
        raise _conflict(conflicts)
    abandoned = {
        path for path in owners.of(manager) - new if not any(path in paths for _, paths in owners.others(manager))
    }
    merged = _merge(base, applied, "", kind.schema)
    for path in sorted(abandoned, key=lambda path: (-len(path), path[-1] == ".")):  # an entry goes after its fields
        _remove(merged, path, kind)
    owners.put(manager, new)
    return merged, owners


def update(kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any], manager: tuple[str, str, str]) -> Owners:
    """Ownership after a write that is no apply: who changed a field owns it, and nobody else does."""
    owners = Owners(before)
    old, new = leaves(kind, before), leaves(kind, after)
    changed = {path for path in new if path not in old or old[path] != new[path]}
    gone = set(old) - set(new)
    for other, paths in list(owners.others(manager)):
        owners.put(other, paths - changed - gone)
    if changed or owners.of(manager):
        owners.put(manager, (owners.of(manager) | changed) - gone)
    return owners


def _merge(live: Any, applied: Any, name: str, schema: Mapping[str, Any] | None) -> Any:
    if isinstance(applied, dict) and isinstance(live, dict) and name not in ATOMIC_MAPS:
        merged = dict(live)
        for key, item in applied.items():
            inner = None if (name == "" and key == "metadata") else child_schema(schema, key)
            merged[key] = _merge(live[key], item, key, inner) if key in live else copy.deepcopy(item)
        return merged
    keys = list_keys(name, [*applied, *live], schema) if isinstance(applied, list) and isinstance(live, list) else None
    if keys is None:
        return copy.deepcopy(applied)
    items = schema.get("items") if schema else None
    merged_list = [dict(entry) for entry in live]
    index = {_entry_name(entry, keys): position for position, entry in enumerate(merged_list)}
    for entry in applied:
        position = index.get(_entry_name(entry, keys))
        if position is None:
            merged_list.append(copy.deepcopy(entry))
        else:
            merged_list[position] = _merge(merged_list[position], entry, "entry", items)
    return merged_list


def _remove(body: dict[str, Any], path: Path, kind: Kind) -> None:
    """Remove a field, and a map that is empty without it."""
    del kind
    trail: list[tuple[Any, Any]] = []
    node: Any = body
    for element in path:
        if element == ".":
            break
        if element.startswith("f:"):
            if not isinstance(node, dict) or element[2:] not in node:
                return
            if element is path[-1] and path[-2].startswith("k:") and element[2:] in json.loads(path[-2][2:]):
                return  # the key goes with its entry
            trail.append((node, element[2:]))
            node = node[element[2:]]
        else:
            wanted = json.loads(element[2:])
            if not isinstance(node, list):
                return
            found = next((entry for entry in node if all(entry.get(k) == v for k, v in wanted.items())), None)
            if found is None:
                return
            trail.append((node, found))
            node = found
    if path[-1] == "." and isinstance(node, dict):
        keys = set(json.loads(path[-2][2:]))
        if set(node) - keys:
            return  # someone else's fields hold the entry
    while trail:
        holder, key = trail.pop()
        if isinstance(holder, list):
            holder.remove(key)
        else:
            del holder[key]
        if holder or not trail:
            return


def _conflict(conflicts: list[tuple[str, Path]]) -> ApiRefusal:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}"', "field": _dotted(path)}
        for manager, path in conflicts
    ]
    words = "; ".join(f'conflict with "{manager}": {_dotted(path)}' for manager, path in conflicts)
    count = len(conflicts)
    message = f"Apply failed with {count} conflict{'s' if count > 1 else ''}: {words}"
    return ApiRefusal(409, "Conflict", message, details={"causes": causes})


def _dotted(path: Path) -> str:
    text = ""
    for element in path:
        if element.startswith("f:"):
            text += f".{element[2:]}"
        elif element.startswith("k:"):
            inner = ",".join(f'{key}="{value}"' for key, value in json.loads(element[2:]).items())
            text += f"[{inner}]"
    return text
