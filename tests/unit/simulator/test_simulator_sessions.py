"""Sessions: numbering, keeping, replaying."""

import orjson
import pytest
from botswain_simulator.gateway.sessions import Session, dispatch_head
from botswain_simulator.world import World
from botswain_simulator.world.defaults import BOT_ID

HEAD = dispatch_head("MESSAGE_CREATE")


class Client:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.frames: list[dict[str, object]] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(orjson.loads(frame))


@pytest.fixture
def session(world: World) -> Session:
    return Session("abc", world.application(BOT_ID), 0, 1, 0, replay_limit=5, created_at=0.0)


def test_a_connected_client_gets_numbered_frames(session: Session) -> None:
    """The frame has Discord's four fields, and the numbers rise by one."""
    client = Client()
    session.sink = client
    session.dispatch(HEAD, b'{"n":1}')
    session.dispatch(HEAD, b'{"n":2}')
    assert client.frames[1] == {"t": "MESSAGE_CREATE", "s": 2, "op": 0, "d": {"n": 2}}


def test_what_came_while_away_is_replayed_with_its_own_numbers(session: Session) -> None:
    """Exactly the events after the client's number, in order."""
    for number in range(1, 5):
        session.dispatch(HEAD, b'{"n":%d}' % number)
    replayed = [orjson.loads(frame) for frame in session.replay(2)]
    assert [(f["s"], f["d"]["n"]) for f in replayed] == [(3, 3), (4, 4)]
    assert session.replay(4) == []


def test_a_replay_from_before_what_is_kept_is_impossible(session: Session) -> None:
    """Past the limit the oldest events are forgotten, and a session says so rather than leave a gap."""
    for number in range(1, 9):
        session.dispatch(HEAD, b'{"n":%d}' % number)
    assert not session.can_replay_from(2)
    assert session.can_replay_from(3)
    assert [orjson.loads(f)["s"] for f in session.replay(3)] == [4, 5, 6, 7, 8]


def test_resumed_repeats_the_latest_number_and_is_not_kept(session: Session) -> None:
    """A second resume does not replay the first one's RESUMED."""
    session.dispatch(HEAD, b"{}")
    assert orjson.loads(session.resumed_frame())["s"] == 1
    assert [orjson.loads(f)["t"] for f in session.replay(0)] == ["MESSAGE_CREATE"]
