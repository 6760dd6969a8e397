"""Asking an orchestrator what only callers with a token may: what `botswain ledger` and `botswain deadletters` stand on.

Which one: what `botswain dev` runs, whose secret lies in its data directory, or what listens at an address, whose secret is
SERVICE_AUTH_SECRET. Where the environment names neither that nor BOTSWAIN_ENV, an address of this machine gets the
development secret: the rule that services follow too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botswain_cli import state_file
from botswain_cli.errors import CliError, NotAnsweredError
from botswain_cli.probes import words
from botswain_cli.status import as_url

AUDIENCE = "orchestrator-service"
ISSUER = "botswain-cli"


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """Where one is, and how to be let in. `timeout` in seconds, for each answer."""

    url: str
    secret: str = field(repr=False)
    timeout: float
    mend_secret: str
    """What a person does when it refuses the secret."""


def find(address: str | None, data_dir: Path, timeout: float) -> Orchestrator:
    """The orchestrator at `address`, or without one that of the `botswain dev` in `data_dir`.

    Raises:
        CliError: the address isn't one, its secret isn't known, or nothing runs here.
    """
    if address is not None:
        url = as_url(address)
        return Orchestrator(
            url,
            _secret_of(url),
            timeout,
            "Set SERVICE_AUTH_SECRET to the value that the orchestrator has; one that `botswain dev` started is found, with "
            "its secret, without --url.",
        )
    running = state_file.read(data_dir)
    part = next((part for part in running.parts if part.name == "orchestrator"), None)
    if part is None:
        raise CliError(f"the `botswain dev` of {data_dir} runs no orchestrator; --url gives the address of another")
    return Orchestrator(
        part.url,
        state_file.read_secret(data_dir),
        timeout,
        f"Is {data_dir} the data directory of the `botswain dev` that runs there? --data-dir names it.",
    )


def ask(where: Orchestrator, method: str, path: str, **request: Any) -> Mapping[str, Any]:
    """One request, with a token; the JSON object that comes back. `request` as httpx takes it: `params`, `json`.

    Raises:
        NotAnsweredError: no answer, a refusal, or an answer that isn't an orchestrator's.
    """
    import httpx
    from botswain_services.auth import TokenIssuer

    token = TokenIssuer(where.secret, issuer=ISSUER, audience=AUDIENCE)
    verify = where.url.startswith("https")  # loading the certificates takes a while
    try:
        with httpx.Client(timeout=where.timeout, trust_env=False, verify=verify) as client:
            response = client.request(method, f"{where.url}{path}", headers=token.header(), **request)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        hint = "`botswain status` tells what runs here; --url gives another address"
        raise NotAnsweredError(f"can't ask the orchestrator at {where.url}: {words(error)}; {hint}") from error
    body = _json(response)
    if response.status_code in (401, 403):
        raise NotAnsweredError(f"the orchestrator at {where.url} lets us not in: {_detail(body)}. {where.mend_secret}")
    if response.status_code == 404:
        raise NotAnsweredError(
            f"{where.url} has no {path}: is it the HTTP port of an orchestrator? (8000 unless HTTP_PORT says otherwise)"
        )
    if response.status_code != 200 or not isinstance(body, dict):
        raise NotAnsweredError(f"{where.url}{path} answered {response.status_code}: {_detail(body)}; its log says more")
    return body


@contextmanager
def understood(where: Orchestrator) -> Iterator[None]:
    """Around reading an answer: what isn't there, or isn't what it should be, is said in words.

    Raises:
        NotAnsweredError: in place of KeyError, TypeError and ValueError.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise NotAnsweredError(
            f"the answer of {where.url} isn't what this version of the command knows ({type(error).__name__}: {error}); "
            "are both of the same version?"
        ) from error


def _secret_of(url: str) -> str:
    from urllib.parse import urlsplit

    from botswain_services import ServiceSettings, SettingsError
    from botswain_services.settings import local_settings
    from botswain_services.urls import is_loopback

    try:
        settings = local_settings(ServiceSettings, loopback=is_loopback(urlsplit(url).hostname))
    except SettingsError as error:
        raise CliError(f"a token for {url} can't be made: {error}") from None
    return settings.service_auth_secret.get_secret_value()


def _json(response: Any) -> object:
    try:
        return response.json()
    except ValueError:
        return None


def _detail(body: object) -> str:
    detail = body.get("detail") if isinstance(body, dict) else None
    return str(detail or "it gives no reason")
