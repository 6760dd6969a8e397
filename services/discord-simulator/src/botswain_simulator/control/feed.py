"""GET /sim/events: what happens, live, as Server-Sent Events.

The last events are kept in one ring that all listeners read from, each at its own pace; whoever falls out of it is told
to start over (`resync`). Events are numbered from the time of the start, so that a number from before a restart is
never taken for one after it.
"""

import asyncio
from collections import deque
from itertools import islice

import orjson
from aiohttp import ClientConnectionResetError, web

from botswain_simulator.control.views import Render, page_events
from botswain_simulator.world import Event, World

KEPT = 1000
KEEP_ALIVE_S = 15.0


class Feed:
    """The ring and its listeners."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ring: deque[tuple[str, Render]] = deque(maxlen=KEPT)
        self._next = int(world.clock() * 1000)
        self._listeners: set[asyncio.Event] = set()
        self._closed = False
        self._unsubscribe = world.subscribe(self._on_event)

    def close(self) -> None:
        """End every stream."""
        self._unsubscribe()
        self._closed = True
        self._wake()

    def resync(self) -> None:
        """Tell every listener to start over."""
        self._ring.clear()
        self._next += KEPT + 1
        self._wake()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Serve one listener until it goes or the simulator ends."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        wake = asyncio.Event()
        self._listeners.add(wake)
        try:
            seen, first = self._start(request.headers.get("Last-Event-ID") or request.query.get("last_event_id"))
            await response.write(b"retry: 1000\n: connected\n\n" + first)
            while not self._closed:
                wake.clear()
                chunk, seen = self._after(seen)
                if chunk:
                    await response.write(chunk)
                    continue
                try:
                    await asyncio.wait_for(wake.wait(), KEEP_ALIVE_S)
                except TimeoutError:
                    await response.write(b": still here\n\n")
        except (ClientConnectionResetError, ConnectionResetError):
            pass
        finally:
            self._listeners.discard(wake)
        return response

    def _start(self, last_id: str | None) -> tuple[int, bytes]:
        """Where a listener begins, and what it is told first."""
        newest = self._next - 1
        if last_id is None:
            return newest, b""
        seen = int(last_id) if last_id.isdecimal() and len(last_id) < 20 else -1
        if newest - len(self._ring) <= seen <= newest:
            return seen, b""
        return newest, _resync(newest)

    def _after(self, seen: int) -> tuple[bytes, int]:
        """The events after a number, and the number of the last of them."""
        newest = self._next - 1
        missed = newest - seen
        if missed > len(self._ring):
            return _resync(newest), newest
        if missed == 0:
            return b"", seen
        fresh = islice(self._ring, len(self._ring) - missed, None)
        lines = [
            b"event: %s\ndata: %s\nid: %d\n\n" % (name.encode(), orjson.dumps(render()), number)
            for number, (name, render) in enumerate(fresh, start=seen + 1)
        ]
        return b"".join(lines), newest

    def _on_event(self, event: Event) -> None:
        for item in page_events(self._world, event):
            self._ring.append(item)
            self._next += 1
        self._wake()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.set()


def _resync(number: int) -> bytes:
    return b"event: resync\ndata: {}\nid: %d\n\n" % number
