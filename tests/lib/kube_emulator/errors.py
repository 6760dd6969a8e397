"""A refusal, as the API server says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Problem = tuple[str, str, str]
"""Field, reason and message."""


class ApiRefusal(Exception):  # noqa: N818 - what it is called in the API's own words is a Status
    """Becomes a `Status` with this code, reason and message."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details = dict(details or {})
        self.retry_after = retry_after

    def status(self) -> dict[str, Any]:
        """The body of the answer."""
        details = {**self.details, **({"retryAfterSeconds": self.retry_after} if self.retry_after is not None else {})}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
            **({"details": details} if details else {}),
        }


def not_found(plural: str, name: str, group: str = "") -> ApiRefusal:
    where = f"{plural}.{group}" if group else plural
    return ApiRefusal(
        404, "NotFound", f'{where} "{name}" not found', details={"name": name, "group": group, "kind": plural}
    )


def invalid(kind: str, group: str, name: str, problems: list[Problem]) -> ApiRefusal:
    """422 with every problem as (field, reason, message)."""
    words = [f"{field}: {message}" for field, _, message in problems]
    text = words[0] if len(words) == 1 else f"[{', '.join(words)}]"
    where = f"{kind}.{group}" if group else kind
    causes = [{"reason": reason, "message": message, "field": field} for field, reason, message in problems]
    details = {"name": name, "group": group, "kind": kind, "causes": causes}
    return ApiRefusal(422, "Invalid", f'{where} "{name}" is invalid: {text}', details=details)
