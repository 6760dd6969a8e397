"""What `helm test` runs: the addresses answer 200, and the sample bot answers a message.

It lives in the operator's image so that the test needs no image of its own. Prints a line for each check; exit code 1 if one
fails.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp

WAIT_SECONDS = 180.0


async def _eventually(what: str, check: Callable[[], Awaitable[str]]) -> bool:
    """Try `check` until it returns an empty string; say how it went."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            problem = await check()
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        if not problem:
            print(f"ok      {what}")  # noqa: T201
            return True
        if time.monotonic() > deadline:
            print(f"FAILED  {what}: {problem}")  # noqa: T201
            return False
        await asyncio.sleep(2)


async def _answers_200(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as response:
        return "" if response.status == 200 else f"{response.status} {(await response.text())[:200]}"


async def _bot_answers(session: aiohttp.ClientSession, simulator: str, asked: list[str]) -> str:
    """Ask once, when a bot is connected, then look for a bot's message after the question."""
    async with session.get(f"{simulator}/sim/state") as response:
        state = await response.json()
    if not any(bot["online"] for bot in state["bots"]):
        return "no bot is connected to the simulator"
    channel = state["guilds"][0]["channels"]
    text = next(found["id"] for found in channel if found["type"] == 0)
    if not asked:
        async with session.post(
            f"{simulator}/sim/channels/{text}/messages", json={"content": "Hello from helm test"}
        ) as response:
            asked.append((await response.json())["id"])
    async with session.get(f"{simulator}/sim/channels/{text}/messages", params={"after": asked[0]}) as response:
        found = [message for message in await response.json() if message["author"].get("bot")]
    return "" if found else "no answer yet"


async def _run(urls: list[str], simulator: str | None) -> bool:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        passed = [await _eventually(url, partial(_answers_200, session, url)) for url in urls]
        if simulator:
            asks = partial(_bot_answers, session, simulator, [])
            passed.append(await _eventually("the sample bot answers", asks))
    return all(passed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m botswain_operator.release_test", description=__doc__)
    parser.add_argument("urls", nargs="*", help="addresses that answer 200")
    parser.add_argument("--answers", metavar="URL", help="a simulator whose bot answers")
    arguments = parser.parse_args()
    sys.exit(0 if asyncio.run(_run(arguments.urls, arguments.answers)) else 1)


if __name__ == "__main__":
    main()
