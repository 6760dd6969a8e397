"""Asking a part how it is, over `/health` and `/ready`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a part said of itself. `reasons` say why it isn't ready, or why there was no answer."""

    alive: bool = False
    ready: bool = False
    service: str = ""
    version: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


def make_client(timeout: float = TIMEOUT) -> httpx.AsyncClient:
    """For parts on this machine: no proxy, no TLS."""
    return httpx.AsyncClient(timeout=timeout, trust_env=False, verify=False)  # noqa: S501 - plain http to addresses the person gave


async def is_ready(client: httpx.AsyncClient, url: str) -> str | None:
    """None when `<url>/ready` says so, else why not."""
    answer = await _ask_ready(client, url)
    return None if answer.ready else explain(answer)


async def ask(client: httpx.AsyncClient, url: str) -> Answer:
    """Both questions."""
    try:
        response = await client.get(f"{url}/health")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(reasons={"health": words(error)})
    if response.status_code != 200:
        return Answer(reasons={"health": f"/health answered {response.status_code}"})
    ready = await _ask_ready(client, url)
    about = _json(response)
    service = ready.service or str(about.get("service", ""))
    version = ready.version or str(about.get("version", ""))
    return Answer(True, ready.ready, service, version, ready.reasons, ready.details)


async def ask_all(urls: Iterable[str], timeout: float) -> list[Answer]:
    """Ask several side by side."""
    async with make_client(timeout) as client:
        return list(await asyncio.gather(*(ask(client, url) for url in urls)))


def explain(answer: Answer) -> str:
    """Its reasons in one line."""
    return "; ".join(f"{name}: {reason}" for name, reason in answer.reasons.items()) or "it gives no reason"


async def _ask_ready(client: httpx.AsyncClient, url: str) -> Answer:
    try:
        response = await client.get(f"{url}/ready")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(reasons={"ready": words(error)})
    body = _json(response)
    reasons = body.pop("reasons", {})
    if not isinstance(reasons, Mapping):
        reasons = {"ready": str(reasons)}
    if response.status_code != 200 and not reasons:
        reasons = {"ready": f"/ready answered {response.status_code}"}
    service, version = str(body.pop("service", "")), str(body.pop("version", ""))
    body.pop("status", None)
    return Answer(
        True, response.status_code == 200, service, version, {str(k): str(v) for k, v in reasons.items()}, body
    )


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def words(error: Exception) -> str:
    """Why there was no answer."""
    if isinstance(error, httpx.ConnectError):
        return "nothing listens there"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__
