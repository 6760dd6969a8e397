"""Asking Discord about tokens, beside the reconciles: one that waits for Discord must not hold up the others.

A reconcile reads what is known; if that is old, or about another token, the question goes out in the background, and its answer
brings the next reconcile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiohttp

from botswain_operator.discord_api import ask_gateway, user_id_of
from botswain_operator.errors import DiscordError, InvalidToken
from botswain_operator.manifests import digest
from botswain_operator.observed import GatewayFacts, Token

log = logging.getLogger(__name__)

Key = tuple[str, str]
AT_ONCE = 32
ROLLOUT_SECONDS = 60.0
"""How old the budget may be while replicas start, and when some have started since."""
UNREACHABLE_SECONDS = 15.0
SLOW_SECONDS = 1.0
"""How long an answer may take until it is told that it is waited for."""


@dataclass(slots=True)
class _Answer:
    hash: str
    url: str
    token: Token
    facts: GatewayFacts | None
    at: float
    failures: int = 0


class DiscordChecks:
    """What Discord said about each bot's token. `answered(key)` is called when it said something new."""

    def __init__(self, answered: Callable[[Key], None], *, every_seconds: float) -> None:
        self._answered = answered
        self._every = every_seconds
        self._answers: dict[Key, _Answer] = {}
        self._asking: dict[Key, asyncio.Task[None]] = {}
        self._asked_at: dict[Key, float] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    def about(self, key: Key, value: str, url: str, *, rolling: bool) -> tuple[Token, GatewayFacts | None]:
        """What is known of this token, and the question sent out if that is too old."""
        named = digest(value)
        answer = self._answers.get(key)
        current = answer is not None and answer.hash == named and answer.url == url
        if answer is None or not current or time.monotonic() - answer.at > self._age(answer, rolling=rolling):
            self._ask(key, value, named, url)
        if answer is None or not current:
            return Token("pending", hash=named, user_id=user_id_of(value)), None
        return answer.token, answer.facts

    def begun(self, key: Key, identifies: int) -> None:
        """Count IDENTIFYs that are about to be used, until Discord is asked again."""
        answer = self._answers.get(key)
        if answer and answer.facts and identifies:
            answer.facts = replace(answer.facts, identifies_begun=answer.facts.identifies_begun + identifies)

    def due_in(self, key: Key, *, rolling: bool) -> float:
        """Seconds until the bot's answer is too old."""
        answer = self._answers.get(key)
        return max(1.0, answer.at + self._age(answer, rolling=rolling) - time.monotonic()) if answer else self._every

    def is_slow(self, key: Key) -> bool:
        """Whether an answer is overdue."""
        return key in self._asked_at and time.monotonic() - self._asked_at[key] >= SLOW_SECONDS

    def forget(self, key: Key) -> None:
        """Drop what is known of a bot that is no more."""
        self._answers.pop(key, None)
        self._asked_at.pop(key, None)
        if task := self._asking.pop(key, None):
            task.cancel()

    async def close(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def _age(self, answer: _Answer, *, rolling: bool) -> float:
        if answer.failures:
            return min(self._every, UNREACHABLE_SECONDS * 2.0 ** (answer.failures - 1))
        begun = answer.facts is not None and answer.facts.identifies_begun > 0
        return min(self._every, ROLLOUT_SECONDS) if rolling or begun else self._every

    def _ask(self, key: Key, value: str, named: str, url: str) -> None:
        if key in self._asking:
            return  # its answer brings the next reconcile, which asks again if the token has changed meanwhile
        task = asyncio.create_task(self._answer(key, value, named, url), name=f"asking Discord for {key[0]}/{key[1]}")
        self._asking[key] = task
        self._asked_at[key] = time.monotonic()
        task.add_done_callback(lambda done: self._done(key, done))

    def _done(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]
            self._asked_at.pop(key, None)
        if not task.cancelled():
            self._answered(key)

    async def _answer(self, key: Key, value: str, named: str, url: str) -> None:
        before = self._answers.get(key)
        known = before if before and before.hash == named and before.url == url else None
        facts, failures = (known.facts if known else None), 0
        user = user_id_of(value)
        try:
            async with self._slots:
                if self._session is None:
                    self._session = aiohttp.ClientSession()
                facts = await ask_gateway(self._session, url, value)
            token = Token("valid", hash=named, user_id=user)
        except InvalidToken as error:
            token, facts = Token("invalid", str(error), named, user), None
        except DiscordError as error:
            log.warning("%s/%s: %s", *key, error)
            failures = (known.failures if known else 0) + 1
            state = known.token.state if known and known.token.state in ("valid", "invalid") else "unknown"
            token = Token(state, f"Discord could not be asked: {error}", named, user)
        self._answers[key] = _Answer(named, url, token, facts, time.monotonic(), failures)
