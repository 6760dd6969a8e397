"""Which mentions of a text ping."""

import pytest
from botswain_simulator.mentions import EVERYTHING, AllowedMentions, find
from botswain_simulator.models import MessageType
from botswain_simulator.rest.drafts import read_allowed_mentions
from botswain_simulator.rest.errors import ApiError
from botswain_simulator.rest.forms import Form
from botswain_simulator.world import Draft, World
from botswain_simulator.world.defaults import ADA_ID, BOT_ID

TEXT = "<@1> <@!2> <@&3> <@1> @everyone"


def allowed(value: object) -> AllowedMentions:
    form = Form({"allowed_mentions": value})
    result = read_allowed_mentions(form)
    form.check()
    return result


def test_without_allowed_mentions_everything_pings_once() -> None:
    """Users, roles and @everyone are found, each once and in order."""
    found = find(TEXT, allowed(None))
    assert (found.users, found.roles, found.everyone) == (("1", "2"), ("3",), True)


@pytest.mark.parametrize(
    ("value", "users", "roles", "everyone"),
    [
        ({}, (), (), False),
        ({"parse": []}, (), (), False),
        ({"parse": ["users"]}, ("1", "2"), (), False),
        ({"parse": ["everyone", "roles"]}, (), ("3",), True),
        ({"users": ["2", "9"]}, ("2",), (), False),
        ({"parse": ["everyone"], "roles": ["3"]}, (), ("3",), True),
    ],
)
def test_allowed_mentions_narrow_what_pings(
    value: object, users: tuple[str, ...], roles: tuple[str, ...], everyone: bool
) -> None:
    """`parse` opens whole kinds, `users` and `roles` single ids; the rest stays silent."""
    found = find(TEXT, allowed(value))
    assert (found.users, found.roles, found.everyone) == (users, roles, everyone)


def test_parse_and_a_list_of_the_same_kind_exclude_each_other() -> None:
    """Discord's own complaint comes back for `parse: [users]` beside `users`."""
    with pytest.raises(ApiError) as caught:
        allowed({"parse": ["users"], "users": ["1"]})
    assert caught.value.payload()["errors"] == {
        "allowed_mentions": {
            "_errors": [
                {
                    "code": "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                    "message": 'parse:["users"] and users: [ids...] are mutually exclusive.',
                }
            ]
        }
    }


def test_an_unknown_kind_is_complained_of_at_its_place() -> None:
    """The errors tree names the index in `parse`."""
    with pytest.raises(ApiError) as caught:
        allowed({"parse": ["users", "people"]})
    tree = caught.value.payload()["errors"]
    assert tree["allowed_mentions"]["parse"]["1"]["_errors"][0]["code"] == "BASE_TYPE_CHOICES"


def test_mentions_inside_code_do_not_ping() -> None:
    """What stands in a code span or block is text."""
    assert find("`<@1>` ```\n<@2> @everyone\n``` <@3>", EVERYTHING).users == ("3",)


@pytest.mark.parametrize(("value", "pinged"), [(None, True), ({"replied_user": True}, True), ({"parse": []}, False)])
def test_a_reply_pings_whom_it_answers_unless_told_not_to(world: World, value: object, pinged: bool) -> None:
    """`replied_user` is on without allowed_mentions and off by default with it."""
    channel = next(c for c in world.channels.values() if c.name == "general")
    first = world.post(channel, world.user(ADA_ID), "hello")
    answer = world.post(channel, world.user(BOT_ID), Draft("hi", reply_to=first, allowed=allowed(value)))
    assert answer.type == MessageType.REPLY
    assert (ADA_ID in answer.mentions) is pinged


def test_everyone_pings_only_from_who_may(world: World) -> None:
    """Without MENTION_EVERYONE the words stay in the text and ping nobody."""
    channel = next(c for c in world.channels.values() if c.name == "general")
    assert not world.post(channel, world.user_named("grace"), "@everyone").mention_everyone
    assert world.post(channel, world.user(ADA_ID), "@everyone").mention_everyone
