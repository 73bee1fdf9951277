"""Actions: the same whatever the order of their events, and judged by intervals that may be looked at again and again."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from services.nps.domain.actions import (
    Action,
    ActionDone,
    ActionDropped,
    ActionPromised,
    actions,
    apply,
    effect,
    judge,
    spans,
)
from services.nps.domain.figures import figure
from services.nps.domain.owners import Ownership, SegmentOwned
from services.nps.domain.owners import apply as owned

AT = datetime(2026, 11, 18, 6, tzinfo=UTC)
WHERE = (("region", "华东"), ("touchpoint", "time"))

moments = st.integers(0, 3).map(lambda h: AT + timedelta(hours=h))
words = st.sampled_from(["a", "b"])
events = st.one_of(
    st.builds(
        ActionPromised,
        st.just("s"),
        words,
        words,
        moments,
        words,
        words,
        st.just(WHERE),
        st.just(None),
        st.sampled_from([5.0, 9.0]),
    ),
    st.builds(ActionDone, st.just("s"), words, words, moments, words),
    st.builds(ActionDropped, st.just("s"), words, words, moments, words),
)


@given(st.lists(events, max_size=4))
def test_the_order_of_events_does_not_matter_nor_do_repeats(told) -> None:
    wanted = actions(told)
    assert all(actions(order) == wanted for order in permutations(told))
    assert actions([*told, *told]) == wanted


@given(st.lists(st.builds(SegmentOwned, st.just("o"), moments, words, st.sampled_from([(), WHERE])), max_size=4))
def test_the_latest_word_says_who_answers_whatever_the_order(told) -> None:
    def after(events) -> Ownership:
        known = Ownership("o")
        for event in events:
            known = owned(known, event)
        return known

    wanted = after(told)
    assert all(after(order) == wanted for order in permutations(told))
    assert after([*told, *told]) == wanted
    if told:
        assert wanted.told_at == max(event.time for event in told)


def test_an_action_is_promised_then_done_and_what_lies_between_belongs_to_neither_side() -> None:
    action = apply(Action("a"), ActionPromised("s", "1", "a", AT, "Mr Wu", "second van", WHERE, AT + timedelta(days=2)))
    assert action.status == "promised"
    assert spans(action, AT + timedelta(days=9)) is None
    assert action.overdue(AT + timedelta(days=3))
    done = apply(action, ActionDone("s", "2", "a", AT + timedelta(days=3), "it runs"))
    assert done.status == "done"
    assert not done.overdue(AT + timedelta(days=9))
    assert spans(done, AT + timedelta(days=9)) == (
        (AT - timedelta(days=28), AT),
        (AT + timedelta(days=3), AT + timedelta(days=9)),
    )
    assert apply(done, ActionDropped("s", "3", "a", AT + timedelta(days=4))).status == "done"


def test_what_it_did_is_said_only_where_the_answers_tell() -> None:
    assert effect(figure(40, 20, 60), figure(90, 20, 10)).verdict == "worked"
    assert effect(figure(400, 200, 600), figure(400, 200, 600), aim=15).verdict == "did_not"
    assert effect(figure(60, 20, 20), figure(20, 20, 80)).verdict == "did_not"
    assert effect(figure(40, 20, 40), figure(6, 2, 1)).verdict == "not_yet_known"
    assert effect(figure(40, 20, 40), figure(0, 0, 0)).verdict == "not_yet_known"
    assert effect(figure(0, 0, 0), figure(99, 0, 0)).verdict == "not_yet_known"
    action = Action("a", promised_at=AT)
    assert judge(action, figure(40, 20, 60), figure(90, 20, 10)).verdict == "not_done"
    assert judge(replace(action, done_at=AT), figure(40, 20, 60), figure(90, 20, 10)).verdict == "worked"


def test_looking_after_every_answer_seldom_calls_what_did_nothing_a_success() -> None:
    wrong = once = 0
    runs = 150
    for seed in range(runs):
        rnd = random.Random(seed)

        def answer(rnd: random.Random = rnd) -> int:
            return rnd.choices((0, 1, 2), (50, 30, 20))[0]

        before, after = [0, 0, 0], [0, 0, 0]
        for _ in range(200):
            before[answer()] += 1
        always = fixed = False
        for n in range(400):
            after[answer()] += 1
            if n % 4 == 3:
                always |= effect(figure(*before), figure(*after)).verdict == "worked"
                fixed |= effect(figure(*before), figure(*after), always=False).verdict == "worked"
        wrong += always
        once += fixed
    # One side of a 95 % interval: 2.5 % of 150 at most; an interval for one look is wrong far more often.
    assert wrong <= 8
    assert once > wrong
