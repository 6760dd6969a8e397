"""The judge of the main job: it must see what is missing, doubled, strange or out of order."""

from __future__ import annotations

import itertools

from answers import Deed, Question, judge, kinds, percentile, question

PLAIN, LATER = question(1, "c", "plain"), question(2, "c", "plain")


def deeds(*what: str, channel: str = "c") -> list[Deed]:
    return [Deed(channel, one, float(at)) for at, one in enumerate(what)]


def problems(questions: list[Question], done: list[Deed]) -> list[str]:
    return judge(questions, {one.number: f"id{one.number}" for one in questions}, done)[0]


def test_answers_as_expected_are_no_problem() -> None:
    """Plain answers hold the marker within other words; tools do exactly what was asked; the first deed's time is kept."""
    edit, several, react = question(3, "c", "edit"), question(4, "c", "several"), question(5, "c", "react")
    done = deeds(
        "message:You said: “ping m0001”",
        "message:You said: “ping m0002”",
        "message:draft m0003",
        "edit:final m0003",
        "message:first m0004",
        "message:second m0004",
        "message:third m0004",
        "reaction:id5:👍",
    )
    ids = {number: f"id{number}" for number in range(1, 6)}
    found, first = judge([PLAIN, LATER, edit, several, react], ids, done)
    assert found == []
    assert first == {1: 0.0, 2: 1.0, 3: 2.0, 4: 4.0, 5: 7.0}


def test_a_missing_answer_is_seen() -> None:
    """The question without one is named."""
    assert any("message 2" in one for one in problems([PLAIN, LATER], deeds("message:m0001")))


def test_a_second_answer_is_seen() -> None:
    """Once more is too much."""
    assert problems([PLAIN], deeds("message:m0001", "message:m0001"))


def test_answers_out_of_order_are_seen() -> None:
    """Within a channel the order of questions rules."""
    assert any("after message 2" in one for one in problems([PLAIN, LATER], deeds("message:m0002", "message:m0001")))


def test_order_does_not_matter_between_channels() -> None:
    """Lanes run side by side."""
    other = question(2, "other", "plain")
    assert problems([PLAIN, other], deeds("message:m0002", channel="other") + deeds("message:m0001")) == []


def test_an_answer_in_another_channel_is_seen() -> None:
    """Right words in the wrong place are no answer."""
    assert problems([PLAIN], deeds("message:m0001", channel="elsewhere"))


def test_a_deed_nobody_asked_for_is_seen() -> None:
    """What fits no question is named."""
    assert any("nobody asked" in one for one in problems([PLAIN], deeds("message:m0001", "message:surprise")))


def test_messages_of_one_answer_in_the_wrong_order_are_seen() -> None:
    """Several messages come in the order they were asked for."""
    several = question(1, "c", "several")
    assert problems([several], deeds("message:second m0001", "message:first m0001", "message:third m0001"))


def test_questions_with_tools_are_spread() -> None:
    """Twenty of two hundred, of all three kinds, not in a row."""
    found = kinds(200, 20)
    tools = [number for number, kind in enumerate(found) if kind != "plain"]
    assert len(tools) == 20
    assert {found[number] for number in tools} == {"react", "edit", "several"}
    assert min(b - a for a, b in itertools.pairwise(tools)) >= 5


def test_percentiles_are_values_that_were_seen() -> None:
    """No interpolation."""
    assert [percentile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 2.0, 3.0, 3.0]
