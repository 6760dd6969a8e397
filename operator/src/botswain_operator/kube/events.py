"""Events on a DiscordBot: what happened, for `kubectl describe` and `kubectl events`."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from typing import Any

from botswain_operator import names
from botswain_operator.errors import ApiError, Conflict
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.kinds import EVENT

log = logging.getLogger(__name__)


async def record(client: KubeClient, bot: dict[str, Any], reason: str, message: str, *, warning: bool) -> None:
    """Write an event. One that can't be written is logged and let go: the status says the same."""
    metadata = bot["metadata"]
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    unique = hashlib.sha256(f"{metadata['uid']}{reason}{message}{now.isoformat()}".encode()).hexdigest()[:16]
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{unique}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "reason": reason,
        "message": message[:1000],
        "type": "Warning" if warning else "Normal",
        "source": {"component": names.FIELD_MANAGER},
        "reportingComponent": names.FIELD_MANAGER,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
    try:
        await client.create(EVENT, metadata["namespace"], body)
    except Conflict:
        log.debug("the event is there already: %s %s", reason, message)
    except ApiError as error:
        log.warning("%s/%s: can't write the event %s: %s", metadata["namespace"], metadata["name"], reason, error)
