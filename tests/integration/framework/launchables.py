"""Services that tests launch."""

import os
import threading
from pathlib import Path
from typing import Annotated

from botswain_services import ConnectionManager, Service, StartupError, TaskSchema, register_connection_manager
from botswain_services.utils import add_endpoint
from fastapi import Request
from pydantic import BaseModel, Field


class Numbers(BaseModel):
    a: int
    b: Annotated[int, Field(ge=0)] = 1


class Total(BaseModel):
    total: int


class Words(BaseModel):
    words: list[str] = []
    loud: bool = False


class Calculator(Service):
    """Endpoints of every kind."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        numbers = TaskSchema(name="add", input_schema=Numbers, output_schema=Total)
        self.add_endpoint("add", self.add, numbers, as_tool=True)
        self.add_endpoint("add.later", self.add_later, numbers)
        self.add_endpoint("add-by-get", self.add, numbers, methods=["GET"])
        self.add_endpoint("loose", self.loose)
        self.add_endpoint("items/{item_id}", self.item, methods=["GET", "PUT"])
        self.add_endpoint("join", self.join, TaskSchema(name="join", input_schema=Words), methods=["GET"])
        self.add_endpoint("broken", self.broken)
        self.add_endpoint("wrong", self.wrong, TaskSchema(name="wrong", output_schema=Total))
        self.add_endpoint("guarded", self.guarded, scope="service", as_tool=True)
        self.add_endpoint("whoami", self.whoami)
        self.add_endpoint("sleep", self.sleep)
        self.add_endpoint("empty", self.empty)
        self.released = threading.Event()

        @add_endpoint(self.app, "/decorated", self=self)
        def decorated():
            return {"decorated": True}

    def add(self, payload: Numbers) -> Total:
        """Add two numbers."""
        return Total(total=payload.a + payload.b)

    async def add_later(self, payload: Numbers) -> Total:
        return Total(total=payload.a + payload.b)

    def loose(self, first, second=2):
        return {"first": first, "second": second}

    def item(self, item_id: int):
        return {"item": item_id}

    def join(self, payload: Words):
        text = " ".join(payload.words)
        return {"text": text.upper() if payload.loud else text}

    def broken(self):
        raise RuntimeError("hunter2")

    def wrong(self):
        return {"total": 1, "more": 2}

    def guarded(self):
        """Only for who may."""
        return {"secret": 42}

    def whoami(self, request: Request):
        return {"request_id": request.state.request_id, "pid": os.getpid()}

    async def sleep(self, seconds):
        import asyncio

        await asyncio.sleep(seconds)
        return {"slept": seconds}

    def empty(self):
        from fastapi import Response

        return Response(status_code=204)


class Leaves(Service):
    """Writes down how it ends."""

    def __init__(self, *, notes: str, secret: str = "", **kwargs):
        super().__init__(**kwargs)
        self.notes = Path(notes)
        self.add_endpoint("length", lambda: {"length": len(secret)})

    async def shutdown_cleanup(self):
        with self.notes.open("a") as file:
            file.write(f"cleaned {os.getpid()}\n")


class FailsToStart(Service):
    """Its start-up fails in a way that it explains."""

    async def startup(self):
        raise StartupError("the database at db:5432 does not answer")


class FailsToBuild(Service):
    """Its constructor fails in a way that nobody thought of."""

    def __init__(self, *, live_service=True, **kwargs):
        super().__init__(live_service=live_service, **kwargs)
        if live_service:
            raise KeyError("model")


class NeverReady(Service):
    """Its start-up takes for ever."""

    async def startup(self):
        import asyncio

        await asyncio.Event().wait()


class Bare(Service):
    """A constructor that hands nothing on."""

    def __init__(self):
        super().__init__()
        self.add_endpoint("hello", lambda: {"hello": "world"})


class OwnManager(ConnectionManager):
    def __init__(self, url):
        super().__init__(url)

    def twice(self, x):
        return 2 * x


@register_connection_manager(OwnManager)
class WithOwnManager(Service):
    """Has a hand-written client."""
