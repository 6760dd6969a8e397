"""The schema, brought up to date at start by Alembic's migrations.

They run on the connection of the caller, in its transaction: a start that fails half-way leaves the database as it
was. A database of the first version knows no Alembic; it is told where it stands.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect

from botswain_orchestrator.errors import LedgerError

FIRST = "0001"
_HERE = Path(__file__).parent / "migrations"
_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps what it is working on in globals."""


def prepare(connection: Connection) -> None:
    """Make what is missing.

    Raises:
        LedgerError: the database was made by a later version of this program.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    with _ONE_AT_A_TIME:
        at = MigrationContext.configure(connection).get_current_revision()
        if at is None and inspect(connection).has_table("events"):
            command.stamp(config, FIRST)
            at = FIRST
        known = [script.revision for script in scripts.walk_revisions()]
        if at is not None and at not in known:
            raise LedgerError(
                f"DATABASE_URL: the database has schema version {at}, this program knows {known[0]} and those before. "
                "Use the program version that made it, or another database."
            )
        if at != known[0]:
            command.upgrade(config, "head")
