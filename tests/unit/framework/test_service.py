"""`Service` as its authors meet it: names, endpoints, default answers, and what is refused when."""

import asyncio

import httpx
import pytest
from botswain_services import (
    EndpointError,
    EndpointsSchema,
    Gateway,
    Heartbeat,
    ServerStatus,
    Service,
    ServiceSettings,
    SettingsError,
    TaskSchema,
    Url,
)
from botswain_services.auth import TokenIssuer
from botswain_services.types import HeartbeatOutput, StatusOutput
from botswain_services.utils import add_endpoint, generate_connection_manager
from fastapi import FastAPI
from pydantic import BaseModel

SECRET = "a-secret-of-at-least-thirty-two-bytes"


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    for name in ("BOTSWAIN_ENV", "SERVICE_AUTH_SECRET", "DEFAULT_SERVICE_URLS", "API_GATEWAY_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SERVICE_STATE_DIR", str(tmp_path))
    return monkeypatch


class Plain(Service):
    """No name, no endpoints."""


class Named(Service):
    name = "named-service"


class Inherits(Named):
    """Its parent's name is its own."""


class Text(BaseModel):
    text: str


def client(service, **options):
    transport = httpx.ASGITransport(service.app, raise_app_exceptions=False, **options)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def test_a_service_is_called_like_its_class_unless_it_says_otherwise():
    """The name is the audience of its tokens; a subclass of a named service keeps it."""
    assert (Plain.name, Named.name, Inherits.name, Gateway.name) == (
        "Plain",
        "named-service",
        "named-service",
        "gateway",
    )


def test_urls_come_from_arguments_then_the_environment(environment):
    """URL before host and port, those before the environment, that before localhost:8000."""
    assert str(Plain.default_url()) == "http://localhost:8000/"
    assert str(Plain.build_url(url="http://other:1/base", host="x", port=2)) == "http://other:1/base/"
    assert str(Plain.build_url(port=0)) == "http://localhost:0/"
    environment.setenv("DEFAULT_SERVICE_URLS", '{"plain": "http://own:1", "Service": "http://all:2/"}')
    assert str(Plain.default_url()) == "http://own:1/"
    assert str(Named.default_url()) == "http://all:2/"
    assert Plain.build_url(host="h") == Url("http", None, "h", 1, "/")
    environment.setenv("DEFAULT_SERVICE_URLS", '{"Service": "mailto:x"}')
    with pytest.raises(SettingsError, match="DEFAULT_SERVICE_URLS"):
        Plain.default_url()


def test_mcp_paths_can_be_set(environment):
    """With or without slashes."""
    assert Plain.get_mcp_paths() == ("/mcp-server", "/mcp")
    environment.setenv("MCP_MOUNT_PATH", "tools")
    assert Plain.get_mcp_paths() == ("/tools", "/mcp")


def test_log_files_are_named_after_classes(tmp_path):
    """Below the state folder."""
    assert Plain.default_log_file() == str(tmp_path / "logs" / "Plain_logs.txt")


def test_without_a_secret_only_this_machine_is_served():
    """A bare service on loopback is development; one that others reach asks for a secret."""
    assert Plain().settings.botswain_env == "development"
    with pytest.raises(SettingsError, match="SERVICE_AUTH_SECRET"):
        Plain(host="0.0.0.0")


async def test_default_endpoints_answer_get_and_post():
    """What only reads takes both methods; what ends the service takes POST."""
    service = Plain()
    async with client(service) as http:
        for path in ("endpoints", "status", "heartbeat", "server_id", "class_name", "pid_file"):
            assert (await http.get(f"/{path}")).json() == (await http.post(f"/{path}")).json()
        assert (await http.get("/shutdown")).status_code == 405
        assert (await http.post("/class_name")).json() == {"class_name": "Plain"}
        assert (await http.post("/status")).json() == {"status": "Available"}


async def test_shutdown_under_another_server_says_so():
    """Nothing is killed that is not this framework's to end."""
    async with client(Plain(), client=("127.0.0.1", 1)) as http:
        answer = await http.post("/shutdown")
    assert answer.status_code == 409


@pytest.mark.parametrize("path", ["a b", "a?b", "ünicode", "a\nb", "a//b", "{}", "{1}", "%zz"])
def test_paths_that_no_url_has_are_refused_at_once(path):
    """At registration, not with the first request."""
    with pytest.raises(EndpointError, match="not a path segment"):
        Plain().add_endpoint(path, lambda: None)


def test_a_path_is_registered_once():
    """The second registration of a path and method is a mistake; another method of it is not."""
    service = Plain()
    service.add_endpoint("x", lambda: None)
    service.add_endpoint("x", lambda: None, methods=["GET"])
    with pytest.raises(EndpointError, match=r"'/x' \(POST\) is registered already"):
        service.add_endpoint("/x", lambda: None)
    with pytest.raises(EndpointError, match="'status'"):
        service.add_endpoint("status", lambda: None)


def test_unknown_methods_and_scopes_are_refused():
    """With the ones that are known."""
    with pytest.raises(EndpointError, match="'FETCH' is not an HTTP method"):
        Plain().add_endpoint("x", lambda: None, methods=["fetch"])
    with pytest.raises(EndpointError, match="unknown scope 'private'"):
        Plain().add_endpoint("x", lambda: None, scope="private")


async def test_the_decorator_registers_like_the_method():
    """On the service's application, and with `self=None` on any."""
    service, app = Plain(), FastAPI()

    @add_endpoint(service.app, "decorated", self=service, methods=["GET"])
    def decorated():
        return {"x": 1}

    @add_endpoint(app, "/plain", self=None)
    def plain():
        return {"x": 2}

    async with client(service) as http:
        assert (await http.get("/decorated")).json() == {"x": 1}
    assert "decorated" in service.endpoints
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        assert (await http.post("/plain")).json() == {"x": 2}


@pytest.mark.parametrize(
    ("content", "content_type", "status", "words"),
    [
        (b'{"text": 1}', "application/json", 422, ["body", "text"]),
        (b"{}", "application/json", 422, ["body", "text"]),
        (b"", "application/json", 422, ["body"]),
        (b"{bad", "application/json", 400, ["not JSON", "character 1"]),
        (b"\xff", "application/json", 400, ["body"]),
        (b'{"text": "x"}', "text/plain", 415, ["text/plain", "application/json"]),
        (b'{"text": "x"}', "", 415, ["application/json"]),
        (b"x" * 101, "application/json", 413, ["100 bytes", "MAX_BODY_BYTES"]),
    ],
)
async def test_bad_input_gets_a_clear_error(content, content_type, status, words):
    """What was wrong, where, and never the value itself."""
    settings = ServiceSettings(botswain_env="development", max_body_bytes=100)
    service = Plain(settings=settings)
    service.add_endpoint("say", lambda payload: payload, TaskSchema(name="say", input_schema=Text))
    async with client(service) as http:
        answer = await http.post(
            "/say", content=content, headers={"Content-Type": content_type} if content_type else {}
        )
    assert answer.status_code == status, answer.text
    assert all(word in answer.text for word in words)


@pytest.mark.parametrize("scope", ["service", "admin"])
async def test_scopes_ask_for_tokens_in_production(scope):
    """Without one 401, with one for another service 401, with the right one through."""
    settings = ServiceSettings(botswain_env="production", service_auth_secret=SECRET)
    service = Plain(settings=settings)
    service.add_endpoint("x", lambda: {"x": 1}, scope=scope)
    async with client(service, client=("127.0.0.1", 1)) as http:
        assert (await http.post("/x")).status_code == 401
        wrong = TokenIssuer(SECRET, issuer="t", audience="other").header()
        assert (await http.post("/x", headers=wrong)).status_code == 401
        right = TokenIssuer(SECRET, issuer="t", audience="Plain").header()
        assert (await http.post("/x", headers=right)).json() == {"x": 1}


async def test_the_documented_secret_proves_nothing_to_others():
    """In development a token of the public secret opens admin endpoints on this machine only."""
    settings = ServiceSettings(botswain_env="development")
    service = Plain(settings=settings)
    service.add_endpoint("x", lambda: {"x": 1}, scope="admin")
    token = TokenIssuer("dev-secret-change-me", issuer="t", audience="Plain").header()
    async with client(service, client=("203.0.113.1", 1)) as http:
        assert (await http.post("/x", headers=token)).status_code == 403
    async with client(service, client=("127.0.0.1", 1)) as http:
        assert (await http.post("/x", headers=token)).status_code == 200
        assert (await http.post("/x")).status_code == 200


async def test_a_service_runs_under_a_server_of_somebody_elses():
    """Its lifespan starts and cleans up."""
    happened = []

    class Noted(Service):
        async def startup(self):
            happened.append("startup")

        async def shutdown_cleanup(self):
            happened.append("cleanup")

    service = Noted()
    async with service.app.router.lifespan_context(service.app):
        assert service.status is ServerStatus.AVAILABLE
    assert happened == ["startup", "cleanup"]
    assert service.status is ServerStatus.STOPPING


def test_types_compare_and_convert():
    """Statuses by either spelling; a gateway's heartbeats are objects again after JSON."""
    assert ServerStatus.Available is ServerStatus.AVAILABLE
    assert StatusOutput(status="Down") == ServerStatus.DOWN
    inner = Heartbeat(ServerStatus.AVAILABLE, "7067011f-34ef-441d-9bc5-5332d8613cb8", "x", {"y": 1})
    text = HeartbeatOutput(
        heartbeat=Heartbeat(details={"7067011f-34ef-441d-9bc5-5332d8613cb8": inner})
    ).model_dump_json()
    details = HeartbeatOutput.model_validate_json(text).heartbeat.details
    assert [type(value) for value in details.values()] == [Heartbeat]
    assert next(iter(details.values())).details == {"y": 1}


def test_clients_are_refused_where_names_collide():
    """Two endpoints of one method name, or one that hides the client's own."""

    class Collides(Service):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.add_endpoint("a.b", lambda: None)
            self.add_endpoint("a-b", lambda: None)

    class Hides(Service):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.add_endpoint("mcp_url", lambda: None)

    class Needs(Service):
        def __init__(self, model, **kwargs):
            super().__init__(**kwargs)

    with pytest.raises(ValueError, match=r"'a\.b' and 'a-b' would both be"):
        generate_connection_manager(Collides)
    with pytest.raises(ValueError, match=r"ConnectionManager\.mcp_url"):
        generate_connection_manager(Hides)
    with pytest.raises(ValueError, match="constructor can't be called"):
        generate_connection_manager(Needs)


def test_expensive_constructors_can_hold_back():
    """`live_service=False` reaches those who ask for it, and the property of those who don't."""
    seen = []

    class Asks(Service):
        def __init__(self, *, live_service=True, **kwargs):
            super().__init__(live_service=live_service, **kwargs)
            seen.append(live_service)

    class Silent(Service):
        def __init__(self):
            super().__init__()
            seen.append(self.live_service)

    generate_connection_manager(Asks)
    generate_connection_manager(Silent)
    assert seen == [False, False]


async def test_operations_are_logged_when_asked_for(caplog):
    """`autolog_kwargs` gives a line a call, with its duration."""
    service = Plain()
    service.add_endpoint("x", lambda: {"x": 1}, autolog_kwargs={"log_level": 30, "include_system_metrics": True})
    async with client(service) as http:
        await asyncio.gather(http.post("/x"), http.post("/x"))
    lines = [record.getMessage() for record in caplog.records if "operation_completed" in record.getMessage()]
    assert len(lines) == 2
    assert all("duration_ms" in line and "memory_percent" in line for line in lines)


async def test_what_is_said_of_a_service_stands_in_its_documentation():
    """Title, texts and licence; and FastAPI's own options of an endpoint."""
    service = Plain(
        summary="Says things.",
        description="At length.",
        terms_of_service="http://localhost/terms",
        license_info={"name": "Apache 2.0"},
    )
    options = {"status_code": 201, "tags": ["words"], "summary": "Say it"}
    service.add_endpoint("say", lambda: {"said": True}, api_route_kwargs=options)
    async with client(service) as http:
        assert (await http.post("/say")).status_code == 201
        assert (await http.get("/docs")).status_code == 200
        document = (await http.get("/openapi.json")).json()
    about = document["info"]
    assert about["title"] == "Plain"
    assert (about["summary"], about["description"]) == ("Says things.", "At length.")
    assert (about["termsOfService"], about["license"]) == ("http://localhost/terms", {"name": "Apache 2.0"})
    said = document["paths"]["/say"]["post"]
    assert (said["tags"], said["summary"], "201" in said["responses"]) == (["words"], "Say it", True)


def test_urls_of_other_libraries_are_taken():
    """Whoever has a URL object of urllib3 need not take it apart."""
    from urllib3.util import parse_url

    assert str(Plain.build_url(url=parse_url("http://h:1/x"))) == "http://h:1/x/"
    assert str(generate_connection_manager(Plain)(parse_url("http://h:1")).url) == "http://h:1/"


def test_a_schema_class_stands_for_its_instance():
    """`TaskSchema` subclasses that say all of themselves, as the default endpoints' do."""
    service = Plain()
    service.add_endpoint("again", lambda: {"endpoints": []}, schema=EndpointsSchema)
    assert service.endpoints["again"] == EndpointsSchema()
    assert service.endpoints["again"].output_schema is service.endpoints["endpoints"].output_schema
