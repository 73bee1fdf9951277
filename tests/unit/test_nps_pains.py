"""The week's pain points: what rose is named with its place, what is noise is not, and promises are judged by what came of them."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nps.domain.actions import Action
from services.nps.domain.figures import figure
from services.nps.domain.kept import always, kept
from services.nps.domain.pains import Findings, find, scores
from services.nps.domain.replies import Reply, Week, count, strata_of
from services.sentiment.domain.tongue import tongue, tongues

START = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
STAGES = ("delivery.time", "delivery.packaging", "goods.quality", "shopping.price", "aftersales.response")
REGIONS, GROUPS = ("华东", "华南", "华北"), ("社区店", "前置仓", "高校店", "写字楼店")
WHERE = ("region", "store_group")


def week(
    seed: int, start: datetime, size: int = 900, planted: float = 0.0, stage: str = STAGES[1], group: str = "前置仓"
) -> list[Reply]:
    """Answers of a week; in `group`, a share `planted` complains of `stage` on top of what all do."""
    dice = Random(seed)
    found = []
    for i in range(size):
        segments = (("region", dice.choice(REGIONS)), ("store_group", dice.choice(GROUPS)))
        complains = tuple(s for s in STAGES if dice.random() < 0.02)
        if segments[1][1] == group and dice.random() < planted:
            complains = tuple(dict.fromkeys((*complains, stage)))
        score = dice.choice((2, 4, 6, 8)) if complains else dice.choice((5, 7, 8, 9, 9, 10))
        at = start + timedelta(seconds=dice.randrange(7 * 86400))
        found.append(Reply(f"{seed}-{i}", at, score, segments, "staged" if complains else "none", complains))
    return found


def look(this: list[Reply], last: list[Reply]) -> Findings:
    strata = strata_of([*this, *last], ("region",))
    now, before = (count(rs, WHERE, strata, ("region",)) for rs in (this, last))
    return find(now, before, WHERE)


def test_what_is_planted_is_found_with_its_place_and_put_first() -> None:
    found = look(week(1, START, planted=0.15), week(2, START - WEEK))
    assert [(p.stage, p.narrowest, p.only) for p in found.alarms] == [(STAGES[1], ("store_group", "前置仓"), True)]
    assert found.worst[0].stage == STAGES[1]
    worst = found.worst[0]
    assert worst.moved is not None
    assert worst.moved.high < 0
    assert worst.trend.low > 0
    spot = next(s for s in worst.spots if s.place == ("store_group", "前置仓"))
    assert spot.worse
    assert spot.risen
    assert not any(s.worse for s in worst.spots if s.place[0] == "region")


def test_a_rise_everywhere_has_no_single_place() -> None:
    this = [
        Reply(r.survey_id, r.time, r.score, r.segments, "staged", (*{*r.complains, STAGES[0]},)) if i % 6 == 0 else r
        for i, r in enumerate(week(1, START))
    ]
    found = look(this, week(2, START - WEEK))
    assert [(p.stage, p.narrowest, p.only) for p in found.alarms] == [(STAGES[0], None, False)]


def test_without_a_change_there_is_no_alarm_in_two_hundred_weeks() -> None:
    alarms = sum(
        bool(look(week(seed, START, 300), week(seed + 10_000, START - WEEK, 300)).alarms) for seed in range(200)
    )
    assert alarms <= 5  # of 200 at 1 %: more than 5 would be rarer than once in 60


def test_what_ended_got_better_and_the_first_week_has_nothing_to_compare_with() -> None:
    bad, good = week(1, START - WEEK, planted=0.2), week(2, START)
    assert [(b.stage, b.praise) for b in look(good, bad).better] == [(STAGES[1], False)]
    alone = look(bad, [])
    assert alone.moved is None
    assert alone.tests == 0
    assert not alone.alarms
    assert not alone.better
    assert not alone.calm
    assert alone.worst


def test_what_all_places_did_for_certain_is_no_reason_to_be_calm() -> None:
    last = week(3, START - WEEK, 2000)
    this = [Reply(r.survey_id, r.time, max(0, r.score - 2), r.segments) for r in week(4, START, 2000)]
    found = look(this, last)
    assert found.moved is not None
    assert found.moved.high < 0
    assert not [c for c in found.calm if c.moved.points < 0]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.sampled_from(REGIONS), st.sets(st.sampled_from(STAGES))), max_size=40))
def test_counts_add_up(rows: list[tuple[int, str, set[str]]]) -> None:
    replies = [
        Reply(str(i), START, score, (("region", region),), "staged" if stages else "none", tuple(stages))
        for i, (score, region, stages) in enumerate(rows)
    ]
    found: Week = count(replies, ("region",), strata_of(replies, ("region",)), ("region",))
    assert found.all.n == len(rows) == sum(f.n for f in found.by.values()) == int(found.answers.sum())
    assert sum(found.readings.values()) == len(rows)
    for stage in STAGES:
        told = sum(stage in stages for _, _, stages in rows)
        at = sum(n for (s, _), n in found.complaints_at.items() if s == stage)
        assert found.complaints[stage] == told == at
        assert told == (int(found.complaining[stage].sum()) if stage in found.complaining else 0)


def test_scores_compared_have_an_interval_that_widens_with_the_confidence() -> None:
    before, after = figure(50, 30, 20), figure(40, 30, 30)
    usual, wide = scores(before, after), scores(before, after, 0.001)
    assert usual.points == pytest.approx(-20)
    assert usual.low < -20 < usual.high
    assert wide.low < usual.low < usual.high < wide.high


PROMISED = START + timedelta(days=6)
DONE = START + WEEK


def action(**more: object) -> Action:
    segments = (("stage", STAGES[1]), ("store_group", "前置仓"))
    return Action("a", "林涛", "换箱", segments, PROMISED, done_at=DONE, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "size", "verdict"),
    [
        (0.25, 0.0, 3000, "worked"),
        (0.25, 0.25, 3000, "did_not"),
        (0.05, 0.4, 3000, "did_not"),
        (0.25, 0.15, 150, "not_yet_known"),
        (0.25, 0.0, 20, "not_yet_known"),
    ],
)
def test_a_promise_is_judged_by_the_complaints(before: float, after: float, size: int, verdict: str) -> None:
    replies = week(5, START, size, before) + week(6, START + WEEK, size, after)
    found = kept(action(), replies, START + 2 * WEEK)
    assert found.verdict == verdict
    assert found.low <= found.change <= found.high
    assert found.before.n + found.after.n < len(replies)


def test_what_fell_everywhere_is_not_its_doing() -> None:
    # All places had the trouble and lost it, the one with the action no more than the others.
    before = [
        Reply(r.survey_id, r.time, 5, r.segments, "staged", (STAGES[1],)) if i % 5 == 0 else r
        for i, r in enumerate(week(7, START, 3000))
    ]
    found = kept(action(), before + week(8, START + WEEK, 3000), START + 2 * WEEK)
    assert found.elsewhere is not None
    assert found.before.value - found.after.value > 0.1
    assert found.verdict != "worked"


def test_a_promise_that_is_not_done_is_not_judged_and_one_without_a_stage_is_refused() -> None:
    replies = week(5, START, 500, 0.2)
    open_ = Action("a", "林涛", "换箱", (("stage", STAGES[1]),), PROMISED)
    found = kept(open_, replies, START + WEEK)
    assert found.verdict == "not_done"
    assert found.elsewhere is None
    assert found.after.n == 0
    with pytest.raises(ValueError, match="stage"):
        kept(Action("a", "林涛", "换箱", (), PROMISED), replies, START + WEEK)


def test_false_praise_is_rare_though_one_looks_every_day() -> None:
    wrong = 0
    for seed in range(60):
        replies = week(seed, START, 800, 0.1) + week(seed + 500, START + WEEK, 800, 0.1)
        looks = [kept(action(), replies, DONE + timedelta(days=d)).verdict for d in range(1, 8)]
        wrong += "worked" in looks
    assert wrong <= 3


def test_the_interval_for_all_times_is_wider_than_that_of_one_look() -> None:
    for variance in (1e-5, 1e-3, 0.1):
        assert always(variance) > 1.96 * variance**0.5


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("送得太慢", "zh"),
        ("The delivery was late", "en"),
        ("Très bon accueil, personnel souriant", "unread"),
        ("il y a peu de choix", "unread"),
        ("Die Lieferung war sehr langsam", "unread"),
        ("очень плохо", "unread"),
        ("RAS", None),
        ("10/10 !!!", None),
        ("missing items", None),
    ],
)
def test_the_language_of_a_comment(text: str, language: str | None) -> None:
    assert tongue(text) == language


def test_what_does_not_tell_goes_with_the_others() -> None:
    assert tongues(["Super", "il y a peu de choix", "送得慢"]) == ["unread", "unread", "zh"]
    assert tongues(["Super", "the staff is great"]) == ["en", "en"]
    assert tongues(["Super"]) == ["en"]
