"""What the API server refuses in built-in kinds: the rules that an operator, or its author, runs into."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kube_emulator.errors import Problem

Body = Mapping[str, Any]
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def problems(kind: str, body: Body, before: Body | None) -> list[Problem]:
    """Every problem of an object that is complete with defaults; `before` is what it was, None if it is new."""
    found = list(_ALONE.get(kind, _nothing)(body))
    if before is not None and not found:
        found += _CHANGED.get(kind, _nothing_changed)(before, body)
    return found


def _nothing(_: Body) -> Iterator[Problem]:
    yield from ()


def _nothing_changed(_: Body, __: Body) -> Iterator[Problem]:
    yield from ()


def _deployment(body: Body) -> Iterator[Problem]:
    spec = body["spec"]
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not wanted.items() <= labels.items():
        field = "spec.template.metadata.labels"
        yield field, "FieldValueInvalid", f"Invalid value: {labels}: `selector` does not match template `labels`"
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate") is not None:
        message = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield "spec.strategy.rollingUpdate", "FieldValueForbidden", message
    names = [entry["name"] for entry in spec["template"]["spec"].get("volumes") or []]
    for index, container in enumerate(spec["template"]["spec"]["containers"]):
        for mount in container.get("volumeMounts") or []:
            if mount["name"] not in names:
                field = f"spec.template.spec.containers[{index}].volumeMounts"
                yield field, "FieldValueNotFound", f'Not found: "{mount["name"]}"'


def _lease(body: Body) -> Iterator[Problem]:
    spec = body.get("spec") or {}
    for name in ("renewTime", "acquireTime"):
        if spec.get(name) is not None and not _MICRO_TIME.fullmatch(str(spec[name])):
            yield f"spec.{name}", "FieldValueInvalid", f"Invalid value: {spec[name]}: no time with microseconds"
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and (not isinstance(seconds, int) or seconds <= 0):
        yield "spec.leaseDurationSeconds", "FieldValueInvalid", f"Invalid value: {seconds}: must be greater than 0"


def _changed_deployment(before: Body, after: Body) -> Iterator[Problem]:
    if before["spec"]["selector"] != after["spec"]["selector"]:
        yield "spec.selector", "FieldValueInvalid", "Invalid value: field is immutable"


def _changed_service(before: Body, after: Body) -> Iterator[Problem]:
    if after["spec"].get("clusterIP") != before["spec"].get("clusterIP"):
        yield "spec.clusterIPs[0]", "FieldValueInvalid", "Invalid value: may not change once set"


def _changed_claim(before: Body, after: Body) -> Iterator[Problem]:
    old, new = before["spec"], after["spec"]
    if {**old, "resources": None} != {**new, "resources": None}:
        yield (
            "spec",
            "FieldValueForbidden",
            (
                "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName "
                "for bound claims"
            ),
        )
    elif _amount(new["resources"]["requests"]["storage"]) < _amount(old["resources"]["requests"]["storage"]):
        message = "Forbidden: field can not be less than status.capacity"
        yield "spec.resources.requests.storage", "FieldValueForbidden", message


def _amount(text: Any) -> float:
    """A storage size in bytes."""
    for unit, factor in _UNITS.items():
        if str(text).endswith(unit):
            return float(str(text).removesuffix(unit)) * factor
    return float(text)


_ALONE: Mapping[str, Callable[[Body], Iterator[Problem]]] = {"Deployment": _deployment, "Lease": _lease}
_CHANGED: Mapping[str, Callable[[Body, Body], Iterator[Problem]]] = {
    "Deployment": _changed_deployment,
    "Service": _changed_service,
    "PersistentVolumeClaim": _changed_claim,
}
