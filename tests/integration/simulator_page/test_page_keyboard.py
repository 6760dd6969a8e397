"""The page without a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from .conftest import World

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


async def focused(page: Page) -> str:
    """What has the focus, in words."""
    return str(await page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"))


async def test_a_whole_conversation_by_keyboard(page: Page, world: World) -> None:
    """Switch channel, write with a mention, walk to the bot's answer, react, reply and delete: no pointer anywhere."""
    await page.keyboard.press("Control+k")
    await page.keyboard.type("bots")
    await page.keyboard.press("Enter")
    await expect(page.locator("#channel-title")).to_have_text("bots")
    await expect(page.locator("#box")).to_be_focused()
    await page.keyboard.type("hello @bots")
    await expect(page.locator("#suggestions [aria-selected=true]")).to_contain_text("botswain")
    await page.keyboard.press("Tab")
    await page.keyboard.type("are you there?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message:not(.is-sending) .mention")).to_have_text("@botswain")
    await world.bot.say(world.channel("bots"), "Aye aye")
    await expect(page.locator(".message", has_text="Aye aye")).to_be_visible()

    await page.keyboard.press("Control+ArrowUp")
    assert "Aye aye" in await focused(page)
    await page.keyboard.press("ArrowUp")
    assert "are you there?" in await focused(page)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("+")
    await expect(page.get_by_label("Find an emoji")).to_be_focused()
    await page.keyboard.type("anchor")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator('.reaction[data-emoji="⚓"]')).to_have_attribute("aria-pressed", "true")
    assert "Aye aye" in await focused(page)
    await page.keyboard.press("r")
    await expect(page.locator("#context")).to_contain_text("Replying to botswain")
    await expect(page.locator("#box")).to_be_focused()
    await page.keyboard.type("good")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message:not(.is-sending) .quoted")).to_contain_text("Aye aye")

    await page.keyboard.press("Control+ArrowUp")
    await page.keyboard.press("Delete")
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="good")).to_have_count(0)
    await expect(page.locator("#box")).to_be_focused()
    contents = [message["content"] for message in await world.messages("bots")]
    assert contents == ["Aye aye", f"hello <@{world.state['bots'][0]['user']['id']}> are you there?"]


async def test_alt_arrows_walk_through_the_channels(page: Page) -> None:
    """Alt+Down and Alt+Up open the next and the previous channel, around the ends."""
    titles = []
    for key in ("Alt+ArrowDown", "Alt+ArrowDown", "Alt+ArrowDown", "Alt+ArrowUp"):
        before = await page.locator("#channel-title").inner_text()
        await page.keyboard.press(key)
        await expect(page.locator("#channel-title")).not_to_have_text(before)
        titles.append(await page.locator("#channel-title").inner_text())
    assert titles == ["random", "bots", "general", "bots"]


async def test_lists_are_one_tab_stop_each(page: Page) -> None:
    """Arrows move inside rail, channels and members, so that Tab passes each in one step."""
    for region in ("#rail", "#channels", "#members"):
        stops = await page.locator(f"{region} [tabindex='0']").count()
        assert stops == 1, region
    await page.locator(".channel", has_text="general").focus()
    await page.keyboard.press("ArrowDown")
    assert await focused(page) == "random"
    await page.keyboard.press("End")
    assert await focused(page) == "bots"
    await page.keyboard.press("Enter")
    await expect(page.locator("#channel-title")).to_have_text("bots")
    assert await focused(page) == "bots"


async def test_question_mark_lists_the_shortcuts(page: Page) -> None:
    """ "?" outside the box opens the list, Esc closes it; inside the box it is a letter."""
    await page.keyboard.type("?")
    await expect(page.locator("#box")).to_have_value("?")
    await page.locator(".speaker").focus()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Edit your last message")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator(".speaker")).to_be_focused()


async def test_every_control_has_a_name_and_every_focus_shows(page: Page, world: World) -> None:
    """A walk with Tab meets only named controls with a visible outline, and comes around."""
    await world.bot.say(world.channel("general"), "https://example.org and ||a spoiler||")
    await expect(page.locator(".md-spoiler")).to_be_visible()
    seen = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        name, outlined = await page.evaluate(
            """() => {
                const element = document.activeElement;
                const style = getComputedStyle(element);
                const frame = getComputedStyle(element.closest('#field') ?? element);
                const shown = style.outlineStyle !== 'none' || frame.boxShadow !== 'none';
                const name = element.getAttribute('aria-label') || element.textContent.trim() || element.id;
                return [name, element === document.body || shown];
            }"""
        )
        assert name, await page.evaluate("document.activeElement.outerHTML")
        assert outlined, name
        seen.append(name)
    assert any(re.match("Message #general", name) for name in seen)
    assert "Spoiler, show it" in seen
