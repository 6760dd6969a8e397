"""`botswain` as typed: help, version, wrong usage, addresses."""

from __future__ import annotations

import subprocess
import sys

import pytest
from botswain_cli.discord_api import check_token
from botswain_cli.errors import BadTokenError, CliError
from botswain_cli.output import wants_colour
from botswain_cli.status import as_url


def botswain(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "botswain_cli", *arguments], capture_output=True, text=True, check=False
    )


def test_help_names_the_commands() -> None:
    """`botswain --help` lists all of them."""
    done = botswain("--help")
    assert done.returncode == 0
    for command in ("dev", "status", "ledger", "deadletters"):
        assert command in done.stdout


def test_help_of_dev_names_its_options() -> None:
    """Every option of `botswain dev` is in its help."""
    text = botswain("dev", "--help").stdout
    for option in ("--free-ports", "--model", "--data-dir", "--log-level", "--log-format", "--rate-limits", "--json"):
        assert option in text


def test_version_is_printed() -> None:
    """`botswain --version` names the distribution's version."""
    assert botswain("--version").stdout.strip() == "botswain 0.1.0"


def test_help_loads_nothing_heavy() -> None:
    """What only a running command needs isn't imported for help, so that help comes at once."""
    code = (
        "import sys, botswain_cli.main; heavy = {'asyncio', 'httpx', 'psutil', 'rich.console', 'pydantic', 'botswain_services'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["dev", "--rate-limits", "none"],
        ["dev", "--discord-port", "0"],
        ["fly"],
        ["deadletters", "requeue"],
        ["deadletters", "requeue", "3", "--all"],
        ["deadletters", "requeue", "three"],
        ["deadletters", "--limit", "0"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    """A wrong option or command is a usage error, before anything starts."""
    assert botswain(*arguments).returncode == 2


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("8000", "http://127.0.0.1:8000"),
        ("localhost:8000", "http://localhost:8000"),
        ("http://10.0.0.1:8003/", "http://10.0.0.1:8003"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_may_be_short(address: str, url: str) -> None:
    """A port, host:port and a URL all name a service."""
    assert as_url(address) == url


@pytest.mark.parametrize("address", ["", "ftp://x", "http://", "host:99999", "host:port"])
def test_what_is_no_address_is_named(address: str) -> None:
    """The error repeats what was given and says which forms there are."""
    with pytest.raises(CliError, match="host:port"):
        as_url(address)


def test_a_token_loses_the_space_around_it() -> None:
    """Copying often adds a line end."""
    assert check_token(" a.b.c\n") == "a.b.c"


@pytest.mark.parametrize("token", ["Bot a.b.c", "a\tb", "ä.b.c"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(token: str) -> None:
    """Spaces and odd characters are said so; the token isn't."""
    with pytest.raises(BadTokenError) as caught:
        check_token(token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("terminal", "environ", "colour"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_follows_terminal_and_environment(terminal: bool, environ: dict[str, str], colour: bool) -> None:
    """NO_COLOR wins, FORCE_COLOR does without a terminal."""
    assert wants_colour(terminal, environ) is colour
