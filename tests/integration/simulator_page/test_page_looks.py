"""How the page looks, as far as a test can tell: contrast, narrow screens, the choice of colours, landmarks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from .conftest import World

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

MEASURE = Path(__file__).with_name("contrast.js").read_text()


async def furnish(page: Page, world: World) -> None:
    """A conversation with one of everything in it."""
    channel = world.channel("general")
    await world.say("general", "# Heading\n> quote\n-# small\n- item `code` and [a link](https://example.org)", "grace")
    await world.say("general", f"<@{world.user('ada')}> <#{channel}> <t:1700000000:F>", "linus")
    await world.bot.say(
        channel,
        "```py\nasync def f(x):  # note\n    return g(x, 'text', 12)\n```",
        embeds=[
            {
                "title": "Title",
                "url": "https://example.org",
                "description": "Text",
                "color": 0x3CC4AE,
                "fields": [{"name": "Name", "value": "Value"}],
                "footer": {"text": "Foot"},
            }
        ],
        components=[
            {
                "type": 1,
                "components": [
                    {"type": 2, "style": style, "label": f"Style {style}", "custom_id": str(style)}
                    for style in (1, 2, 3, 4)
                ],
            }
        ],
    )
    message = await world.say("random", "elsewhere", "grace")
    message = await world.say("general", "the last one", "ada")
    await world.call("PATCH", f"/channels/{channel}/messages/{message['id']}", {"content": "the last, edited"})
    await world.bot.call("PUT", f"/channels/{channel}/messages/{message['id']}/reactions/%F0%9F%91%8D/@me")
    await world.call(
        "PUT", f"/channels/{channel}/messages/{message['id']}/reactions/%F0%9F%94%A5?user_id={world.user('grace')}"
    )
    await page.locator('.reaction[data-emoji="👍"]').click()
    await expect(page.locator(".reaction.mine")).to_be_visible()
    await world.bot.call("POST", f"/channels/{channel}/typing")
    await expect(page.locator("#typing")).to_contain_text("typing")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_contrasts_enough(page: Page, world: World, scheme: Any) -> None:
    """All text, in a conversation with one of everything, stands 4.5 : 1 or more from its ground."""
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await expect(page.locator("html")).to_have_attribute("data-theme", scheme)
    await furnish(page, world)
    await page.locator(".speaker").click()
    results = await page.evaluate(MEASURE)
    assert len(results) > 60
    weak = {f"{item['of']}: {item['text']}": round(item["ratio"], 2) for item in results if item["ratio"] < 4.5}
    assert weak == {}


async def test_the_choice_of_colours_is_remembered(page: Page) -> None:
    """The button turns the colours around, against the system's, and a reload keeps them."""
    await page.emulate_media(color_scheme="light")
    await page.get_by_role("button", name="Dark colours").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    background = await page.locator("#main").evaluate("(main) => getComputedStyle(main).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background))) < 80


async def test_narrow_screens_have_drawers(page: Page, world: World) -> None:
    """At 390 pixels nothing is wider than the screen, and channels and members come as drawers that close again."""
    await page.set_viewport_size({"width": 390, "height": 780})
    await furnish(page, world)
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    assert await page.evaluate("document.querySelector('#scroller').scrollWidth") == 390
    await expect(page.locator("#side")).not_to_be_in_viewport()
    await page.get_by_role("button", name="Channels").click()
    await expect(page.locator("#side")).to_be_in_viewport(ratio=1)
    await page.locator(".channel", has_text="random").click()
    await expect(page.locator("#channel-title")).to_have_text("random")
    await expect(page.locator("#side")).not_to_be_in_viewport()
    await page.get_by_role("button", name="Members", exact=True).click()
    await expect(page.locator("#members")).to_be_in_viewport(ratio=1)
    await page.keyboard.press("Escape")
    await expect(page.locator("#members")).not_to_be_in_viewport()


async def test_the_page_has_landmarks_and_a_live_log(page: Page) -> None:
    """Screen readers find the guilds, the channels, the conversation, the members and the log of what is new."""
    for role, name in (
        ("navigation", "Guilds"),
        ("navigation", "Channels of Harbour"),
        ("complementary", "Members"),
        ("log", "New messages"),
    ):
        await expect(page.get_by_role(role, name=name)).to_have_count(1)  # type: ignore[arg-type]  # a Literal in a loop
    await expect(page.get_by_role("main")).to_have_count(1)
    await expect(page.get_by_role("list", name="Messages in general")).to_have_count(1)


async def test_nothing_comes_from_elsewhere(page: Page, world: World) -> None:
    """The page asks no other host for anything, also when a message points there."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.reload()
    await world.bot.say(world.channel("general"), "pictures", embeds=[{"title": "x", "url": "https://example.org/"}])
    await expect(page.locator(".embed-title")).to_be_visible()
    assert asked
    assert [url for url in asked if not url.startswith((world.url, "data:", "blob:"))] == []
