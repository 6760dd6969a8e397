"""What `/metrics` shows of this service. Children are made here once: looking up a label costs more than counting."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RECEIVED = Counter("botswain_discord_dispatches", "Dispatches received from Discord, by kind.", ["kind"])
MESSAGES_RECEIVED = RECEIVED.labels("message")
EDITS_RECEIVED = RECEIVED.labels("edit")
REACTIONS_RECEIVED = RECEIVED.labels("reaction")
OTHERS_RECEIVED = RECEIVED.labels("other")

IGNORED = Counter(
    "botswain_discord_events_ignored", "Messages and reactions that are not for the agent, by reason.", ["reason"]
)
IGNORED_BY_REASON = {reason: IGNORED.labels(reason) for reason in ("own", "bot", "webhook", "system", "elsewhere")}

MALFORMED = Counter("botswain_discord_events_malformed", "Dispatches that were skipped because they can't be an event.")
UNREADABLE = Counter("botswain_discord_frames_unreadable", "Gateway frames that are not JSON objects, skipped.")
ODD_FIELDS = Counter("botswain_discord_odd_fields", "Optional fields left out because they were odd.", ["field"])

ACCEPTED = Counter("botswain_discord_events_accepted", "Events put into the outbox.")
FORWARDED = Counter("botswain_discord_events_forwarded", "Events that the orchestrator acknowledged.")
REJECTED = Counter("botswain_discord_events_rejected", "Events that the orchestrator refused for good.")
UNDELIVERED = Counter("botswain_discord_events_undelivered", "Events given up on; their ids are in the log.")
BACKFILLED = Counter("botswain_discord_messages_fetched", "Messages fetched because a session was lost.")
OUTBOX = Gauge("botswain_discord_outbox_events", "Events that wait for the orchestrator.")
PAUSES = Counter("botswain_discord_reading_pauses", "Times reading from Discord paused because the outbox was full.")

CONNECTIONS = Counter("botswain_discord_gateway_connections", "Gateway connections opened, by how.", ["how"])
IDENTIFIES = CONNECTIONS.labels("identify")
RESUMES = CONNECTIONS.labels("resume")
DISCONNECTIONS = Counter("botswain_discord_gateway_disconnections", "Gateway connections lost.")
PUBLISH_STREAMS = Counter("botswain_discord_publish_streams", "Publish streams opened to the orchestrator.")
