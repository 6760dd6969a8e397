"""The rows about orchestrators: who is alive, and whose each partition is. Functions that run inside a transaction of
their caller.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, select, update

from botswain_orchestrator.errors import FencedError
from botswain_orchestrator.ledger.statements import replacing
from botswain_orchestrator.ledger.tables import partitions, replicas


def heard_from(connection: Connection, replica: str, *, now: float, lease: float, leaving: bool) -> None:
    """An orchestrator is alive, for `lease` seconds; one that is leaving takes no share any more."""
    row = {"id": replica, "expires_at": int((now + lease) * 1000), "leaving": leaving}
    connection.execute(_HEARD.on(connection), row)


def leave(connection: Connection, replica: str) -> None:
    """An orchestrator has ended."""
    connection.execute(delete(replicas).where(replicas.c.id == replica))


def living(connection: Connection, *, now: float) -> dict[str, bool]:
    """Those that were heard from within their lease, and whether they are leaving; the others are forgotten."""
    connection.execute(delete(replicas).where(replicas.c.expires_at <= int(now * 1000)))
    return {row.id: row.leaving for row in connection.execute(select(replicas).order_by(replicas.c.id))}


def owners(connection: Connection) -> dict[int, tuple[str | None, int]]:
    """Owner and epoch of every partition."""
    return {row.id: (row.owner, row.epoch) for row in connection.execute(select(partitions))}


def take(connection: Connection, replica: str, chosen: Collection[int]) -> dict[int, int]:
    """Make partitions an orchestrator's; their new epochs."""
    if not chosen:
        return {}
    statement = (
        update(partitions)
        .where(partitions.c.id.in_(sorted(chosen)))
        .values(owner=replica, epoch=partitions.c.epoch + 1)
        .returning(partitions.c.id, partitions.c.epoch)
    )
    return {row.id: row.epoch for row in connection.execute(statement)}


def let_go(connection: Connection, replica: str, chosen: Collection[int]) -> None:
    """Free an orchestrator's partitions."""
    mine = partitions.c.id.in_(sorted(chosen)) & (partitions.c.owner == replica)
    connection.execute(update(partitions).where(mine).values(owner=None))


def check(connection: Connection, partition: int, epoch: int) -> None:
    """See to it that the partition is still owned under `epoch`, until the transaction ends.

    Raises:
        FencedError: it isn't.
    """
    if connection.execute(_STILL, {"partition": partition, "under": epoch}).one_or_none() is None:
        raise FencedError(f"partition {partition} is no longer held under epoch {epoch}")


_HEARD = replacing(replicas, ["id"])
# FOR SHARE keeps a take-over waiting until the owner's write is committed, and owners' writes don't wait for each other.
_STILL = (
    select(partitions.c.id)
    .where(
        partitions.c.id == bindparam("partition"),
        partitions.c.epoch == bindparam("under"),
        partitions.c.owner.is_not(None),
    )
    .with_for_update(read=True)
)
