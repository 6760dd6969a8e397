"""`RequestLoggingMiddleware`: ids, envelope, traces, and that it stands in nobody's way."""

import asyncio

import pytest
from botswain_services.middleware import QUIET_PATHS, RequestLoggingMiddleware
from botswain_services.tracing import current_traceparent


class Lines:
    """A logger that keeps what it is told."""

    def __init__(self):
        self.seen = []

    def info(self, event, **fields):
        self.seen.append((event, fields))

    exception = info


def scope_of(path="/x", headers=()):
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [(key.lower().encode(), value.encode()) for key, value in headers],
        "client": ("127.0.0.1", 1),
    }


async def receive():
    return {"type": "http.request", "body": b"", "more_body": False}


async def ok(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def call(app, scope, **options):
    """(messages that were sent, lines that were logged)."""
    lines, sent = Lines(), []

    async def send(message):
        sent.append(message)

    await RequestLoggingMiddleware(app, "test", logger=lines, **options)(scope, receive, send)
    return sent, lines.seen


async def test_one_envelope_a_request():
    """Start and end, with what finds and measures the request."""
    sent, lines = await call(ok, scope_of(headers=[("User-Agent", "tests")]))
    (first, about), (last, result) = lines
    assert (first, last) == ("request_started", "request_completed")
    assert about == {
        "service_name": "test", "method": "GET", "path": "/x", "client_ip": "127.0.0.1", "user_agent": "tests",
    }  # fmt: skip
    assert (result["status_code"], result["content_length"]) == (200, "2")
    assert result["duration_ms"] >= 0
    assert sent[1]["body"] == b"ok"


@pytest.mark.parametrize("given", ["abc-123", "", "has space", "x" * 129, "new\nline"])
async def test_request_ids_are_honoured_when_they_are_harmless(given):
    """A good id is kept; any other, or none, gets a new one. It is returned, and known to the application."""
    scope = scope_of(headers=[("X-Request-ID", given)] if given else [])
    sent, _ = await call(ok, scope)
    headers = dict(sent[0]["headers"])
    returned = headers[b"x-request-id"].decode()
    assert (returned == given) == (given == "abc-123")
    assert scope["state"]["request_id"] == returned


async def test_the_header_can_be_left_out():
    """`add_request_id_header=False`."""
    sent, _ = await call(ok, scope_of(), add_request_id_header=False)
    assert b"x-request-id" not in dict(sent[0]["headers"])


@pytest.mark.parametrize("path", sorted(QUIET_PATHS))
async def test_probes_are_quiet(path):
    """What is asked all the time fills no log."""
    _, lines = await call(ok, scope_of(path))
    assert lines == []


@pytest.mark.parametrize(("status", "logged"), [(500, ["request_completed"]), (503, [])])
async def test_a_probe_that_breaks_is_not_quiet(status, logged):
    """A 500 leaves a line; a 503 is the probe's ordinary answer, and its reasons are logged when they change."""

    async def broken(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    _, lines = await call(broken, scope_of("/ready"))
    assert [event for event, _ in lines] == logged


async def test_the_callers_trace_is_joined():
    """What is called from here belongs to the caller's trace."""
    seen = []

    async def app(scope, receive, send):
        seen.append(current_traceparent())
        await ok(scope, receive, send)

    trace = "0af7651916cd43dd8448eb211c80319c"
    await call(app, scope_of(headers=[("traceparent", f"00-{trace}-b7ad6b7169203331-01")]))
    assert seen[0].split("-")[1] == trace


async def test_streams_are_not_held_back():
    """Each part is sent on before the next is made."""
    gate, sent = asyncio.Event(), []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"2"})

    async def send(message):
        sent.append(message)
        if message.get("body") == b"1":
            gate.set()

    await RequestLoggingMiddleware(app, "test", logger=Lines())(scope_of(), receive, send)
    assert [message.get("body") for message in sent] == [None, b"1", b"2"]


async def test_an_error_is_logged_and_answered_without_its_words():
    """500 with the request id; what went wrong is in the log."""

    async def app(scope, receive, send):
        raise RuntimeError("hunter2")

    sent, lines = await call(app, scope_of())
    assert sent[0]["status"] == 500
    assert b"hunter2" not in sent[1]["body"]
    assert dict(sent[0]["headers"])[b"x-request-id"] in sent[1]["body"]
    assert lines[-1][0] == "request_failed"
    assert lines[-1][1]["error_type"] == "RuntimeError"


async def test_an_error_after_the_answer_began_is_raised():
    """Only the server can break off what is half out."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("late")

    with pytest.raises(RuntimeError, match="late"):
        await call(app, scope_of())


async def test_of_two_one_works():
    """A service's own and one its author added make one envelope, of the outer's options."""
    inner = RequestLoggingMiddleware(ok, "inner", logger=Lines())
    _, lines = await call(inner, scope_of())
    assert [fields["service_name"] for _, fields in lines] == ["test", "test"]
    assert inner.logger.seen == []


async def test_process_figures_can_be_added():
    """`log_metrics` adds the ones that were asked for; unknown ones are refused at once."""
    _, lines = await call(ok, scope_of(), log_metrics=True, metrics_to_collect=["memory_percent"], metrics_interval=10)
    assert list(lines[-1][1]["metrics"]) == ["memory_percent"]
    with pytest.raises(ValueError, match="luck"):
        RequestLoggingMiddleware(ok, "x", log_metrics=True, metrics_to_collect=["luck"])
