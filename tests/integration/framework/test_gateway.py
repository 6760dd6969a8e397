"""The gateway: what goes through it, what doesn't, and what it knows of those behind it."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading

import aiohttp
import pytest
import uvicorn
from botswain_services import Gateway, ProxyConnectionManager, ServiceCallError, lifecycle
from botswain_services.gateway import GatewaySettings
from botswain_services.lifecycle import bind
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from launchables import Calculator, Total

SECRET = "a-secret-of-at-least-thirty-two-bytes"


async def wait_until(condition, seconds=20.0):
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is in other hands
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def served(service):
    """A service in this process, until the block ends."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(lifecycle.serve(service, stop=stop, on_ready=ready.set))
    await asyncio.wait({task, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield service
    finally:
        stop.set()
        await task


def backend() -> FastAPI:
    """An application that knows nothing of this framework."""
    app = FastAPI()
    app.state.gone = asyncio.Event()

    @app.api_route("/mirror/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def mirror(request: Request, rest: str):
        body = await request.body()
        response = Response(
            json.dumps(
                {
                    "method": request.method,
                    "raw_path": request.scope["raw_path"].decode(),
                    "query": request.url.query,
                    "headers": {key: request.headers.getlist(key) for key in request.headers},
                    "body": body.decode("latin-1"),
                }
            ),
            headers={"X-Kind": "mirror"},
        )
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    @app.get("/slow")
    async def slow():
        await asyncio.Event().wait()

    @app.get("/stream")
    async def stream():
        async def parts():
            try:
                for number in range(1000):
                    yield f"data: {number}\n\n"
                    await asyncio.sleep(0.01)
            finally:
                app.state.gone.set()

        return StreamingResponse(parts(), media_type="text/event-stream")

    @app.get("/large")
    async def large():
        return Response(b"x" * 3_000_000, media_type="application/octet-stream")

    @app.get("/moved")
    async def moved():
        return Response(status_code=307, headers={"Location": "http://169.254.169.254/"})

    @app.websocket("/chat")
    async def chat(websocket: WebSocket):
        await websocket.accept(subprotocol="v1")
        async for text in websocket.iter_text():
            if text == "bye":
                await websocket.close(code=4001)
                return
            await websocket.send_text(text.upper())

    return app


@pytest.fixture
async def app():
    return backend()


@pytest.fixture
async def upstream(app):
    """Where the application runs."""
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    server.capture_signals = contextlib.nullcontext
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await task
    listener.close()


@pytest.fixture
async def gateway(upstream):
    """A gateway that serves the application as `app`."""
    settings = GatewaySettings(
        botswain_env="development",
        gateway_check_seconds=0.05,
        gateway_forget_seconds=0.3,
        gateway_upstream_timeout_seconds=0.5,
        shutdown_grace_seconds=2,
    )
    async with served(Gateway(settings=settings, host="127.0.0.1", port=0)) as running:
        await register(running, "app", upstream)
        yield running


@pytest.fixture
async def http(gateway):
    async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.port}") as session:
        yield session


async def register(gateway, name, url, **options):
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{gateway.port}/register_app", json={"name": name, "url": url}, **options
        ) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_everything_of_a_request_goes_through(http, method):
    """Method, encoded path, query, headers, cookies and bodies of any type arrive as they were sent."""
    body = bytes(range(256)) if method != "GET" else None
    async with http.request(
        method,
        "/app/mirror/a%2Fb%20c?x=1&x=%26",
        data=body,
        headers={"Cookie": "k=v", "X-Own": "yes", "Authorization": "Bearer t"},
    ) as answer:
        seen = await answer.json(content_type=None)
        assert answer.headers["X-Kind"] == "mirror"
        assert sorted(answer.cookies) == ["a", "b"]
    assert seen["method"] == method
    assert seen["raw_path"] == "/mirror/a%2Fb%20c"
    assert seen["query"] == "x=1&x=%26"
    assert seen["headers"]["x-own"] == ["yes"]
    assert seen["headers"]["cookie"] == ["k=v"]
    assert seen["headers"]["authorization"] == ["Bearer t"]
    assert seen["headers"]["x-forwarded-prefix"] == ["/app"]
    assert seen["headers"]["x-request-id"] == [answer.headers["X-Request-ID"]]
    assert seen["body"].encode("latin-1") == (body or b"")


async def test_large_bodies_stream_through_both_ways(http):
    """Neither way is limited by what fits into one message."""
    data = b"y" * 1_000_000

    async def parts():
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    async with http.post("/app/mirror/", data=parts()) as answer:
        assert len((await answer.json(content_type=None))["body"]) == len(data)
    async with http.get("/app/large") as answer:
        assert len(await answer.read()) == 3_000_000


async def test_streams_are_not_held_back_and_end_with_their_reader(http, app):
    """The first event comes before the last is made; when the reader goes, the application is told."""
    async with http.get("/app/stream") as answer:
        assert await answer.content.readline() == b"data: 0\n"
    await asyncio.wait_for(app.state.gone.wait(), 10)


async def test_websockets_go_through(http):
    """Messages, subprotocol and close code pass in both directions."""
    async with http.ws_connect("/app/chat", protocols=("v1",)) as socket:
        assert socket.protocol == "v1"
        await socket.send_str("hello")
        assert await socket.receive_str() == "HELLO"
        await socket.send_str("bye")
        message = await socket.receive()
        assert (message.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 4001)


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/app/slow", 504, "app did not begin to answer within 0.5 s"),
        ("/nobody/x", 404, "Not Found"),
        ("/app/%2e%2e/x", 400, "leads out of the application"),
        ("/gone/x", 502, "gone can't be reached"),
    ],
)
async def test_failures_say_what_failed(gateway, http, path, status, reason):
    """502, 504, 404 and 400, each with its reason."""
    if path.startswith("/gone"):
        gateway._watch._task.cancel()
        await register(gateway, "gone", "http://127.0.0.1:9")
    async with http.get(aiohttp.client.URL(path, encoded=True)) as answer:
        assert answer.status == status
        assert reason in (await answer.json())["detail"]


async def test_redirects_are_for_the_client_to_follow(http):
    """The gateway goes nowhere an application points to."""
    async with http.get("/app/moved", allow_redirects=False) as answer:
        assert answer.status == 307


async def test_dead_applications_are_refused_then_forgotten(gateway, http):
    """503 while health checks fail; after a while nobody knows them."""
    await register(gateway, "dead", "http://127.0.0.1:9")
    await wait_until(lambda: gateway._watch.is_dead("dead", "http://127.0.0.1:9/"))
    async with http.get("/dead/x") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
    await wait_until(lambda: not gateway.knows("dead"))
    async with http.get("/dead/x") as answer:
        assert answer.status == 404
    assert gateway.knows("app")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest", "never forwarded to"),
        ("http://[fd00:ec2::254]/", "never forwarded to"),
        ("http://[::ffff:169.254.169.254]/", "never forwarded to"),
        ("http://metadata.google.internal/", "never forwarded to"),
        ("http://0.0.0.0:80/", "never forwarded to"),
        ("http://example.com/", "GATEWAY_ALLOWED_HOSTS"),
        ("file:///etc/passwd", "http"),
        ("gopher://localhost/", "http"),
        ("http://user:hunter2@localhost/", "user name or password"),
        ("http://localhost:99999/", "not a URL"),
    ],
)
async def test_urls_that_are_not_allowed_are_refused(gateway, url, reason):
    """Only http and https, only allowed hosts, never a metadata service; and no password is repeated."""
    status, text = await register(gateway, "other", url)
    assert status == 422
    assert reason in text
    assert "hunter2" not in text


@pytest.mark.parametrize("name", ["docs", "register_app", "status", "openapi.json", "mcp-server", "a/b", "", "../x"])
async def test_names_that_would_hide_the_gateway_are_refused(gateway, upstream, name):
    """An application never takes the place of the gateway's own paths."""
    status, _ = await register(gateway, name, upstream)
    assert status == 422


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-Host": "evil.example"},
    ],
)
async def test_registering_is_for_this_machine_even_in_development(gateway, upstream, headers):
    """A web page, a rebound name or somebody behind a proxy is not the person at this machine."""
    status, _ = await register(gateway, "other", upstream, headers=headers)
    assert status == 401


async def test_registering_asks_for_a_token_in_production(upstream):
    """Nobody anonymous changes anything outside development."""
    settings = GatewaySettings(botswain_env="production", service_auth_secret=SECRET)
    async with served(Gateway(settings=settings, host="127.0.0.1", port=0)) as running:
        assert (await register(running, "other", upstream))[0] == 401
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{running.port}/shutdown") as answer,
        ):
            assert answer.status == 401


async def test_services_register_themselves(gateway, environment):
    """A service that knows its gateway appears there at start, with its heartbeat, and goes at its end."""
    environment.setenv("API_GATEWAY_URL", f"http://127.0.0.1:{gateway.port}")
    service = Calculator(host="127.0.0.1", port=0)
    async with served(service):
        await wait_until(lambda: gateway.knows("Calculator"))
        client = Gateway.connect
        manager = await asyncio.to_thread(client, f"http://127.0.0.1:{gateway.port}")
        heartbeat = (await manager.aheartbeat()).heartbeat
        assert heartbeat.details[service.id].server_id == service.id
    assert not gateway.knows("Calculator")


async def test_clients_reach_services_through_the_gateway(gateway):
    """A proxy client has the methods of the service's own client, and its errors."""
    async with served(Calculator(host="127.0.0.1", port=0)) as service:
        own = await asyncio.to_thread(Calculator.connect, f"http://127.0.0.1:{service.port}")
        manager = await asyncio.to_thread(Gateway.connect, f"http://127.0.0.1:{gateway.port}")
        await manager.aregister_app(name="calculator", url=str(own.url), connection_manager=own)
        assert manager.registered_apps == ["calculator"]
        assert await manager.calculator.aadd(a=1, b=2) == Total(total=3)
        assert await asyncio.to_thread(manager.calculator.add, a=1) == Total(total=2)
        proxy = ProxyConnectionManager(f"http://127.0.0.1:{gateway.port}", "calculator", own)
        assert (await proxy.aguarded()) == {"secret": 42}
        with pytest.raises(ServiceCallError) as caught:
            await proxy.aadd(a=1, b=-1, validate_input=False)
        assert caught.value.status_code == 422
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{gateway.port}/calculator/docs") as answer,
        ):
            assert "/calculator/openapi.json" in await answer.text()


def test_every_worker_knows_every_registration(launch, environment):
    """What one worker was told, all know, with the next request."""
    environment.setenv("SERVICE_AUTH_SECRET", SECRET)
    gateway = launch(Gateway, num_workers=2)
    gateway.register_app(name="there", url="http://127.0.0.1:9")
    seen = []

    def ask():
        import http.client

        for _ in range(5):
            connection = http.client.HTTPConnection(gateway.url.host, gateway.url.port)
            connection.request("GET", "/apps")
            seen.append(json.loads(connection.getresponse().read())["apps"])
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [["there"]] * 20


def test_the_gateway_command_serves_until_a_signal(environment):
    """`python -m botswain_services.gateway`: ready in its log, exit code 0."""
    environment.setenv("BOTSWAIN_ENV", "development")
    environment.setenv("HTTP_PORT", "0")
    command = [sys.executable, "-m", "botswain_services.gateway"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        line = json.loads(process.stderr.readline())
        process.terminate()
        process.communicate(timeout=20)
    assert (line["event"], line["service"], process.returncode) == ("service_ready", "gateway", 0)
