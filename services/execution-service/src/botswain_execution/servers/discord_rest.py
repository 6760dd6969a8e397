"""Discord's REST API v10, as far as an agent's tools need it: send, edit, react.

A request is repeated after a server error or a lost connection only where that can't do the work twice: reading, edits and
reactions are the same however often they are made, and a message with `nonce` and `enforce_nonce` is made once
[resources/message]. A message that may have been sent long ago is looked for first, see `discord_sent`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from botswain_execution.servers.calls import CallMeta, log
from botswain_execution.servers.discord_errors import TOKEN_MISSING, TOKEN_REFUSED, DiscordError, explain
from botswain_execution.servers.discord_limits import RateLimiter, Turn, WouldWaitError
from botswain_execution.servers.discord_sent import (
    MOST_PAGES,
    PAGE,
    SentMessages,
    clock_difference,
    is_same,
    look_after,
    must_look,
)

USER_AGENT = "DiscordBot (https://botswain.dev, 0.1.0)"
"""The form Discord asks for [reference, "User Agent"]."""
ATTEMPTS = 4
FIRST_PAUSE = 0.25
"""Seconds before the second attempt after a failure; doubles."""
MOST_REFUSALS = 5
"""429s that one request takes before it is given up."""
REFUSED_FOR = 60.0
"""Seconds for which nothing is asked after Discord refused the token: each further 401 counts towards a ban of the address."""
_DISCORD_HOSTS = ("discord.com", "discordapp.com")


@dataclass(frozen=True, slots=True)
class Route:
    """A request's target. `template` names the bucket; its `{…}` are filled, quoted, from the other fields."""

    method: str
    template: str
    channel_id: str
    message_id: str = ""
    emoji: str = ""

    @property
    def path(self) -> str:
        """The path below the API's base."""
        return self.template.format(
            channel=quote(self.channel_id, safe=""),
            message=quote(self.message_id, safe=""),
            emoji=quote(self.emoji, safe=""),
        )


class DiscordRest:
    """One bot's requests. Use as an async context manager."""

    def __init__(
        self,
        token: str,
        api_url: str,
        *,
        allowed_mentions: dict[str, Any],
        limiter: RateLimiter | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Args:
        token: the bot's; empty: every request fails with words.
        api_url: with the version, e.g. https://discord.com/api/v10.
        allowed_mentions: what messages may ping [resources/message, "Allowed Mentions Object"].
        """
        self._token = token
        self._api_url = api_url.rstrip("/")
        self._allowed_mentions = allowed_mentions
        self._limiter = limiter or RateLimiter()
        self._sleep = sleep
        self._clock = clock
        self._sent = SentMessages()
        self._user_id = ""
        self._told: tuple[str, datetime] = ("", datetime.now(UTC))
        """The `Date` of Discord's last answer, and when it came."""
        self._refused_until = 0.0
        host = urlsplit(api_url).hostname or ""
        self._trace = not host.endswith(_DISCORD_HOSTS)
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bot {token}", "User-Agent": USER_AGENT},
            timeout=httpx.Timeout(15.0, connect=5.0, pool=None),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=60.0),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send_message(self, channel_id: str, content: str, meta: CallMeta) -> str:
        """Send a message; its id. With an idempotency key the same message is made once, however often this is called, and
        however long after `meta.attempted_at`.

        Raises:
            DiscordError: in words.
        """
        earlier = await self._sent_before(channel_id, content, meta)
        if earlier is not None:
            self._sent.note(channel_id, meta.idempotency_key, earlier)
            log("message_was_sent", channel=channel_id, message=earlier, **meta.log_fields)
            return earlier
        body: dict[str, Any] = {"content": content, "allowed_mentions": self._allowed_mentions}
        if meta.idempotency_key:
            body |= {"nonce": meta.idempotency_key, "enforce_nonce": True}
        route = Route("POST", "/channels/{channel}/messages", channel_id)
        answer = await self._request(route, body, meta, repeatable=bool(meta.idempotency_key))
        message_id = _message_id(answer)
        if meta.idempotency_key:
            self._sent.note(channel_id, meta.idempotency_key, message_id)
        return message_id

    async def _sent_before(self, channel_id: str, content: str, meta: CallMeta) -> str | None:
        """The message that an attempt long ago has made; None: there is none, or no need to know."""
        if not meta.idempotency_key or meta.attempted_at is None or not must_look(meta.attempted_at, self._clock()):
            return None
        known = self._sent.id_of(channel_id, meta.idempotency_key)
        if known is not None:
            return known
        route = Route("GET", "/channels/{channel}/messages", channel_id)
        try:
            author_id = await self._own_id(meta)
            after = look_after(meta.attempted_at, clock_difference(*self._told))
            for _ in range(MOST_PAGES):
                query = {"after": after, "limit": str(PAGE)}
                page = _messages(await self._request(route, None, meta, repeatable=True, query=query))
                for message in page:
                    found = str(message["id"])
                    if is_same(message, author_id=author_id, content=content) and not self._sent.is_anothers(
                        found, meta.idempotency_key
                    ):
                        return found
                if len(page) < PAGE:
                    break
                after = str(page[-1]["id"])
        except DiscordError as error:
            raise DiscordError(
                f"The message may have been sent before, and that can't be found out: {error}",
                transient=error.transient,
            ) from None
        return None

    async def _own_id(self, meta: CallMeta) -> str:
        if not self._user_id:
            self._user_id = _id(
                await self._request(Route("GET", "/users/@me", ""), None, meta, repeatable=True), "user"
            )
        return self._user_id

    async def edit_message(self, channel_id: str, message_id: str, content: str, meta: CallMeta) -> str:
        """Replace a message's text; its id. Raises `DiscordError`."""
        body = {"content": content, "allowed_mentions": self._allowed_mentions}
        route = Route("PATCH", "/channels/{channel}/messages/{message}", channel_id, message_id)
        return _message_id(await self._request(route, body, meta, repeatable=True))

    async def add_reaction(self, channel_id: str, message_id: str, emoji: str, meta: CallMeta) -> None:
        """React to a message. Raises `DiscordError`."""
        template = "/channels/{channel}/messages/{message}/reactions/{emoji}/@me"
        await self._request(Route("PUT", template, channel_id, message_id, emoji), None, meta, repeatable=True)

    async def _request(
        self,
        route: Route,
        body: dict[str, Any] | None,
        meta: CallMeta,
        *,
        repeatable: bool,
        query: dict[str, str] | None = None,
    ) -> Any:
        if not self._token:
            raise DiscordError(TOKEN_MISSING)
        if time.monotonic() < self._refused_until:
            raise DiscordError(TOKEN_REFUSED)
        async with self._limiter.turn(f"{route.method} {route.template}", route.channel_id) as turn:
            try:
                return await self._attempts(turn, route, body, meta, repeatable, query)
            except WouldWaitError as error:
                raise DiscordError(
                    f"Discord's rate limit: {route.path} may be asked again in {error.seconds:.0f} s.", transient=True
                ) from None

    async def _attempts(
        self,
        turn: Turn,
        route: Route,
        body: dict[str, Any] | None,
        meta: CallMeta,
        repeatable: bool,
        query: dict[str, str] | None,
    ) -> Any:
        failures = refusals = 0
        while True:
            await turn.admit()
            try:
                response = await self._send(route, body, meta, query)
            except httpx.TransportError as error:
                failures += 1
                unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if failures >= ATTEMPTS or not (repeatable or unsent):
                    raise DiscordError(
                        _unreachable(self._api_url, error, unsent), transient=repeatable or unsent
                    ) from None
                await self._sleep(FIRST_PAUSE * 2 ** (failures - 1))
                continue
            answer = _json(response)
            turn.learn(response.status_code, response.headers, _retry_after(answer, response))
            if response.status_code == 429:
                refusals += 1
                if refusals >= MOST_REFUSALS:
                    raise DiscordError(
                        f"Discord refused {refusals} times, because of its rate limit (429).", transient=True
                    )
            elif response.status_code >= 500:
                failures += 1
                if failures >= ATTEMPTS or not repeatable:
                    raise DiscordError(explain(response.status_code, answer), transient=repeatable)
                await self._sleep(FIRST_PAUSE * 2 ** (failures - 1))
            elif response.status_code >= 400:
                if response.status_code == 401:
                    self._refused_until = time.monotonic() + REFUSED_FOR
                raise DiscordError(explain(response.status_code, answer))
            else:
                return answer

    async def _send(
        self, route: Route, body: dict[str, Any] | None, meta: CallMeta, query: dict[str, str] | None
    ) -> httpx.Response:
        headers = {"traceparent": meta.traceparent} if self._trace and meta.traceparent else {}
        started = time.perf_counter()
        outcome: dict[str, Any] = {}
        try:
            response = await self._client.request(
                route.method, self._api_url + route.path, json=body, params=query, headers=headers
            )
            outcome = {"status": response.status_code}
            self._told = (response.headers.get("date", ""), self._clock())
        except httpx.TransportError as error:
            outcome = {"error": type(error).__name__, "level": "warning"}
            raise
        finally:
            ms = round((time.perf_counter() - started) * 1000, 1)
            log("discord_rest", method=route.method, path=route.path, ms=ms, **outcome, **meta.log_fields)
        return response


def allowed_mentions(kinds: str) -> dict[str, Any]:
    """What messages may ping, from a list such as `users,roles`; empty: nothing.

    Raises:
        ValueError: a kind that Discord doesn't know.
    """
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    if unknown := set(wanted) - {"users", "roles", "everyone"}:
        raise ValueError(f"DISCORD_ALLOWED_MENTIONS: {', '.join(sorted(unknown))}: expected users, roles, everyone")
    return {"parse": wanted, "replied_user": False}


def _message_id(answer: Any) -> str:
    return _id(answer, "message")


def _id(answer: Any, what: str) -> str:
    if not isinstance(answer, dict) or not answer.get("id"):
        raise DiscordError(f"Discord's answer holds no {what} id.")
    return str(answer["id"])


def _messages(answer: Any) -> list[dict[str, Any]]:
    """The messages of a page, the oldest first."""
    if not isinstance(answer, list):
        raise DiscordError("Discord's answer holds no messages.")
    found = [message for message in answer if isinstance(message, dict) and str(message.get("id")).isdecimal()]
    return sorted(found, key=lambda message: int(message["id"]))


def _json(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return None


def _retry_after(answer: Any, response: httpx.Response) -> float | None:
    """Seconds, from a 429's body, else from its Retry-After header (which a proxy in between sends alone)."""
    given = answer.get("retry_after") if isinstance(answer, dict) else response.headers.get("retry-after")
    try:
        return float(given) if given is not None else None
    except ValueError:
        return None


def _unreachable(api_url: str, error: httpx.TransportError, unsent: bool) -> str:
    sent = "Nothing was sent." if unsent else "Whether the request took effect is unknown."
    return f"Discord ({api_url}) can't be reached: {type(error).__name__}. {sent}"
