"""The page while the simulator goes away and comes back."""

from __future__ import annotations

import pytest
from botswain_simulator import Simulator
from playwright.async_api import Browser, expect

from .conftest import Bot

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


async def test_the_page_tells_a_lost_connection_and_recovers(browser: Browser) -> None:
    """When the simulator ends the page says so; started again on its port, the page shows the new world and is live."""
    import aiohttp

    context = await browser.new_context()
    page = await context.new_page()
    async with Simulator(port=0) as first:
        port, url = first.port, first.url
        await page.goto(url)
        await page.locator("#box").fill("before the storm")
        await page.keyboard.press("Enter")
        await expect(page.locator(".message:not(.is-sending)", has_text="before the storm")).to_be_visible()
        await expect(page.locator("#connection")).to_be_hidden()
    await expect(page.locator("#connection")).to_contain_text("Connection lost")
    await page.locator("#box").fill("into the void")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.is-failed")).to_contain_text("Not sent.")
    async with Simulator(port=port) as second, aiohttp.ClientSession() as http:
        await expect(page.locator("#connection")).to_be_hidden()
        await expect(page.locator(".message", has_text="before the storm")).to_have_count(0)
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator(".message:not(.is-failed):not(.is-sending)", has_text="into the void")).to_have_count(
            1
        )
        channel = await page.locator('.channel[aria-current="page"]').get_attribute("data-channel")
        assert channel
        await Bot(http, url, second.token).say(channel, "back on deck")
        await expect(page.locator(".message", has_text="back on deck")).to_have_count(1)
    await context.close()
