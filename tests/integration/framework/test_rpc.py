"""gRPC between services: who gets in, what travels along, how it ends. All four kinds of call."""

import asyncio

import grpc
import pytest
from botswain_services import tracing
from botswain_services.auth import TokenIssuer, TokenVerifier
from botswain_services.errors import StartupError
from botswain_services.logs import bound
from botswain_services.rpc import RpcServer, caller, connect, remaining
from botswain_services.rpc import server as server_module
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.contextvars import get_contextvars

SECRET = "a-secret-of-at-least-thirty-two-bytes"
KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]


class Echo:
    """All four kinds of call; each answers with what it saw."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.entered = asyncio.Event()

    def seen(self, request: bytes) -> bytes:
        return b"|".join([request, caller().issuer.encode(), str(get_contextvars().get("correlation_id")).encode()])

    async def unary_unary(self, request, _context):
        if request == b"wait":
            self.entered.set()
            await self.release.wait()
        if request == b"left":
            return str(remaining() is not None and 5 < remaining() < 11).encode()  # gRPC rounds a deadline up
        if request == b"id":
            return get_contextvars()["request_id"].encode()
        if request == b"trace":
            return tracing.current_traceparent().encode()
        if request == b"fail":
            await _context.abort(grpc.StatusCode.NOT_FOUND, "nothing")
        return self.seen(request)

    async def unary_stream(self, request, _context):
        yield self.seen(request)
        yield self.seen(request)

    async def stream_unary(self, requests, _context):
        return self.seen(b"".join([item async for item in requests]))

    async def stream_stream(self, requests, _context):
        async for item in requests:
            yield self.seen(item)


def add_echo(servicer, server) -> None:
    handlers = {
        "unary_unary": grpc.unary_unary_rpc_method_handler(servicer.unary_unary),
        "unary_stream": grpc.unary_stream_rpc_method_handler(servicer.unary_stream),
        "stream_unary": grpc.stream_unary_rpc_method_handler(servicer.stream_unary),
        "stream_stream": grpc.stream_stream_rpc_method_handler(servicer.stream_stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))


@pytest.fixture
async def echo():
    return Echo()


@pytest.fixture
async def server(echo):
    running = RpcServer("127.0.0.1", 0, TokenVerifier(SECRET, audience="echo"))
    running.add_servicer("test.Echo", add_echo, echo)
    await running.start()
    yield running
    await running.drain(0.5)


def peer_of(server, *, secret=SECRET, audience="echo"):
    tokens = TokenIssuer(secret, issuer="tester", audience=audience)
    return connect(f"grpc://127.0.0.1:{server.port}", tokens, variable="ECHO_URL")


async def requests():
    for item in (b"a", b"b"):
        yield item


async def call(peer, kind, metadata):
    method = getattr(peer.channel, kind)(f"/test.Echo/{kind}")
    argument = requests() if kind.startswith("stream") else b"ab"
    answer = method(argument, metadata=metadata, timeout=10)
    if kind.endswith("_stream"):
        return [item async for item in answer]
    return [await answer]


async def refused_call(peer, kind, metadata):
    """A call that sends nothing on a stream: what is sent meets the refusal half-way, and then gRPC reports the broken send."""
    method = getattr(peer.channel, kind)(f"/test.Echo/{kind}")
    answer = method(*(() if kind.startswith("stream") else (b"ab",)), metadata=metadata, timeout=10)
    await (answer.read() if kind.endswith("_stream") else answer)


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_carry_caller_and_correlation_id(server, kind):
    """Every kind of call knows who called and on behalf of what."""
    peer = peer_of(server)
    with bound(correlation_id="c-1"):
        answers = await call(peer, kind, peer.metadata())
    await peer.close()
    assert answers
    assert all(answer.endswith(b"|tester|c-1") for answer in answers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("credentials", ["none", "wrong secret", "wrong audience"])
async def test_calls_without_a_valid_token_are_refused(server, kind, credentials):
    """No kind of call slips past the guard."""
    peer = peer_of(
        server,
        secret="another-secret-of-thirty-two-bytes-or-so" if credentials == "wrong secret" else SECRET,
        audience="elsewhere" if credentials == "wrong audience" else "echo",
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await refused_call(peer, kind, () if credentials == "none" else peer.metadata())
    await peer.close()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_health_answers_without_a_token(server):
    """Kubernetes' probe has no token."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="test.Echo"))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_draining_lets_calls_finish_and_refuses_new_ones(server, echo):
    """What is under way ends well; what comes later is refused at once."""
    peer = peer_of(server)
    method = peer.channel.unary_unary("/test.Echo/unary_unary")
    under_way = asyncio.ensure_future(method(b"wait", metadata=peer.metadata(), timeout=10))
    await asyncio.wait_for(echo.entered.wait(), 10)
    draining = asyncio.create_task(server.drain(10))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while True:
            await method(b"new", metadata=peer.metadata(), timeout=10)
    # CANCELLED where the call came in at the very moment.
    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    echo.release.set()
    assert (await under_way).startswith(b"wait|")
    await draining
    await peer.close()


async def test_a_taken_port_is_an_error(server):
    """A second process never shares a port in silence."""
    second = RpcServer("127.0.0.1", server.port, TokenVerifier(SECRET, audience="echo"))
    with pytest.raises(StartupError, match=str(server.port)):
        await second.start()


async def test_a_call_knows_its_deadline_and_request(server):
    """What it may hand on to the calls that it makes itself."""
    peer = peer_of(server)
    method = peer.channel.unary_unary("/test.Echo/unary_unary")
    assert await method(b"left", metadata=peer.metadata(), timeout=10) == b"True"
    with bound(request_id="r-1"):
        assert await method(b"id", metadata=peer.metadata(), timeout=10) == b"r-1"
    assert len(await method(b"id", metadata=peer.metadata(), timeout=10)) == 32
    await peer.close()
    assert remaining() is None


async def test_a_call_without_a_deadline_gets_one(server, monkeypatch):
    """A caller that would wait for ever is not waited for."""
    monkeypatch.setattr(server_module, "LONGEST_CALL", 0.05)
    peer = peer_of(server)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await peer.channel.unary_unary("/test.Echo/unary_unary")(b"wait", metadata=peer.metadata())
    await peer.close()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_calls_are_counted_by_method_and_code(server):
    """Answers and errors, each under its name."""
    from botswain_services.metrics import RPC_CALLS

    def count(code):
        return RPC_CALLS.labels("/test.Echo/unary_unary", code)._value.get()

    before = count("OK"), count("NOT_FOUND")
    peer = peer_of(server)
    method = peer.channel.unary_unary("/test.Echo/unary_unary")
    await method(b"x", metadata=peer.metadata(), timeout=10)
    with pytest.raises(grpc.aio.AioRpcError):
        await method(b"fail", metadata=peer.metadata(), timeout=10)
    await peer.close()
    assert (count("OK"), count("NOT_FOUND")) == (before[0] + 1, before[1] + 1)


async def test_a_call_belongs_to_its_callers_trace(server):
    """The trace goes on, in a span of the called side where that makes spans."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    peer = peer_of(server)
    metadata = peer.metadata(traceparent=f"00-{trace}-b7ad6b7169203331-01")
    seen = await peer.channel.unary_unary("/test.Echo/unary_unary")(b"trace", metadata=metadata, timeout=10)
    await peer.close()
    assert seen.split(b"-")[1] == trace.encode()


@pytest.mark.parametrize("wanted", [False, True])
async def test_reflection_is_served_when_it_is_set(echo, wanted):
    """Without a token, as tools for people ask; not at all otherwise."""
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    async def ask():
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    running = RpcServer("127.0.0.1", 0, TokenVerifier(SECRET, audience="echo"), reflection=wanted)
    running.add_servicer("test.Echo", add_echo, echo)
    await running.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(ask(), timeout=10)
            if wanted:
                answer = await call.read()
                assert "test.Echo" in [one.name for one in answer.list_services_response.service]
            else:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call.read()
                assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await running.drain(0.5)
