"""The API reference, name by name: parameters, their kinds, defaults and types, results, and what is a property or async.

What is here may take more than the reference says, and promise more; it may ask for nothing more, and lack nothing.
"""

import ast
import dataclasses
import inspect
import re
from functools import cached_property

import botswain_services
import pytest
from botswain_services import middleware, utils
from botswain_services.types import ServerStatus

REFERENCE = """
class ConnectionManager:
    def __init__(self, url: Url | None = None, server_id: UUID | None = None, server_pid_file: str | None = None): ...
    @property
    def mcp_url(self) -> str: ...
    @property
    def mcp_client(self) -> Client: ...
    def shutdown(self, block: bool = True): ...
    async def ashutdown(self, block: bool = True): ...
    async def astatus(self): ...

class Service:
    def __init__(self, *, url: str | Url | None = None, host: str | None = None, port: int | None = None,
                 summary: str | None = None, description: str | None = None, terms_of_service: str | None = None,
                 license_info: Dict[str, str | Any] | None = None, live_service: bool = True,
                 pid_file: str | None = None, **kwargs): ...
    @property
    def endpoints(self) -> dict[str, TaskSchema]: ...
    @property
    def status(self) -> ServerStatus: ...
    def endpoints_func(self): ...
    def status_func(self): ...
    def heartbeat_func(self): ...
    @classmethod
    def status_at_host(cls, url: str | Url, timeout: int = 60) -> ServerStatus: ...
    @classmethod
    def connect(cls, url: str | Url | None = None, timeout: int = 60) -> Any: ...
    @classmethod
    def launch(cls, *, url: str | Url | None = None, host: str | None = None, port: int | None = None,
               block: bool = False, num_workers: int = 1, wait_for_launch: bool = True, timeout: int = 60,
               progress_bar: bool = True, **kwargs): ...
    def heartbeat(self) -> Heartbeat: ...
    @staticmethod
    def shutdown() -> Response: ...
    async def shutdown_cleanup(self): ...
    @classmethod
    def default_url(cls) -> Url: ...
    @classmethod
    def build_url(cls, url: str | Url | None = None, host: str | None = None, port: int | None = None) -> Url: ...
    @classmethod
    def get_mcp_paths(cls) -> tuple[str, str]: ...
    @classmethod
    def register_connection_manager(cls, connection_manager: Type[ConnectionManager]): ...
    @classmethod
    def default_log_file(cls) -> str: ...
    def add_endpoint(self, path, func, schema: TaskSchema, api_route_kwargs=None, autolog_kwargs=None,
                     methods: list[str] | None = None, scope: str = "public", as_tool: bool = False): ...
    def add_tool(self, tool_name, func): ...

class Heartbeat:
    def __init__(self, status: ServerStatus = ServerStatus.DOWN, server_id: UUID | None = None,
                 message: str | None = None, details: Any = None): ...

class Gateway:
    def __init__(self, **kwargs): ...
    def register_app(self, payload: AppConfig): ...
    async def forward_request(self, request: Request, app_name: str, path: str): ...
    @classmethod
    def connect(cls, url: str | Url | None = None, timeout: int = 60) -> Any: ...

class ProxyConnectionManager:
    def __init__(self, gateway_url: str | Url, app_name: str, original_cm: ConnectionManager): ...

class Launcher:
    def __init__(self, options): ...

class MCPClientManager:
    def __init__(self, service_cls: Type[Service]): ...
    def connect(self, url: str | Url | None = None) -> Client: ...
    def launch(self, **launch_kwargs) -> Client: ...

class RequestLoggingMiddleware:
    def __init__(self, app: Any, service_name: str, *, log_metrics: bool = False, metrics_interval: Optional[int] = None,
                 metrics_to_collect: Optional[list[str]] = ["cpu_percent", "memory_percent"],
                 add_request_id_header: bool = True, logger: Optional[Any] = None): ...

def add_endpoint(app, path, self: Optional[Service], **kwargs): ...
def register_connection_manager(connection_manager: Type[ConnectionManager]): ...
def generate_connection_manager(
    service_cls, protected_methods: list[str] = ["shutdown", "ashutdown", "status", "astatus"]) -> type: ...
"""

DISCORD_REFERENCE = """
class DiscordClient:
    def __init__(self, *, token: str | None = None, intents: Optional[Intents] = None, **kwargs): ...
    def register_command(self, name: str, description: str, usage: str, handler: Callable, aliases: Optional[List[str]] = None,
                         category: str = "General", enabled: bool = True, hidden: bool = False,
                         cooldown: Optional[int] = None, permissions: Optional[List[str]] = None,
                         parameters: Optional[Dict[str, Dict[str, Any]]] = None): ...
    def register_event_handler(self, event_type: DiscordEventType, handler: DiscordEventHandler): ...
    async def start_bot(self): ...
    async def stop_bot(self): ...

class DiscordService:
    def __init__(self, *, token: str | None = None, intents: Optional[Any] = None, **kwargs): ...
    async def startup(self): ...
    async def execute_command(self, payload: DiscordCommandInput) -> DiscordCommandOutput: ...
    def get_bot_status(self) -> DiscordStatusOutput: ...
    def get_commands(self) -> DiscordCommandsOutput: ...
    def register_command(self, *args, **kwargs): ...
    def register_event_handler(self, *args, **kwargs): ...
    @classmethod
    def launch(cls, *, url: str | Url | None = None, host: str | None = None, port: int | None = None,
               block: bool = False, num_workers: int = 1, wait_for_launch: bool = True, timeout: int = 60,
               progress_bar: bool = True, **kwargs): ...
    async def shutdown_cleanup(self): ...

class DiscordCommand:
    def __init__(self, name: str, description: str, usage: str, aliases: List[str], category: str, enabled: bool = True,
                 hidden: bool = False, cooldown: Optional[int] = None, permissions: Optional[List[str]] = None): ...

class DiscordEventHandler:
    async def handle(self, event_type: DiscordEventType, **kwargs) -> None: ...
"""


def entries(text):
    """(class or None, function) of each signature."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            yield from ((node.name, function) for function in node.body)
        else:
            yield None, node


def label(entry):
    return f"{entry[0] or 'utils'}.{entry[1].name}"


def members(annotation):
    """The members of a union, in one spelling."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    text = text.replace("fastapi.", "").replace("discord.", "").replace("Callable[..., Any]", "Callable")
    for old in ("Dict", "List", "Type"):
        text = re.sub(rf"\b{old}\b", old.lower(), text)
    optional = re.fullmatch(r"Optional\[(.*)\]", text)
    text = f"{optional[1]} | None" if optional else text
    parts, depth, part = set(), 0, ""
    for character in f"{text}|":
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "|" and not depth:
            parts.add(part.strip())
            part = ""
        else:
            part += character
    return parts


def covers(wide, narrow):
    """Whether everything of `narrow` is in `wide`: `float` holds ints, `X` holds `X[Y]`, `Any` and a protocol's `ASGIApp` all."""
    if wide & {"Any", "ASGIApp"}:
        return True
    bare = {member.partition("[")[0] for member in wide if "[" not in member}
    return all(one in wide or one.partition("[")[0] in bare or (one == "int" and "float" in wide) for one in narrow)


def found(entry, namespace):
    """What stands for the entry, and its function."""
    owner, function = entry
    if owner is None:
        return None, getattr(utils, function.name)
    cls = getattr(namespace, owner)
    raw = inspect.getattr_static(cls, function.name)
    inner = raw.fget if isinstance(raw, property) else getattr(raw, "__func__", raw)
    return raw, inner


def check(entry, namespace):
    owner, function = entry
    raw, inner = found(entry, namespace)
    kinds = {"property": property, "classmethod": classmethod, "staticmethod": staticmethod}
    declared = [ast.unparse(decorator) for decorator in function.decorator_list]
    for name, kind in kinds.items():
        assert isinstance(raw, kind) == (name in declared), f"{name}?"
    assert inspect.iscoroutinefunction(inner) == isinstance(function, ast.AsyncFunctionDef)
    theirs = dict(inspect.signature(inner).parameters)
    if owner == "Heartbeat":
        assert dataclasses.is_dataclass(namespace.Heartbeat)
    wanted = [*function.args.posonlyargs, *function.args.args]
    defaults = [None] * (len(wanted) - len(function.args.defaults)) + function.args.defaults
    expected = [
        (arg, default, inspect.Parameter.POSITIONAL_OR_KEYWORD) for arg, default in zip(wanted, defaults, strict=True)
    ]
    assert [arg.arg for arg in wanted] == [
        name for name, p in theirs.items() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ][: len(wanted)]
    expected += [
        (arg, default, inspect.Parameter.KEYWORD_ONLY)
        for arg, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    ]
    for arg, default, kind in expected:
        parameter = theirs.pop(arg.arg)
        assert parameter.kind is kind, arg.arg
        if default is not None:
            assert parameter.default == eval(ast.unparse(default), {"ServerStatus": ServerStatus}), arg.arg
        if arg.annotation is not None:
            assert covers(members(parameter.annotation), members(ast.unparse(arg.annotation))), arg.arg
    for more, kind in ((function.args.vararg, "VAR_POSITIONAL"), (function.args.kwarg, "VAR_KEYWORD")):
        assert more is None or getattr(theirs.pop(more.arg, None), "kind", "").name == kind
    assert all(
        p.default is not p.empty for p in theirs.values() if p.kind.name not in ("VAR_KEYWORD", "VAR_POSITIONAL")
    )
    if function.returns is not None:
        own = inspect.signature(inner).return_annotation
        assert covers(members(ast.unparse(function.returns)), members(own)), own


@pytest.mark.parametrize("entry", list(entries(REFERENCE)), ids=label)
def test_a_signature_is_as_documented(entry):
    """Everything that the reference's callers may write works here."""
    check(entry, botswain_services)


@pytest.mark.parametrize("entry", list(entries(DISCORD_REFERENCE)), ids=label)
def test_a_signature_of_the_bots_is_as_documented(entry):
    """The same for bots of one's own."""
    check(entry, pytest.importorskip("botswain_discord"))


def test_all_documented_names_can_be_imported_at_the_top():
    """`from botswain_services import …` is the one import line that callers change."""
    names = {owner or function.name for owner, function in entries(REFERENCE)} | {"ServerStatus", "TaskSchema"}
    assert names <= set(botswain_services.__all__)
    assert all(getattr(botswain_services, name) for name in botswain_services.__all__)


def test_the_middleware_is_plain_asgi():
    """Not Starlette's `BaseHTTPMiddleware`, which holds streams back."""
    assert middleware.RequestLoggingMiddleware.__mro__[1:] == (object,)


def test_the_check_would_see_a_difference():
    """A default, a missing parameter, another type and another kind are each found."""

    class Wrong:
        class Service:
            @classmethod
            def connect(cls, url: "str | None" = None, timeout: int = 30): ...

            def status_at_host(self, url): ...

            @cached_property
            def status(self): ...

    for entry in entries(REFERENCE):
        if label(entry) in ("Service.connect", "Service.status_at_host", "Service.status"):
            with pytest.raises((AssertionError, KeyError)):
                check(entry, Wrong)
