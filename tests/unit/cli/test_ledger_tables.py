"""How what the ledger holds looks to a person, and which secret opens it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botswain_cli import tables
from botswain_cli.deadletters import DeadLetter, Listing, Requeued, in_words
from botswain_cli.errors import CliError
from botswain_cli.orchestrator import find
from botswain_services.settings import DEVELOPMENT_SECRET

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def letter(**values: object) -> DeadLetter:
    fields = {"id": 7, "bot_id": "1", "event_id": "discord:message:5", "lane": "discord:1:2", "correlation_id": "c"}
    return DeadLetter(**{**fields, "failures": 5, "received_at": NOW, "parked_at": NOW, "reason": "x", **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7200, "2 h ago"),
        (172_800, "2 d ago"),
        (-5, "0 s ago"),
    ],
)
def test_an_age_has_one_unit(seconds: int, text: str) -> None:
    """The largest of which there are two; a clock that is ahead makes no negative age."""
    assert tables.ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_what_a_reason_holds_does_not_reach_the_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    """Reasons quote models and servers: escape sequences are taken out, and brackets are no markup."""
    tables.show_deadletters(Listing((letter(reason="a\x1b[2J[red]b[/red]\x07", event_id="[bold]5"),), 1))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "a[red]b[/red]" in printed
    assert "[bold]5" in printed


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Requeued((3,)), "1 dead letter waits for its turn again: 3"),
        (Requeued((3, 4)), "2 dead letters wait for their turns again: 3, 4"),
        (Requeued(()), "0 dead letters wait for their turns again"),
        (Requeued((), (9,)), "no dead letters, or no longer: 9; `botswain deadletters` lists them"),
    ],
)
def test_what_was_requeued_in_words(done: Requeued, words: str) -> None:
    """How many, and which ids."""
    assert in_words(done) == words


def test_the_development_secret_serves_on_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no variable says otherwise a loopback address gets it, another address an error that names the variable."""
    for name in ("SERVICE_AUTH_SECRET", "BOTSWAIN_ENV"):
        monkeypatch.delenv(name, raising=False)
    assert find("8000", Path("unused"), 1.0).secret == DEVELOPMENT_SECRET
    with pytest.raises(CliError, match="SERVICE_AUTH_SECRET"):
        find("192.0.2.1:8000", Path("unused"), 1.0)


def test_the_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when where to ask is printed."""
    monkeypatch.setenv("SERVICE_AUTH_SECRET", "s3cret-of-the-services")
    assert "s3cret" not in repr(find("192.0.2.1:8000", Path("unused"), 1.0))
