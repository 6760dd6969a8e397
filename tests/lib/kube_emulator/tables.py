"""Tables, which kubectl asks for to print: a custom kind's printer columns, or the name and age."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kube_emulator.kinds import Kind
from kube_emulator.selectors import lookup
from kube_emulator.store import Body


def table(kind: Kind, items: list[Body]) -> dict[str, Any]:
    """A meta.k8s.io/v1 Table."""
    columns = [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}]
    own = list(kind.columns) or [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
    for column in own:
        shown = {"name": column["name"], "type": "string" if column["type"] == "date" else column["type"], "format": ""}
        columns.append({**shown, "description": column.get("description", ""), "priority": column.get("priority", 0)})
    rows = [
        {
            "cells": [body["metadata"]["name"], *(_cell(body, column) for column in own)],
            "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]},
        }
        for body in items
    ]
    metadata = {"resourceVersion": items[-1]["metadata"]["resourceVersion"]} if items else {}
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    }


def _cell(body: Body, column: Any) -> Any:
    value = lookup(body, column["jsonPath"])
    if column["type"] == "date" and value:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(value)).total_seconds()
        return f"{int(seconds)}s" if seconds < 120 else f"{int(seconds // 60)}m"
    return value
