"""Steady load: people write in all channels, whatever happens to the bot. Only a large backlog makes them pause."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import httpx

from chaos.discord import Discord
from chaos.questions import Question
from chaos.verdicts import Asked
from chaos.waiting import until

MOST_UNANSWERED = 150
"""Messages of the bot that may be outstanding: a platform that is killed faster than it starts must not get everything at once
in the end.
"""
FOR_GOOD = float("inf")
LOOK_EVERY = 0.5
"""Seconds between two looks at what was answered."""


class Load:
    """Writes questions at `rate` a second from `start()` until `stop()`."""

    def __init__(self, discord: Discord, questions: Iterator[Question], rate: float) -> None:
        self.asked: list[Asked] = []
        self.answers = 0
        """Messages of the bot at the last look."""
        self.paused = 0.0
        """Seconds that the load waited for answers."""
        self._sends = 0
        self._discord = discord
        self._questions = questions
        self._rate = rate
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to write."""
        self._tasks = [asyncio.create_task(self._write(), name="load"), asyncio.create_task(self._look(), name="look")]

    async def stop(self) -> None:
        """Write no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for task in self._tasks:
            if not task.cancelled():
                task.result()

    async def until(self, count: int, deadline: float) -> bool:
        """Wait until so many were written; False when that takes longer than `deadline` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                while len(self.asked) < count:
                    self._check()
                    self._news.clear()
                    await self._news.wait()
                return True
        return False

    async def until_answered(self, deadline: float) -> bool:
        """Wait until nothing is outstanding; False when that takes longer than `deadline` seconds."""

        async def answered() -> bool:
            return (await self._discord.stats())["messages"]["by_bots"] >= self._sends

        return await until(answered, deadline)

    async def write(self, count: int) -> None:
        """Write so many, as fast as it goes."""
        for _ in range(count):
            await self._ask(next(self._questions))

    def _check(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for question in self._questions:
            began = loop.time()
            await until(self._few_outstanding, FOR_GOOD)
            if (waited := loop.time() - began) > 0.1:
                self.paused += waited
                due = loop.time()
            await self._ask(question)
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _few_outstanding(self) -> bool:
        return self._sends - self.answers <= MOST_UNANSWERED

    async def _ask(self, question: Question) -> None:
        if question.channel == len(self._discord.channels):
            await self._discord.open_channel()
        channel = self._discord.channels[question.channel]
        message = await self._discord.say(channel, question.text)
        self.asked.append(Asked(question, channel, message))
        self._sends += question.sends
        self._news.set()

    async def _look(self) -> None:
        while True:
            with contextlib.suppress(httpx.TimeoutException):
                self.answers = (await self._discord.stats())["messages"]["by_bots"]
            await asyncio.sleep(LOOK_EVERY)
