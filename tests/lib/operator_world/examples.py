"""Bots and observations for tests of pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botswain_operator import names
from botswain_operator.observed import GatewayFacts, Observed, Replica, Token, Workload, read_replica, read_workload
from botswain_operator.resources import Plan
from botswain_operator.spec import Bot, read_bot

TOKEN = Token("valid", hash="aaaa", user_id="1191168914227200001")


def bot(**spec: Any) -> Bot:
    """The bot `harbour` with this spec."""
    metadata = {"namespace": "bots", "name": "harbour", "uid": "bot-uid", "generation": 1}
    return read_bot({"metadata": metadata, "spec": {"tokenSecretRef": {"name": "token"}, **spec}})


def facts(**more: Any) -> GatewayFacts:
    """A healthy answer of Discord."""
    base: dict[str, Any] = {
        "recommended_shards": 1,
        "identify_total": 1000,
        "identify_remaining": 1000,
        "reset_at": datetime(2026, 1, 1, tzinfo=UTC),
        "max_concurrency": 1,
        "user_id": "1191168914227200001",
        "username": "harbour",
    }
    return GatewayFacts(**{**base, **more})


def observed(**more: Any) -> Observed:
    """A fresh namespace and a valid token."""
    base: dict[str, Any] = {"token": TOKEN, "gateway": facts(), "fresh_secret": "fresh"}
    return Observed(**{**base, **more})


def replicas_of(plan: Plan, *, ready: bool = True) -> dict[int, Replica]:
    """The discord-service replicas that a plan applies, as they are seen afterwards."""
    found = {}
    for manifest in plan.manifests:
        if manifest["kind"] == "Deployment" and manifest["metadata"]["labels"].get(names.LABEL_PART) == names.DISCORD:
            replica = read_replica(read_workload({**manifest, "status": _status(manifest, ready=ready)}))
            assert replica is not None
            found[replica.number] = replica
    return found


def _status(manifest: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    count = manifest["spec"]["replicas"]
    return {"replicas": count, "updatedReplicas": count, "readyReplicas": count if ready else 0}


def workload(name: str, *, ready: bool = True) -> Workload:
    """A Deployment of one pod."""
    return Workload(name, 1, 1, 1, 1, 1, 1 if ready else 0)
