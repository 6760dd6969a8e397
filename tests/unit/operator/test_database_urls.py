"""What is read from a database URL."""

from __future__ import annotations

import pytest
from botswain_operator.database_urls import addresses_of
from botswain_operator.errors import DatabaseUrlError


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("postgresql://bot:pw@db.example.com/bots", [("db.example.com", 5432)]),
        ("postgresql+psycopg://bot:p%40w@db.data.svc:6432/bots?sslmode=require\n", [("db.data.svc", 6432)]),
        ("postgres://db", [("db", 5432)]),
        ("postgresql://bot:pw@one:5433,two/bots", [("one", 5433), ("two", 5432)]),
        ("postgresql:///bots?host=one:5433&host=two:5434", [("one", 5433), ("two", 5434)]),
        ("postgresql://bot@/bots?host=one", [("one", 5432)]),
        ("postgresql:///bots?host=db&port=6000", [("db", 6000)]),
        ("postgresql://bot@[fd00::1]:5433/bots", [("fd00::1", 5433)]),
        ("postgresql://bot@[fd00::1]/bots", [("fd00::1", 5432)]),
        ("postgresql:///bots?host=/run/postgresql", []),
    ],
)
def test_each_server_is_found(url: str, addresses: list[tuple[str, int]]) -> None:
    """Host and port of every server, in each of the forms that drivers take."""
    assert list(addresses_of(url)) == addresses


@pytest.mark.parametrize(
    "url", ["sqlite:///data/bots.db", "postgresql+asyncpg://u:secret@h/d", "secret", "postgresql://u:secret@h:x/d"]
)
def test_anything_else_is_refused_without_telling_it(url: str) -> None:
    """The error says what is wrong and nothing of what the Secret holds."""
    with pytest.raises(DatabaseUrlError) as caught:
        addresses_of(url)
    assert "secret" not in str(caught.value)
    assert "postgresql" in str(caught.value) or "port" in str(caught.value)
