"""Checks a call's arguments against the tool's JSON Schema, before anything else looks at them. What it says is for the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import SchemaError
from jsonschema.exceptions import ValidationError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

MOST_PROBLEMS = 5
_LONGEST_MESSAGE = 300

Complaint = Callable[[Mapping[str, Any]], str | None]
"""What is wrong with the arguments, a line a problem, each with its path; None when nothing is."""


class InvalidSchemaError(ValueError):
    """A tool's input schema isn't JSON Schema."""


def checker(schema: dict[str, Any]) -> Complaint:
    """Compile `schema`. References resolve within it only; nothing is fetched.

    Raises:
        InvalidSchemaError: with the reason.
    """
    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise InvalidSchemaError(error.message) from None
    validator = kind(schema, registry=Registry())

    def complain(arguments: Mapping[str, Any]) -> str | None:
        try:
            problems = sorted(
                validator.iter_errors(arguments), key=lambda problem: list(map(str, problem.absolute_path))
            )
        except Unresolvable:
            return None  # the server, which knows the whole schema, checks too
        if not problems:
            return None
        lines = [_line(problem) for problem in problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            lines.append(f"… and {len(problems) - MOST_PROBLEMS} more")
        return "\n".join(lines)

    return complain


def _line(problem: ValidationError) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem.absolute_path)
    message = problem.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:200]} … {message[-80:]}"  # what is wrong stands at the end, after the value
    return f"arguments{path}: {message}"
