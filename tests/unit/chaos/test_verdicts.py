"""The judge of chaos runs: it must see what is missing, doubled, mixed up or strange, and nothing else."""

from __future__ import annotations

from itertools import islice

from chaos.questions import KINDS, Question, marks_in, question, questions
from chaos.verdicts import Asked, Verdict, judge, percentile


def asked(*questions: Question) -> list[Asked]:
    return [Asked(one, f"c{one.channel}", f"m{one.number}") for one in questions]


def answers(one: Question) -> list[str]:
    """What a bot that does everything right says."""
    pieces = [f"q{one.number}.{piece}" for piece in range(1, one.pieces + 1)]
    if one.kind == "long":
        return ["\n".join(pieces[:30]), "\n".join(pieces[30:])]
    return [f"answer {piece}" for piece in pieces]


PLAIN, LATER, THREE = question(1, 0, "plain"), question(2, 0, "plain"), question(3, 0, "three")


def verdict(said: list[str], *of: Question) -> Verdict:
    return judge(asked(*of), {"c0": said})


def test_right_answers_of_every_kind_are_answered_once() -> None:
    """Each kind's answer, in order: nothing to complain of."""
    all_kinds = [question(number, 0, kind) for number, kind in enumerate(KINDS)]
    found = verdict([text for one in all_kinds for text in answers(one)], *all_kinds)
    assert found.ok
    assert (found.issued, found.answered_once) == (len(KINDS), len(KINDS))


def test_a_question_says_what_its_answer_has_to_hold() -> None:
    """Every mark of the answer stands in the question, once."""
    for kind in KINDS:
        one = question(7, 0, kind)
        assert marks_in(one.text) == [(7, piece) for piece in range(1, one.pieces + 1)]


def test_a_missing_piece_is_a_lost_answer() -> None:
    """Two of three messages are not the answer."""
    found = verdict([*answers(PLAIN), *answers(THREE)[:2]], PLAIN, THREE)
    assert (found.lost, found.answered_once, found.ok) == ([3], 1, False)


def test_a_piece_that_comes_twice_is_a_doubled_answer() -> None:
    """Wherever the second one stands."""
    assert verdict([*answers(PLAIN), *answers(LATER), *answers(PLAIN)], PLAIN, LATER).doubled == [1]
    assert verdict([*answers(THREE), answers(THREE)[2]], THREE).doubled == [3]


def test_what_is_only_doubled_is_not_out_of_order() -> None:
    """A repeated piece always comes after later ones."""
    assert verdict([*answers(PLAIN), *answers(LATER), *answers(PLAIN)], PLAIN, LATER).out_of_order == []


def test_order_rules_in_a_channel_and_not_between_channels() -> None:
    """The later question's answer first: only where both were asked in one channel."""
    assert verdict([*answers(LATER), *answers(PLAIN)], PLAIN, LATER).out_of_order == [1]
    elsewhere = question(2, 1, "plain")
    apart = judge(asked(PLAIN, elsewhere), {"c1": answers(elsewhere), "c0": answers(PLAIN)})
    assert apart.ok


def test_pieces_of_an_answer_have_an_order() -> None:
    """The third before the second."""
    first, second, third = answers(THREE)
    assert verdict([first, third, second], THREE).out_of_order == [3]


def test_what_answers_nothing_is_strange() -> None:
    """An excuse, a question's answer in another channel, a piece that nobody asked for."""
    said = ["That didn't work", "q9.1", "q1.2"]
    found = judge(asked(PLAIN), {"c0": [*answers(PLAIN), *said], "c1": answers(PLAIN)})
    assert (found.strange, found.ok) == ([*said, *answers(PLAIN)], False)


def test_the_seed_decides_the_questions() -> None:
    """The same again, other ones for another seed; the first go to each channel once, some later ones to new channels."""
    first, again, other = (list(islice(questions(seed, 4), 600)) for seed in (1, 1, 2))
    assert first == again != other
    used = [one.channel for one in first]
    assert all(channel <= max([3, *used[:number]]) + 1 for number, channel in enumerate(used))
    assert max(used) > 4
    assert [one.channel for one in first[:4]] == [0, 1, 2, 3]
    assert {one.kind for one in first} == set(KINDS)


def test_percentiles_are_values_that_were_seen() -> None:
    """No interpolation; none of none."""
    assert [percentile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 2.0, 3.0]
    assert percentile([], 0.5) is None
