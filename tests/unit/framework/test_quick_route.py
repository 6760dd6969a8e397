"""The short way answers as the long one does, whatever comes."""

import json

import httpx
import pytest
from botswain_services import problems
from botswain_services.quick_route import QuickRoute
from fastapi import FastAPI, HTTPException, Response
from fastapi.exceptions import ResponseValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field


class Order(BaseModel):
    name: str = Field(alias="orderName", max_length=5)
    count: int = 1
    parts: list[float] = []


class Receipt(BaseModel):
    total: int = Field(serialization_alias="grandTotal")


class Row:
    """An answer by its attributes."""

    total = 7


async def order(payload: Order):
    """Answers of every kind, by what was ordered."""
    answers = {
        "model": Receipt(total=payload.count),
        "dict": {"total": payload.count},
        "row": Row(),
        "plain": Response("as it is", status_code=203),
        "wrong": {"sum": 1},
    }
    if payload.name == "none":
        raise HTTPException(404, "no such order", headers={"X-Why": "none"})
    return answers.get(payload.name, Receipt(total=0))


def application(route_class=None):
    app = FastAPI()
    if route_class is not None:
        app.router.route_class = route_class
    problems.add_handlers(app)
    app.add_api_route("/order", order, methods=["POST"], response_model=Receipt)
    return app


QUICK, USUAL = application(QuickRoute), application()


async def ask(app, parts, content_type):
    """(status, headers, body) of the answer to a body that comes in parts."""

    async def body():
        for part in parts:
            yield part

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        headers = {"Content-Type": content_type} if content_type else {}
        answer = await http.post("/order", content=body(), headers=headers)
        return answer.status_code, sorted(answer.headers.items()), answer.content


names = st.sampled_from(["model", "dict", "row", "plain", "none", "too long", "other", 1, None])
orders = st.fixed_dictionaries(
    {"orderName": names}, optional={"count": st.integers() | st.text(), "parts": st.lists(st.floats())}
)
bodies = st.one_of(orders.map(json.dumps).map(str.encode), st.binary(max_size=20), st.just(b""))


@given(
    bodies,
    st.integers(0, 30),
    st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain", ""]),
)
async def test_both_ways_answer_the_same(body, cut, content_type):
    """Status, headers and body, for bodies that fit and others, in one part or two."""
    parts = [body[:cut], body[cut:]]
    assert await ask(QUICK, parts, content_type) == await ask(USUAL, parts, content_type)


async def test_an_answer_that_does_not_fit_is_the_services_failure():
    """The same error, for whoever handles it."""
    for app in (QUICK, USUAL):
        with pytest.raises(ResponseValidationError):
            await ask(app, [b'{"orderName": "wrong"}'], "application/json")


async def test_a_client_that_leaves_half_way_is_noticed():
    """What came of its body is no order."""
    messages = [{"type": "http.request", "body": b'{"orderName"', "more_body": True}, {"type": "http.disconnect"}]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/order",
        "raw_path": b"/order",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"content-type", b"application/json")],
    }
    answers = []
    for app in (QUICK, USUAL):
        waiting, sent = list(messages), []

        async def receive(waiting=waiting):
            return waiting.pop(0)

        async def send(message, sent=sent):
            sent.append(message)

        await app(dict(scope), receive, send)
        answers.append(sent)
    assert answers[0] == answers[1]
    assert answers[0][0]["status"] == 400


def test_the_short_way_is_taken():
    """By the one and not by the other, else nothing is compared."""
    ways = [next(route for route in app.routes if route.path == "/order").app.__qualname__ for app in (QUICK, USUAL)]
    assert ["_quick" in way for way in ways] == [True, False]
