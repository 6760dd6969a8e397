"""Statements that each engine has a form of its own for: built once, because building one costs as much as running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite


class PerEngine:
    """One statement in every engine's form.

    Args:
        build: makes it, given the engine's `insert`.
    """

    def __init__(self, build: Callable[[Any], Executable]) -> None:
        self._forms = {"sqlite": build(sqlite.insert), "postgresql": build(postgresql.insert)}

    def on(self, connection: Connection) -> Executable:
        """The form for a connection."""
        return self._forms[connection.dialect.name]


def replacing(
    table: Table, keys: Sequence[str], names: Sequence[str] | None = None, *, where: Callable[[Any], Any] | None = None
) -> PerEngine:
    """INSERT a row, or change the one with the same keys.

    Args:
        table: where.
        keys: columns of a unique key.
        names: columns that are changed; None: all others.
        where: given the new row, whether the old one is changed at all.
    """
    changed = names if names is not None else [column.name for column in table.c if column.name not in keys]

    def build(insert: Any) -> Executable:
        statement = insert(table)
        new = statement.excluded
        condition = where(new) if where is not None else None
        return statement.on_conflict_do_update(  # type: ignore[no-any-return]
            index_elements=list(keys), set_={name: new[name] for name in changed}, where=condition
        )

    return PerEngine(build)
