"""The control API under /sim/: routes, its own errors, and the guard against other sites' pages."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from botswain_simulator.control import actions, building, chat
from botswain_simulator.control.feed import Feed
from botswain_simulator.control.requests import ControlRequest
from botswain_simulator.errors import UnknownObjectError, WorldError
from botswain_simulator.faults import GATEWAY_ACTIONS, ONE_SHOT, Faults, make
from botswain_simulator.gateway import Hub
from botswain_simulator.models import Interaction
from botswain_simulator.rest import bodies
from botswain_simulator.rest.errors import ApiError
from botswain_simulator.stats import Stats
from botswain_simulator.world import World
from botswain_simulator.world.interactions import FIRST_ANSWER_S

log = logging.getLogger(__name__)

Handler = Callable[[ControlRequest], Any]
_MAX_WAIT_S = 10.0

ROUTES: dict[str, Handler] = {
    "GET /sim/state": building.get_state,
    "POST /sim/users": building.add_user,
    "GET /sim/bots": building.list_bots,
    "POST /sim/bots": building.add_bot,
    "POST /sim/guilds": building.add_guild,
    "DELETE /sim/guilds/{guild_id}": building.delete_guild,
    "POST /sim/guilds/{guild_id}/channels": building.add_channel,
    "POST /sim/guilds/{guild_id}/members": building.add_member,
    "DELETE /sim/guilds/{guild_id}/members/{user_id}": building.remove_member,
    "POST /sim/guilds/{guild_id}/roles": building.add_role,
    "POST /sim/guilds/{guild_id}/emojis": building.add_emoji,
    "DELETE /sim/channels/{channel_id}": building.delete_channel,
    "GET /sim/channels/{channel_id}/messages": chat.list_messages,
    "POST /sim/channels/{channel_id}/messages": chat.post_message,
    "GET /sim/channels/{channel_id}/messages/{message_id}": chat.get_message,
    "PATCH /sim/channels/{channel_id}/messages/{message_id}": chat.edit_message,
    "DELETE /sim/channels/{channel_id}/messages/{message_id}": chat.delete_message,
    "PUT /sim/channels/{channel_id}/messages/{message_id}/reactions/{emoji}": chat.add_reaction,
    "DELETE /sim/channels/{channel_id}/messages/{message_id}/reactions/{emoji}": chat.remove_reaction,
    "POST /sim/channels/{channel_id}/typing": chat.start_typing,
    "POST /sim/channels/{channel_id}/threads": chat.open_thread,
    "POST /sim/dms": chat.open_direct,
    "GET /sim/commands": chat.list_commands,
    "GET /sim/interactions/{interaction_id}": chat.get_interaction,
}


class Control:
    """Handlers of /sim/."""

    def __init__(self, world: World, hub: Hub, faults: Faults, stats: Stats, reset: Callable[[], None]) -> None:
        self._world, self._hub, self._faults, self._stats, self._reset = world, hub, faults, stats, reset
        self.feed = Feed(world)

    def add_to(self, app: web.Application) -> None:
        own: dict[str, Handler] = {
            "GET /sim/stats": lambda _: self._stats.as_json(),
            "GET /sim/sessions": lambda _: [actions.session_view(s) for s in self._hub.sessions.values()],
            "GET /sim/requests": self._requests,
            "GET /sim/faults": lambda _: [fault.as_json() for fault in self._faults.active()],
            "POST /sim/faults": self._add_fault,
            "DELETE /sim/faults": lambda _: {"removed": self._faults.clear()},
            "DELETE /sim/faults/{fault_id}": self._remove_fault,
            "POST /sim/reset": self._start_over,
        }
        for route, handler in {**ROUTES, **own}.items():
            method, path = route.split(" ")
            app.router.add_route(method, path, partial(self._handle, handler))
        app.router.add_post("/sim/interactions", self._interact)
        app.router.add_get("/sim/events", self.feed.stream)
        app.router.add_route("*", "/sim/{rest:.*}", partial(self._handle, self._unknown))

    async def _handle(self, handler: Handler, request: web.Request) -> web.Response:
        try:
            return _json(handler(await self._read(request)))
        except WorldError as error:
            return _json({"error": str(error)}, 404 if isinstance(error, UnknownObjectError) else 400)
        except ApiError as error:
            return _json({"error": error.message}, error.status)

    async def _interact(self, request: web.Request) -> web.Response:
        """POST /sim/interactions: the state at once, or with `wait` (seconds) when the bot has answered or 3 s are
        over.
        """
        try:
            control = await self._read(request)
            wait = control.data.get("wait", 3.5 if control.data.get("kind") == "autocomplete" else 0)
            if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= _MAX_WAIT_S:
                raise WorldError(f"wait: {wait!r} must be seconds from 0 to {_MAX_WAIT_S:g}")
            interaction = chat.interact(control)
        except WorldError as error:
            return _json({"error": str(error)}, 404 if isinstance(error, UnknownObjectError) else 400)
        except ApiError as error:
            return _json({"error": error.message}, error.status)
        asyncio.get_running_loop().call_later(FIRST_ANSWER_S + 0.05, self._world.awaits_answer, interaction)
        if wait:
            await self._answered(interaction, wait)
        return _json(chat.interaction_view(interaction))

    async def _answered(self, interaction: Interaction, seconds: float) -> None:
        """Wait until an interaction is no longer pending."""
        changed = asyncio.Event()
        unsubscribe = self._world.subscribe(lambda event: changed.set() if event.subject is interaction else None)
        try:
            async with asyncio.timeout(seconds):
                while interaction.state in {"pending", "deferred"}:
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            pass
        finally:
            unsubscribe()

    async def _read(self, request: web.Request) -> ControlRequest:
        if request.method != "GET" and not _same_origin(request):
            raise ApiError(
                403, 0, "requests from other sites' pages are refused; call /sim/ from its own page or from a program"
            )
        return ControlRequest(self._world, request.match_info, request.query, await bodies.read(request))

    def _requests(self, request: ControlRequest) -> list[dict[str, Any]]:
        limit = request.number("limit", 100, 1, 1000)
        return list(self._stats.recent_requests)[-limit:][::-1]

    def _add_fault(self, request: ControlRequest) -> dict[str, Any]:
        """Set up a fault, or do it at once where it is of that kind."""
        fault = make(request.data, "now", self._world.clock())
        log.info("fault", extra={"fault": fault.spec})
        if fault.kind in ONE_SHOT or (fault.kind in GATEWAY_ACTIONS and "when" not in fault.spec):
            return actions.act(self._hub, fault)
        return self._faults.add(request.data).as_json()

    def _remove_fault(self, request: ControlRequest) -> dict[str, Any]:
        if not self._faults.remove(request.params["fault_id"]):
            raise UnknownObjectError(f"there is no fault {request.params['fault_id']!r}; GET /sim/faults lists them")
        return {"removed": 1}

    def _start_over(self, _request: ControlRequest) -> dict[str, Any]:
        self._reset()
        self.feed.resync()
        return {"reset": True}

    @staticmethod
    def _unknown(_request: ControlRequest) -> None:
        raise UnknownObjectError("no such method and path under /sim/; docs/simulator.md lists them")


def _same_origin(request: web.Request) -> bool:
    """Whether a request comes from the simulator's own page or from no page at all."""
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _json(data: Any, status: int = 200) -> web.Response:
    if data is None:
        return web.Response(status=204)
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return web.Response(status=status, body=orjson.dumps(data), headers=headers)
