"""Faults that are done at once: to connections, sessions and tokens."""

from typing import Any

from botswain_simulator.faults import GATEWAY_ACTIONS, Fault, befalls, matches_session
from botswain_simulator.gateway import Connection, Hub, Session, end_sessions
from botswain_simulator.gateway.codes import CloseCode


def act(hub: Hub, fault: Fault) -> dict[str, Any]:
    """Do a fault to everything it matches; says what it hit."""
    if fault.kind == "reset_token":
        return _reset_tokens(hub, fault)
    hit = [
        session for session in list(hub.sessions.values()) if _matches(fault, session) and _act_on(hub, fault, session)
    ]
    return {"kind": fault.kind, "hits": len(hit), "sessions": [session_view(session) for session in hit]}


def _act_on(hub: Hub, fault: Fault, session: Session) -> bool:
    connection = session.sink
    if fault.kind in GATEWAY_ACTIONS | {"request_heartbeat"}:
        if not isinstance(connection, Connection) or fault.remaining == 0 or not befalls(fault):
            return False
        connection.apply(fault.kind, fault.spec)
        return True
    if fault.remaining == 0 or not befalls(fault):
        return False
    hub.end(session)
    if isinstance(connection, Connection):
        connection.close(CloseCode.UNKNOWN_ERROR, "The session has expired.")
    return True


def _reset_tokens(hub: Hub, fault: Fault) -> dict[str, Any]:
    reset = []
    for application in list(hub.world.applications.values()):
        if fault.spec.get("bot") in {None, application.id}:
            ended = end_sessions(hub, application)
            reset.append({"bot": application.id, "token": hub.world.reset_token(application), "sessions_ended": ended})
    return {"kind": fault.kind, "hits": len(reset), "bots": reset}


def _matches(fault: Fault, session: Session) -> bool:
    return matches_session(fault.spec, bot=session.application.id, shard=session.shard_id, session=session.id)


def session_view(session: Session) -> dict[str, Any]:
    """A session as GET /sim/sessions shows it."""
    return {
        "session_id": session.id,
        "bot": session.application.id,
        "shard": [session.shard_id, session.shard_count],
        "connected": session.sink is not None,
        "seq": session.sequence,
        "intents": session.intents,
        "resumes": session.resumes,
        "created_at": session.created_at,
        "detached_at": session.detached_at,
    }
