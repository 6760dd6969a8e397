"""Label and field selectors, and the JSONPath of printer columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Predicate = Callable[[Mapping[str, Any]], bool]


def matcher(labels: str, fields: str) -> Predicate:
    """Whether an object matches both selectors."""
    label_tests = [_label(part) for part in _split(labels)]
    field_tests = [_field(part) for part in _split(fields)]

    def matches(body: Mapping[str, Any]) -> bool:
        found = body["metadata"].get("labels") or {}
        return all(test(found) for test in label_tests) and all(test(body) for test in field_tests)

    return matches


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", text or "") if part.strip()]


def _label(part: str) -> Predicate:
    if match := re.fullmatch(r"(\S+)\s+(in|notin)\s+\((.*)\)", part):
        key, values = match[1], {value.strip() for value in match[3].split(",")}
        wanted = match[2] == "in"
        return lambda labels: (
            (labels.get(key) in values) if wanted else (key not in labels or labels[key] not in values)
        )
    if "!=" in part:
        key, value = part.split("!=", 1)
        return lambda labels: labels.get(key) != value
    if "=" in part:
        key, value = re.split(r"==?", part, maxsplit=1)
        return lambda labels: labels.get(key) == value
    if part.startswith("!"):
        return lambda labels: part[1:] not in labels
    return lambda labels: part in labels


def _field(part: str) -> Predicate:
    negated = "!=" in part
    key, value = part.split("!=", 1) if negated else re.split(r"==?", part, maxsplit=1)
    return lambda body: (str(lookup(body, f".{key}") or "") != value) == negated


def lookup(body: Any, path: str) -> Any:
    """The value at a JSONPath of the kind that printer columns use: `.a.b`, `.c[?(@.type=="X")].d`."""
    for name, key, wanted in re.findall(r"\.([A-Za-z0-9_/-]+)(?:\[\?\(@\.(\w+)==\"([^\"]*)\"\)\])?", path):
        body = body.get(name) if isinstance(body, Mapping) else None
        if key:
            body = next((item for item in body or [] if item.get(key) == wanted), None)
    return body
