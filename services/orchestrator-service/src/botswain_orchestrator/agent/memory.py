"""What a conversation remembers: LangGraph's checkpoints, in the ledger.

A checkpointer of our own rather than `langgraph-checkpoint-sqlite`, for three reasons. The turn's checkpoint and the
end of its event are committed together, so memory never misses a turn that was answered nor holds one that was not;
a turn that fails leaves nothing. A turn costs no commit of its own. And whatever engine the ledger has, this has too.

Only the latest checkpoint of a thread is kept, and only at the end of a turn: the graph runs with
`durability="exit"`. What LangGraph would store between steps (`put_writes`) has no reader then, and isn't stored.

Reading a long conversation costs more than all else a turn does here, so the latest states are kept in memory too.
The ledger is asked each time whether such a state is still the latest: only it knows what was committed.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.base import Checkpoint as GraphCheckpoint

from botswain_orchestrator.ledger import Checkpoint, Ledger

WARM_THREADS = 256
"""Conversations whose state is kept in memory."""

_Key: TypeAlias = tuple[str, str]


class LedgerSaver(BaseCheckpointSaver[int]):
    """Reads checkpoints from the ledger; keeps new ones until `take()`, which hands them to who ends the turn."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger
        self._staged: dict[str, Checkpoint] = {}
        self._warm: OrderedDict[_Key, CheckpointTuple] = OrderedDict()

    def take(self, thread_id: str) -> Checkpoint | None:
        """The checkpoint that a turn left, once; also the way to drop it."""
        return self._staged.pop(thread_id, None)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The thread's state after its last turn that was completed."""
        thread_id, namespace = key = _key(config)
        warm = self._warm.get(key)
        if warm is not None and await self._ledger.checkpoint_id(thread_id, namespace) == warm.checkpoint["id"]:
            self._warm.move_to_end(key)
            return warm
        found = await self._ledger.checkpoint(thread_id, namespace)
        if found is None:
            return None
        return CheckpointTuple(
            config=_config(thread_id, namespace, found.checkpoint_id),
            checkpoint=cast(GraphCheckpoint, self.serde.loads_typed((found.encoding, found.checkpoint))),
            metadata=cast(CheckpointMetadata, json.loads(found.details)),
        )

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: GraphCheckpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stage the thread's new state."""
        thread_id, namespace = key = _key(config)
        encoding, data = self.serde.dumps_typed(checkpoint)
        details = json.dumps(get_checkpoint_metadata(config, metadata)).encode()
        self._staged[thread_id] = Checkpoint(thread_id, namespace, checkpoint["id"], encoding, data, details)
        after = _config(thread_id, namespace, checkpoint["id"])
        self._warm[key] = CheckpointTuple(after, checkpoint, metadata)
        self._warm.move_to_end(key)
        if len(self._warm) > WARM_THREADS:
            self._warm.popitem(last=False)
        return after

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Nothing: see the module's text."""

    async def adelete_thread(self, thread_id: str) -> None:
        """Forget a conversation."""
        self._staged.pop(thread_id, None)
        await self._ledger.forget(thread_id)


def trimmed(messages: Sequence[AnyMessage], limit: int) -> list[AnyMessage]:
    """The latest messages, at most `limit`, cut before a user's message.

    Whole turns go, so no tool result is left without its call. The last turn stays whole, however long it is.
    """
    starts = [index for index, message in enumerate(messages) if isinstance(message, HumanMessage)]
    for start in starts:
        if len(messages) - start <= limit:
            return list(messages[start:])
    return list(messages[starts[-1] :]) if starts else list(messages[-limit:])


def _key(config: RunnableConfig) -> _Key:
    configurable = config["configurable"]
    return str(configurable["thread_id"]), str(configurable.get("checkpoint_ns", ""))


def _config(thread_id: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": checkpoint_id}}
