"""What a tool's answer tells beside its text."""

from __future__ import annotations

import json
import re
from typing import Any

_SNOWFLAKE = re.compile(r"\b\d{15,20}\b")


def message_id_in(text: str, structured: Any) -> str:
    """The id of the message a tool made: from its structured result, else from its text; empty when there is none."""
    for data in (structured, _json(text)):
        if isinstance(data, dict):
            found = next((data[key] for key in ("message_id", "id") if isinstance(data.get(key), str)), None)
            if found:
                return str(found)
    ids = _SNOWFLAKE.findall(text)
    return ids[0] if len(ids) == 1 else ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
