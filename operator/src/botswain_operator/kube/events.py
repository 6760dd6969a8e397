"""Events on a DiscordBot: what happened, for `kubectl describe` and `kubectl events`."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from typing import NamedTuple

from botswain_operator import names
from botswain_operator.errors import ApiError, Conflict
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.kinds import EVENT

log = logging.getLogger(__name__)


class Subject(NamedTuple):
    """The bot that an event is about."""

    namespace: str
    name: str
    uid: str


async def record(client: KubeClient, bot: Subject, reason: str, message: str, *, warning: bool) -> None:
    """Write an event. One that can't be written is logged and let go: the status says the same."""
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    unique = hashlib.sha256(f"{bot.uid}{reason}{message}{now.isoformat()}".encode()).hexdigest()[:16]
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{bot.name}.{unique}", "namespace": bot.namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "namespace": bot.namespace,
            "name": bot.name,
            "uid": bot.uid,
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
        await client.create(EVENT, bot.namespace, body)
    except Conflict:
        log.debug("the event is there already: %s %s", reason, message)
    except ApiError as error:
        log.warning("%s/%s: can't write the event %s: %s", bot.namespace, bot.name, reason, error)
