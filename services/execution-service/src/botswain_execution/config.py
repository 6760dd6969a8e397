"""The file of MCP servers: `{"mcpServers": {name: {command, args, env, …}}}`, as desktop MCP hosts read it, with keys of our own.

Reading is strict about what it knows and lenient about the rest: keys that other hosts use are passed over with a warning, so
that a file made for one of them works here. Every error names file, server and key.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from botswain_execution.errors import McpConfigError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_FOREIGN_KEYS = frozenset({"type", "transport", "description", "autoApprove", "alwaysAllow", "icon", "metadata"})
"""Keys of other hosts that mean nothing here."""
_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True)


class Limits(_Model):
    """Resource limits of each process of a server (setrlimit(2)); None leaves what this process has."""

    memory_mb: int | None = Field(default=None, ge=64)
    """Address space, in MiB. Node.js reserves tens of gigabytes of it: leave it unset there."""
    open_files: int | None = Field(default=1024, ge=16)
    core_mb: int = Field(default=0, ge=0)
    """Core dumps, in MiB; 0: none."""


class ChannelScope(_Model):
    """Which argument of a server's tools names a Discord channel, and what holds when a call names no channels at all."""

    argument: Annotated[str, StringConstraints(min_length=1)] = "channel_id"
    unnamed: Literal["refuse", "allow"] = "refuse"


class ServerConfig(_Model):
    """One server. Times in seconds."""

    command: Annotated[str, StringConstraints(min_length=1)]
    args: tuple[str, ...] = Field(default=(), strict=False)
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None
    disabled: bool = False
    required: bool = False
    """Whether `/ready` waits for it."""
    replicas: int = Field(default=1, ge=1, le=64)
    max_in_flight: int = Field(default=256, ge=1, le=10_000)
    """Calls at once in one process."""
    timeout_seconds: float = Field(default=30.0, gt=0, le=3600, strict=False)
    """Longest wait for a call that names no deadline, and the most that one may name."""
    startup_timeout_seconds: float = Field(default=30.0, gt=0, le=600, strict=False)
    hang_timeout_seconds: float = Field(default=5.0, gt=0, le=600, strict=False)
    """How long a process that missed a deadline has to answer `tools/list` before it counts as hung."""
    stop_timeout_seconds: float = Field(default=2.0, gt=0, le=60, strict=False)
    """How long each step of ending a process may take: end of input, SIGTERM, SIGKILL."""
    limits: Limits = Field(default_factory=Limits)
    allowed_tools: frozenset[str] | None = Field(default=None, strict=False)
    """Tools of it that agents may use; None: all."""
    denied_tools: frozenset[str] = Field(default=frozenset(), strict=False)
    delivering_tools: frozenset[str] = Field(default=frozenset(), strict=False)
    """Tools that put text before the user when they succeed."""
    approval_tools: frozenset[str] = Field(default=frozenset(), strict=False)
    """Tools of which each call has to be approved by a person before it is made."""
    channel_scope: ChannelScope | None = None

    @model_validator(mode="after")
    def _questions_can_be_asked(self) -> Self:
        both = sorted(self.approval_tools & self.delivering_tools)
        if both:
            raise ValueError(
                f"approvalTools names {', '.join(both)}, which deliveringTools names too: answers, and the question "
                "whether a call is approved, go through those"
            )
        return self

    def permits(self, tool: str) -> bool:
        """Whether agents may use the tool of this (the server's own) name."""
        return tool not in self.denied_tools and (self.allowed_tools is None or tool in self.allowed_tools)


@dataclass(frozen=True, slots=True)
class McpConfig:
    """What the file says: enabled servers by name, in the file's order, `cwd` absolute, references expanded."""

    servers: dict[str, ServerConfig]
    warnings: tuple[str, ...] = ()


def load_config(path: Path, variables: Mapping[str, str]) -> McpConfig:
    """Read the file.

    Args:
        path: the JSON file. Relative `cwd`s are relative to its folder, which is also the default.
        variables: what `${NAME}` and `${NAME:-default}` in strings stand for.

    Raises:
        McpConfigError: a line for each problem.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise McpConfigError(f"MCP_SERVERS_CONFIG: can't read {path}: {reason}") from None
    return parse_config(text, variables, source=str(path), folder=path.resolve().parent)


def parse_config(text: str, variables: Mapping[str, str], *, source: str, folder: Path) -> McpConfig:
    """`load_config` without the file. `source` names the text in errors; `folder` is what relative `cwd`s are relative to."""
    try:
        document = json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        raise McpConfigError(f"{source}: not valid JSON: {error}") from None
    entries = document.get("mcpServers") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise McpConfigError(f'{source}: expected {{"mcpServers": {{"name": {{"command": …}}}}}}')
    servers: dict[str, ServerConfig] = {}
    problems: list[str] = []
    warnings: list[str] = []
    for name, entry in entries.items():
        where = f"{source}: mcpServers.{name}"
        if not NAME.fullmatch(name):
            problems.append(f"{where}: a name is 1 to 32 letters, digits, '-' and '_', the first a letter or digit")
            continue
        if not isinstance(entry, dict):
            problems.append(f"{where}: expected an object with a command")
            continue
        if entry.get("disabled") is True:
            continue
        try:
            config = _parse_entry(entry, variables, where, warnings)
        except _EntryError as error:
            problems += error.problems
            continue
        cwd = (folder / config.cwd).resolve() if config.cwd else folder
        servers[name] = config.model_copy(update={"cwd": str(cwd)})
    if problems:
        raise McpConfigError("\n".join(problems))
    return McpConfig(servers, tuple(warnings))


class _EntryError(Exception):
    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!r} stands there twice")
        result[key] = value
    return result


def _parse_entry(entry: dict[str, Any], variables: Mapping[str, str], where: str, warnings: list[str]) -> ServerConfig:
    if "url" in entry or entry.get("type", "stdio") != "stdio" or entry.get("transport", "stdio") != "stdio":
        raise _EntryError(f"{where}: only stdio servers (with a command) are supported, not remote ones")
    known = {field.alias for field in ServerConfig.model_fields.values()}
    unknown = [key for key in entry if key not in known]
    for key in unknown:
        if key not in _FOREIGN_KEYS:
            near = difflib.get_close_matches(key, [alias for alias in known if alias], n=1, cutoff=0.75)
            warnings.append(f"{where}.{key}: unknown key, ignored" + (f"; did you mean {near[0]!r}?" if near else ""))
    expanded = _expand({key: value for key, value in entry.items() if key in known}, variables, where)
    try:
        return ServerConfig.model_validate(expanded)
    except ValidationError as error:
        raise _EntryError(*(_explain(problem, where) for problem in error.errors(include_url=False))) from None


def _explain(problem: Any, where: str) -> str:
    """One line; the value is left out of it where it may be a secret."""
    if not problem["loc"]:  # of the entry as a whole
        return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
    location = ".".join(str(part) for part in problem["loc"])
    shown = "" if location.startswith("env") or problem["type"] == "missing" else f" (it is {problem['input']!r})"
    return f"{where}.{location}: {problem['msg']}{shown}"


def _expand(value: Any, variables: Mapping[str, str], where: str) -> Any:
    """Replace `${NAME}` in all strings below `value`."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _look_up(match, variables, where), value)
    if isinstance(value, list):
        return [_expand(item, variables, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _expand(item, variables, f"{where}.{key}") for key, item in value.items()}
    return value


def _look_up(match: re.Match[str], variables: Mapping[str, str], where: str) -> str:
    name, default = match.groups()
    value = variables.get(name)
    if value:
        return value
    if default is not None:
        return str(default)
    if value is not None:
        return value
    raise _EntryError(f"{where}: ${{{name}}} isn't set; set it, or give a default: ${{{name}:-value}}")
