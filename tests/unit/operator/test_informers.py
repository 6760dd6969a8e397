"""What an informer holds while answers to writes and events of the watch cross."""

from __future__ import annotations

from typing import Any

import kopf
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.informers import Informer
from botswain_operator.kube.kinds import SECRET


def secret(version: int, uid: str = "first", **data: str) -> dict[str, Any]:
    labels = {"botswain.dev/bot": "harbour"}
    metadata = {"namespace": "bots", "name": "auth", "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, "data": data}


class Told:
    """An informer, and what it said was changed."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        client = KubeClient(kopf.ConnectionInfo(server="http://127.0.0.1:1"))
        self.informer = Informer(client, SECRET, None, lambda _, name, bot: self.changes.append(f"{name} of {bot}"))

    def data(self) -> Any:
        entry = self.informer.get("bots", "auth")
        return entry.body()["data"] if entry else None


def test_older_version_changes_nothing() -> None:
    """The event of a write that is known from its answer is passed over."""
    told = Told()
    told.informer.update(secret(2, value="new"), tell=False)
    told.informer.update(secret(1, value="old"))
    told.informer.update(secret(2, value="new"))
    assert told.data() == {"value": "new"}
    assert told.changes == []


def test_end_of_an_object_is_not_that_of_its_successor() -> None:
    """An object that was deleted and made anew stays known when the event of the deletion comes late."""
    told = Told()
    told.informer.update(secret(1, value="old"))
    told.informer.update(secret(3, uid="second", value="new"), tell=False)
    told.informer.remove("bots", "auth", "first")
    assert told.data() == {"value": "new"}
    told.informer.remove("bots", "auth", "second")
    assert told.data() is None
    assert told.changes == ["auth of harbour"] * 2


def test_object_that_changes_hands_is_told_to_both_bots() -> None:
    """When the label that says whose it is changes, the bot that has lost it hears of it too."""
    told = Told()
    told.informer.update(secret(1))
    moved = secret(2)
    moved["metadata"]["labels"] = {}
    told.informer.update(moved)
    assert told.changes == ["auth of harbour", "auth of ", "auth of harbour"]
    assert list(told.informer.of_bot("bots", "harbour")) == []
