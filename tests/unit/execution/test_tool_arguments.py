"""The schema's complaint about a call's arguments."""

from __future__ import annotations

from typing import Any

import pytest
from botswain_execution.arguments import InvalidSchemaError, checker

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 1000},
        "count": {"type": "integer"},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
    },
    "required": ["text"],
    "$defs": {"tag": {"type": "string"}},
}


def test_fitting_arguments_get_no_complaint() -> None:
    """References within the schema are followed."""
    assert checker(SCHEMA)({"text": "x", "count": 3, "tags": ["a"]}) is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "arguments: 'text' is a required property"),
        ({"text": "x", "count": 1.5}, "arguments.count: 1.5 is not of type 'integer'"),
        ({"text": "x", "tags": ["a", 2]}, "arguments.tags[1]: 2 is not of type 'string'"),
    ],
)
def test_complaint_names_path_and_reason(arguments: dict[str, Any], complaint: str) -> None:
    """Each problem is a line with its path."""
    assert checker(SCHEMA)(arguments) == complaint


def test_complaint_about_a_long_value_still_says_what_is_wrong() -> None:
    """A value of any length is cut in the middle, and the reason behind it stays."""
    complaint = checker(SCHEMA)({"text": "x" * 5000})
    assert complaint is not None
    assert len(complaint) < 400
    assert complaint.endswith("is too long")


def test_many_problems_are_bounded() -> None:
    """The first problems are told, and how many more there are."""
    complaint = checker(SCHEMA)({"text": "x", "tags": list(range(20))})
    assert complaint is not None
    assert complaint.splitlines()[-1] == "… and 15 more"


def test_invalid_schema_is_refused_and_foreign_references_are_not_fetched() -> None:
    """A broken schema is told of; one that refers elsewhere leaves the checking to its server."""
    with pytest.raises(InvalidSchemaError):
        checker({"type": "nonsense"})
    assert checker({"$ref": "http://127.0.0.1:9/schema.json"})({"a": 1}) is None
