"""What a bot is told when a request fails: Discord's JSON error codes and the `errors` tree of 50035
(topics/opcodes-and-status-codes).
"""

from typing import Any

from botswain_simulator.errors import SimulatorError
from botswain_simulator.models import Json


class ApiError(SimulatorError):
    """An answer other than success, in Discord's shape."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.errors = status, code, message, errors

    def payload(self) -> Json:
        body: Json = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return body


_UNKNOWN = {
    "channel": 10003, "guild": 10004, "invite": 10006, "member": 10007, "message": 10008, "role": 10011, "user": 10013,
    "emoji": 10014, "webhook": 10015, "ban": 10026, "sticker": 10060, "interaction": 10062, "command": 10063,
}  # fmt: skip
_UNKNOWN_NAMES = {"command": "application command", "ban": "Ban"}


def unknown(what: str) -> ApiError:
    """404: there is no such thing, e.g. `unknown("channel")` -> 10003 Unknown Channel."""
    return ApiError(404, _UNKNOWN[what], f"Unknown {_UNKNOWN_NAMES.get(what, what.capitalize())}")


def unauthorized() -> ApiError:
    return ApiError(401, 0, "401: Unauthorized")


def not_found() -> ApiError:
    return ApiError(404, 0, "404: Not Found")


def method_not_allowed() -> ApiError:
    return ApiError(405, 0, "405: Method Not Allowed")


def missing_access() -> ApiError:
    return ApiError(403, 50001, "Missing Access")


def missing_permissions() -> ApiError:
    return ApiError(403, 50013, "Missing Permissions")


def too_large() -> ApiError:
    return ApiError(413, 40005, "Request entity too large")


def invalid_form(errors: Json) -> ApiError:
    return ApiError(400, 50035, "Invalid Form Body", errors)


def invalid_field(path: str, code: str, message: str) -> ApiError:
    """A 50035 with one complaint; `path` like `embeds.0.title`."""
    return invalid_form(error_tree({path: [(code, message)]}))


def error_tree(complaints: dict[str, list[tuple[str, str]]]) -> Json:
    """`{"embeds.0.title": [(code, message)]}` as the nested object that Discord answers with."""
    tree: Json = {}
    for path, found in complaints.items():
        node: Any = tree
        for part in path.split(".") if path else []:
            node = node.setdefault(part, {})
        node.setdefault("_errors", []).extend({"code": code, "message": message} for code, message in found)
    return tree
