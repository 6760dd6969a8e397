"""No body or query makes a route fail: each gets values of the wrong kind, field by field."""

import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
from botswain_simulator import Simulator
from botswain_simulator.control.app import ROUTES as CONTROL_ROUTES
from botswain_simulator.control.chat import interact
from botswain_simulator.control.requests import ControlRequest
from botswain_simulator.errors import WorldError
from botswain_simulator.rest.app import MODULES
from botswain_simulator.rest.errors import ApiError
from botswain_simulator.rest.routing import Body, Context, Reply, Route, Router
from botswain_simulator.world import Draft
from botswain_simulator.world.defaults import ADA_ID, BOT_ID, GUILD_ID

FIELDS = (
    "content", "embeds", "embed", "components", "attachments", "allowed_mentions", "message_reference", "nonce", "flags",
    "poll", "sticker_ids", "name", "type", "topic", "position", "parent_id", "nsfw", "permission_overwrites", "options",
    "description", "roles", "nick", "messages", "recipient_id", "recipients", "archived", "auto_archive_duration",
    "applied_tags", "available_tags", "message", "allow", "deny", "color", "colors", "permissions", "image", "data",
    "username", "channel_id", "rate_limit_per_user", "max_age", "communication_disabled_until", "locked", "choices",
    "default_reaction_emoji", "verification_level", "afk_channel_id", "bitrate", "invitable", "custom_id", "title",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 2**63, 1.5, "", "x", "1", [], [None], [1], ["x"], [[]], [{}], {}, {"x": 1}, {"id": []}, [{"type": 2}],
    [{"id": "1", "type": "x", "name": 5, "fields": [3], "image": 3, "options": "x", "components": [7]}],
    {"parse": 5, "users": "x", "roles": [{}]}, {"message_id": {}, "type": 1}, {"question": 3, "answers": "x"},
    {"question": {"text": "q"}, "answers": [{"poll_media": [1]}, {"poll_media": "x"}]}, {"content": 5, "embeds": [1]},
    [{"name": "a", "description": "b", "type": 1, "options": [{"type": 1, "choices": [1]}]}],
    [{"type": 1, "components": [{"type": 2, "style": 1, "custom_id": [], "accessory": 3}]}],
    [{"type": 9, "accessory": "x"}], [{"id": "5", "allow": "x", "deny": {}}], [{"type": 1, "components": "x"}],
    "data:image/png;base64,§", [{"title": {}, "footer": [], "author": 5, "thumbnail": {"url": 5}}],
)  # fmt: skip
BODIES: tuple[Any, ...] = (
    None, [], [1], [{}], [{"id": "x", "position": "x"}], [{"id": GUILD_ID, "position": "x"}], "text", 5, True, {},
)  # fmt: skip
QUERIES: tuple[dict[str, str], ...] = (
    {"limit": "x", "before": "\x00", "after": "-1"},
    {"limit": "9" * 30, "around": "1.5"},
    {"wait": "maybe", "thread_id": "x", "with_counts": "2", "with_response": "1"},
    {"query": "", "limit": "0", "before": "2020-01-01"},
    {"before": "x"},
)
ALL = [route for module in MODULES for route in module.routes]


class Caller:
    """Calls routes of a simulator that listens nowhere; everything it tells must be JSON."""

    def __init__(self) -> None:
        self.sim = Simulator()
        self.world = self.sim.world
        self.world.subscribe(lambda event: orjson.dumps(event.data) and None)
        self.bot = self.world.application(BOT_ID)
        self.router = Router(ALL)
        self.general = next(c for c in self.world.channels.values() if c.name == "general")
        self.message = self.world.post(self.general, self.bot.user, Draft("x", embeds=[{"title": "t"}]))
        self.hook = self.world.add_webhook(self.general, self.bot.user, "hook")
        self.command = self.world.set_command(self.bot, None, {"name": "c", "description": "d"})

    def places(self) -> dict[str, str]:
        interaction = self.world.use_command(self.command, self.general, self.world.user(ADA_ID), [])
        return {
            "channel_id": self.general.id, "message_id": self.message.id, "message": self.message.id, "guild_id": GUILD_ID,
            "user_id": ADA_ID, "role_id": GUILD_ID, "emoji": "✅", "emoji_id": "1", "application_id": BOT_ID,
            "command_id": self.command.id, "webhook_id": self.hook.id, "webhook_token": self.hook.token,
            "interaction_id": interaction.id, "interaction_token": interaction.token, "overwrite_id": ADA_ID,
            "code": "x", "answer_id": "1", "sticker_id": "1",
        }  # fmt: skip

    def call(self, route: Route, body: Any = None, query: dict[str, str] | None = None) -> None:
        """Only an answer or one of Discord's errors may come of it."""
        places = self.places() if "{" in route.template else {}
        found, params = self.router.find(route.method, re.sub(r"\{(\w+)\}", lambda m: places[m[1]], route.template))
        assert found is route
        sim = self.sim
        context = Context(
            sim.world, sim.hub, sim.settings, sim.stats, params, query or {}, Body(body), "http://x", self.bot
        )
        try:
            result = route.handler(context)
        except (ApiError, WorldError):
            return
        orjson.dumps(result.data if isinstance(result, Reply) else result)


def bodies() -> Iterator[Any]:
    singles = ({"name": "x", "description": "x", field: value} for field in FIELDS for value in VALUES)
    return itertools.chain(BODIES, singles)


@pytest.mark.parametrize("route", [r for r in ALL if r.method in {"POST", "PATCH", "PUT"}], ids=lambda r: r.name)
def test_no_body_makes_a_route_fail(route: Route) -> None:
    """Whatever the body, there is an answer in JSON or one of Discord's errors."""
    caller = Caller()
    for body in bodies():
        caller.call(route, orjson.loads(orjson.dumps(body)))
    caller.call(next(r for r in ALL if r.name == "GET /channels/{channel_id}/messages"))


@pytest.mark.parametrize("kind", [1, 4, 5, 6, 7, 8, 9, 12, "x", None])
def test_no_answer_to_an_interaction_makes_it_fail(kind: object) -> None:
    """The same for what stands inside a callback's `data`."""
    caller = Caller()
    route = next(r for r in ALL if r.template.endswith("/callback"))
    for body in bodies():
        caller.call(route, {"type": kind, "data": orjson.loads(orjson.dumps(body))})


@pytest.mark.parametrize("route", [r for r in ALL if r.method == "GET"], ids=lambda r: r.name)
def test_no_query_makes_a_route_fail(route: Route) -> None:
    """The same for what stands behind the question mark."""
    caller = Caller()
    for query in QUERIES:
        caller.call(route, query=query)


CONTROL_FIELDS = (
    "content", "user_id", "username", "reply_to", "nonce", "attachments", "name", "message_id", "bot_id", "global_name",
    "token", "privileged_intents", "guilds", "channels", "bots", "type", "topic", "parent_id", "permissions",
)  # fmt: skip
INTERACTION_FIELDS = (
    "kind",
    "command_id",
    "channel_id",
    "options",
    "message_id",
    "custom_id",
    "values",
    "interaction_id",
)


@pytest.mark.parametrize("name", [name for name in CONTROL_ROUTES if not name.startswith("GET")])
def test_no_body_makes_the_control_api_fail(name: str) -> None:
    """It answers or explains, whatever it is given."""
    caller = Caller()
    places = caller.places() | {"message_id": caller.message.id, "user_id": "5"}
    base = {"content": "x", "name": "x", "username": "ada", "bot_id": BOT_ID}
    for body in itertools.chain(BODIES, ({**base, field: value} for field in CONTROL_FIELDS for value in VALUES)):
        request = ControlRequest(caller.world, places, {}, Body(body))
        with suppress(WorldError):
            orjson.dumps(CONTROL_ROUTES[name](request))


def test_no_interaction_makes_the_control_api_fail() -> None:
    """The same for each kind of interaction."""
    caller = Caller()
    base = {
        "command_id": caller.command.id,
        "channel_id": caller.general.id,
        "message_id": caller.message.id,
        "custom_id": "x",
    }
    for kind in ("command", "autocomplete", "component", "modal"):
        for field, value in itertools.product(INTERACTION_FIELDS, VALUES):
            body = {**base, "kind": kind, "interaction_id": next(iter(caller.world.interactions), "1"), field: value}
            with suppress(WorldError):
                interact(ControlRequest(caller.world, {}, {}, Body(body)))
