"""Validation in Discord's shape, and routes."""

from collections.abc import Callable
from typing import Any

import pytest
from botswain_simulator.rest.app import MODULES
from botswain_simulator.rest.components import read_components
from botswain_simulator.rest.embeds import read_embeds
from botswain_simulator.rest.errors import ApiError
from botswain_simulator.rest.forms import Form
from botswain_simulator.rest.reactions import parse_emoji
from botswain_simulator.rest.routing import Router
from botswain_simulator.world import World
from botswain_simulator.world.defaults import GUILD_ID


def complaint(read: Callable[[Form], object], body: object) -> dict[str, Any]:
    """The errors tree that reading a body ends in."""
    form = Form(body)
    read(form)
    with pytest.raises(ApiError) as caught:
        form.check()
    assert caught.value.payload()["code"] == 50035
    tree: dict[str, Any] = caught.value.payload()["errors"]
    return tree


def test_a_too_long_text_has_discords_exact_complaint() -> None:
    """The tree clients parse and print."""
    tree = complaint(lambda form: form.text("content", longest=2000), {"content": "x" * 2001})
    assert tree == {
        "content": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]}
    }


def test_every_complaint_of_a_body_comes_at_once() -> None:
    """One answer names all wrong fields, at their depth."""

    def read(form: Form) -> None:
        form.integer("limit", lowest=1, highest=100)
        form.snowflake("id", required=True)
        read_embeds(form)

    tree = complaint(read, {"limit": 101, "embeds": [{"title": "ok"}, {"title": "x" * 257, "fields": [{"name": "n"}]}]})
    assert tree["limit"]["_errors"][0] == {
        "code": "NUMBER_TYPE_MAX",
        "message": "int value should be less than or equal to 100.",
    }
    assert tree["id"]["_errors"][0]["code"] == "BASE_TYPE_REQUIRED"
    assert tree["embeds"]["1"]["title"]["_errors"][0]["message"] == "Must be 256 or fewer in length."
    assert tree["embeds"]["1"]["fields"]["0"]["value"]["_errors"][0]["code"] == "BASE_TYPE_REQUIRED"


def test_embeds_share_a_limit_of_6000_characters() -> None:
    """Each is within its own limits, together they are too long."""
    tree = complaint(read_embeds, {"embeds": [{"description": "x" * 3001}, {"description": "x" * 3000}]})
    assert tree["embeds"]["_errors"][0]["code"] == "MAX_EMBED_SIZE_EXCEEDED"


def test_more_than_ten_embeds_are_refused() -> None:
    """As documented."""
    assert (
        complaint(read_embeds, {"embeds": [{"title": "x"}] * 11})["embeds"]["_errors"][0]["code"]
        == "BASE_TYPE_MAX_LENGTH"
    )


def test_components_get_ids_and_must_differ_in_custom_id() -> None:
    """Numbers are given where none was set; the same custom_id twice is refused."""
    button = {"type": 2, "style": 1, "label": "a", "custom_id": "one"}
    form = Form({"components": [{"type": 1, "components": [dict(button)]}]})
    components = read_components(form)
    form.check()
    assert [components[0]["id"], components[0]["components"][0]["id"]] == [1, 2]
    twice = {"components": [{"type": 1, "components": [dict(button), dict(button)]}]}
    assert complaint(read_components, twice)["components"]["_errors"][0]["code"] == "COMPONENT_CUSTOM_ID_DUPLICATED"


@pytest.mark.parametrize("text", ["👍", "❤️", "🇩🇪", "1️⃣", "👨‍👩‍👧", "☕", "✅", "‼️"])
def test_unicode_emojis_are_taken(world: World, text: str) -> None:
    """Also flags, keycaps, families and those with a variation selector."""
    assert parse_emoji(world, text) == {"id": None, "name": text}


@pytest.mark.parametrize("text", ["abc", "", "hello world", "x:1", "ä", ":smile:"])
def test_other_text_is_no_emoji(world: World, text: str) -> None:
    """Letters, colon names and unknown ids are refused."""
    assert parse_emoji(world, text) is None


def test_a_guilds_own_emoji_is_found_by_its_id(world: World) -> None:
    """Whatever name the client gives it."""
    emoji = world.add_emoji(world.guild(GUILD_ID), "anchor")
    assert parse_emoji(world, f"old_name:{emoji.id}") == {"id": emoji.id, "name": "anchor"}


@pytest.fixture(scope="module")
def router() -> Router:
    return Router([route for module in MODULES for route in module.routes])


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/users/@me", "/users/@me"),
        ("GET", "/users/123", "/users/{user_id}"),
        ("GET", "/channels/1/messages/pins", "/channels/{channel_id}/messages/pins"),
        ("GET", "/channels/1/messages/2", "/channels/{channel_id}/messages/{message_id}"),
        ("PATCH", "/webhooks/1/tok/messages/%40original", "/webhooks/{webhook_id}/{webhook_token}/messages/{message}"),
        ("DELETE", "/channels/1/thread-members/@me", "/channels/{channel_id}/thread-members/@me"),
    ],
)
def test_paths_lead_to_their_routes(router: Router, method: str, path: str, template: str) -> None:
    """Fixed segments go before parameters, encoded ones are decoded."""
    assert router.find(method, path)[0].template == template


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, 0), ("PUT", "/users/@me", 405, 0), ("GET", "/channels/abc", 400, 50035)],
)
def test_what_leads_nowhere_has_discords_answer(router: Router, method: str, path: str, status: int, code: int) -> None:
    """404, 405, and a form error for an id that is none."""
    with pytest.raises(ApiError) as caught:
        router.find(method, path)
    assert (caught.value.status, caught.value.code) == (status, code)
