"""Flags, follow-ups and time: one flag while a follow-up is open, closed by what happens or by request, overdue once."""

from datetime import timedelta

import pytest

from services.escalation.domain.decide import decide, due
from services.escalation.domain.events import Affected, CustomerSaid, MessageScored
from services.escalation.domain.state import Customer
from services.escalation.domain.tasks import (
    CommandAnswered,
    ComplaintFlagged,
    FollowUpClosed,
    FollowUpOverdue,
    FollowUpOverflowed,
    FollowUpReminded,
    OutreachStarted,
)
from services.escalation.domain.tasks import TeamFact as Fact
from services.escalation.domain.team import Terms
from tests.unit.escalation_story import Story


def flagged() -> tuple[Story, ComplaintFlagged]:
    """A customer who has just been flagged."""
    story = Story()
    story.asks("k")
    story.says("k", "我要投诉！", -0.9)
    (flag,) = story.says("k", "不给说法我就打12315", -0.95)
    assert isinstance(flag, ComplaintFlagged)
    return story, flag


def test_mrs_hu_is_flagged_by_the_failed_repair_before_she_complains() -> None:
    hu, flags = Story(), dict[str, list[Fact]]()

    def contact(name: str, touchpoint: str, *said: tuple[str, float]) -> None:
        flags[name] = hu.asks(name, touchpoint)
        for text, mood in said:
            flags[name] += hu.says(name, text, mood, touchpoint)
            flags[name] += hu.reply(name)
        flags[name] += hu.over(name)
        hu.after(hours=2)

    contact("advice", "pre_sales", ("想买一台空调，哪一款合适？", -0.2), ("算了，我再想想吧，没有说服我。", -0.6))
    contact("install", "install", ("想约周六上门安装，不过周六可能有变，能改吗？", -0.3), ("好，那先约周六。", 0.2))
    hu.ticket("repair", "opened")
    contact("fault", "repair", ("空调装好了，可是一点都不制冷。", -0.7), ("刚装的新机器就坏了，太让人失望了。", -0.9))
    assert flags == {"advice": [], "install": [], "fault": []}
    hu.ticket("repair", "resolved")
    contact("unhappy", "repair", ("师傅来了十分钟就走，根本没修好，态度还特别差！", -0.95), ("空调还是不制冷。", -0.9))
    (flag,) = flags["unhappy"]
    assert isinstance(flag, ComplaintFlagged)
    assert (flag.contact_id, flag.touchpoint) == ("unhappy", "repair")
    assert {"mood_low", "repeat_contact", "complaint_words"} <= {r.code for r in flag.reasons}
    contact("complaint", "complaint", ("我要投诉，要求赔偿！", -0.95))
    assert not any(isinstance(f, ComplaintFlagged) for f in flags["complaint"])


def test_a_mild_day_raises_no_flag() -> None:
    story = Story()
    for i, contact in enumerate(("a", "b", "c", "d")):
        assert not story.asks(contact)
        assert not story.says(contact, "请问什么时候送到？", 0.1 - 0.1 * i)
        assert not story.over(contact)
        assert not story.after(hours=3)


def test_the_flag_names_its_cause_and_its_due_time() -> None:
    story, flag = flagged()
    assert flag.cause == f"s {story.count - 1}"
    assert flag.flagged_at == story.now
    assert flag.due_at == story.now + timedelta(hours=2)
    assert flagged()[1].follow_up_id == flag.follow_up_id


def test_one_flag_while_a_follow_up_is_open() -> None:
    story, _ = flagged()
    assert story.says("k", "律师，曝光，投诉", -1) == []


def test_a_follow_up_falls_due_once_and_may_still_be_closed() -> None:
    story, flag = flagged()
    story.reply("k")
    facts = story.after(hours=5)
    assert [type(f) for f in facts] == [FollowUpReminded, FollowUpOverdue, FollowUpOverflowed]
    assert facts[1] == FollowUpOverdue(flag.follow_up_id, "hu", "repair", flag.due_at)
    closed, answer = story.close(flag.follow_up_id)
    assert isinstance(closed, FollowUpClosed)
    assert isinstance(answer, CommandAnswered)
    assert (closed.outcome, answer.code) == ("contacted", "")


def test_a_follow_up_counts_where_it_was_flagged_wherever_the_customer_turns() -> None:
    story, flag = flagged()
    story.asks("other", "store")
    story.says("other", "没人管，我要投诉！", -1, "store")
    assert story.cases[-1].touchpoint == "store"
    late = [f for f in story.after(hours=2, minutes=1) if isinstance(f, FollowUpOverdue)]
    closed = [f for f in story.close(flag.follow_up_id) if isinstance(f, FollowUpClosed)]
    assert [f.touchpoint for f in (*late, *closed)] == [flag.touchpoint, flag.touchpoint] == ["repair", "repair"]


def test_what_closes_a_follow_up_after_it_fell_due_leaves_it_overdue() -> None:
    """Though no tick came in between."""
    for close in (lambda s, f: s.close(f), lambda s, f: s.ticket("t", "resolved")):
        story, flag = flagged()
        story.now = flag.due_at
        assert [type(f) for f in close(story, flag.follow_up_id)][:3] == [
            FollowUpReminded,
            FollowUpOverdue,
            FollowUpClosed,
        ]


def test_closing_again_or_what_never_was_is_answered() -> None:
    story, flag = flagged()
    story.close(flag.follow_up_id)
    assert [f.code for f in story.close(flag.follow_up_id) if isinstance(f, CommandAnswered)] == ["missing"]
    assert [f.code for f in story.close("other") if isinstance(f, CommandAnswered)] == ["missing"]


def test_quiet_after_a_close_unless_the_risk_rises_clearly() -> None:
    story, flag = flagged()
    story.close(flag.follow_up_id)
    assert story.says("k", "投诉", -0.9) == []
    story.asks("k2")
    story.asks("k3")
    story.ticket("t", "reopened")
    assert story.state.risk > flag.risk + 0.15
    (again,) = story.team.flags
    assert again != flag.follow_up_id


def test_after_a_day_the_same_risk_is_flagged_again() -> None:
    story, flag = flagged()
    story.close(flag.follow_up_id)
    story.over("k")
    story.after(hours=25)
    (again,) = story.says("k", "投诉", -0.9)
    assert isinstance(again, ComplaintFlagged)


def test_closed_by_a_resolved_ticket() -> None:
    story = Story()
    story.ticket("t", "opened")
    story.asks("k")
    story.says("k", "我要投诉！", -0.9)
    story.says("k", "我要找律师", -0.95)
    assert story.team.flags
    story.after(minutes=5)
    (closed,) = story.ticket("t", "resolved")
    assert isinstance(closed, FollowUpClosed)
    assert closed.outcome == "ticket_resolved"


def test_closed_by_a_recovered_mood() -> None:
    story, _ = flagged()
    assert story.says("k", "好的", 0.5) == []
    (closed,) = story.says("k", "谢谢，解决了", 0.9)
    assert isinstance(closed, FollowUpClosed)
    assert closed.outcome == "mood_recovered"


def test_waiting_alone_can_tip_the_scale() -> None:
    story = Story()
    for contact in ("a", "b", "c", "d"):
        story.asks(contact)
        story.says(contact, "机器坏了", -0.9)
        story.reply(contact)
    story.says("d", "还在吗", -0.9)
    assert not story.team.flags
    assert 0.5 < story.state.risk < 0.6
    state = story.state
    facts = story.after(hours=1)
    assert [type(f) for f in facts] == [ComplaintFlagged]
    assert isinstance(facts[0], ComplaintFlagged)
    assert facts[0].cause == next(c.waits_for for c in state.contacts if c.contact_id == "d")


def test_a_score_may_come_before_its_message() -> None:
    story = Story()
    story.asks("k")
    b = story.base()
    about = {"contact_id": "k", "touchpoint": "repair"}
    score = {**story.base(), "source": "m", "message": f"s {b['event_id']}", "said_at": story.now, "polarity": -1.0}
    assert story.play(MessageScored(**score, **about)) == []  # type: ignore[arg-type]
    (flag,) = story.play(CustomerSaid(**b, **about, text="我要投诉，要找律师"))  # type: ignore[arg-type]
    assert isinstance(flag, ComplaintFlagged)
    assert len(story.state.said) == 1


def test_evidence_grows_old_by_itself() -> None:
    story = Story()
    story.asks("k")
    story.says("k", "机器坏了", -0.9)
    story.over("k")
    assert story.state.risk > 0
    story.after(hours=80)
    assert story.state.risk == 0
    assert (story.state.contacts, story.state.said, due(story.state)) == ((), (), None)


@pytest.mark.parametrize("days", [0, 300])
def test_replayed_events_are_judged_by_their_own_time(days: int) -> None:
    """A backlog that is read a year later gives the same risk; only the due time is today's."""
    story = Story()
    lag = timedelta(days=days)
    state = Customer("hu")
    story.now += timedelta(hours=1)
    for text in ("我要投诉", "我要找律师"):
        b, about = story.base(), {"contact_id": "k", "touchpoint": ""}
        state, _ = decide(state, CustomerSaid(**b, **about, text=text), story.now + lag)  # type: ignore[arg-type]
        score = {**story.base(), "source": "m", "message": f"s {b['event_id']}", "said_at": story.now, "polarity": -0.9}
        state, _ = decide(state, MessageScored(**score, **about), story.now + lag)  # type: ignore[arg-type]
    assert state.case is not None
    assert state.case.raised_at == story.now


def test_the_team_is_told_when_the_risk_has_moved_and_only_then() -> None:
    story, flag = flagged()
    (flagged_now,) = story.team.flags.values()
    told = len(story.cases)
    story.says("k", "投诉", -0.95)
    story.after(minutes=1)
    story.asks("k2")
    assert {c.case_id for c in story.cases} == {flag.case_id}
    assert len(story.cases) > told
    (later,) = story.team.flags.values()
    assert later.case.risk == story.state.risk > flagged_now.case.risk
    assert later.case.contact_id == "k2"
    told = len(story.cases)
    story.reply("k2")
    assert len(story.cases) == told


def test_a_follow_up_that_is_displaced_leaves_the_case_and_comes_back_when_there_is_room() -> None:
    story, flag = flagged()
    story.terms = Terms(capacity=0)
    (closed,) = story.ticket("t", "reopened")
    assert isinstance(closed, FollowUpClosed) and closed.result == "displaced"
    assert story.state.case is not None and not story.state.ended
    story.terms = Terms()
    story.after(minutes=1)
    (again,) = story.ticket("t", "reopened")
    assert isinstance(again, ComplaintFlagged)
    assert again.case_id == flag.case_id and again.follow_up_id != flag.follow_up_id


def test_a_wave_is_told_to_whoever_nobody_follows_up() -> None:
    def withheld(story: Story) -> str:
        hit = Affected(**story.base(), cause="route:R7", wave=1)  # type: ignore[arg-type]
        _, facts = decide(story.state, hit, story.now)
        return next(f.withheld for f in facts if isinstance(f, OutreachStarted))

    story, _ = flagged()
    assert withheld(story) == "followed_up"
    story.terms = Terms(capacity=0)
    story.ticket("t", "reopened")
    assert story.state.case is not None
    assert withheld(story) == "", "the case waits, and nobody looks at it"
    story.terms = Terms(holdout=1.0, gravest=1.1)
    story.after(minutes=1)
    story.ticket("t", "reopened")
    assert [f.held_out for f in story.team.flags.values()] == [True]
    assert withheld(story) == "", "who is held out is treated like anybody whom nobody follows up"


def test_the_group_is_the_tier_unless_the_customer_needs_protection() -> None:
    for more, group in (({"tier": "vip"}, "vip"), ({"tier": "vip", "vulnerable": True}, "vulnerable"), ({}, "")):
        story = Story()
        story.asks("k", **more)
        story.says("k", "我要投诉！", -0.9)
        (flag,) = story.says("k", "不给说法我就打12315", -0.95)
        assert isinstance(flag, ComplaintFlagged) and flag.group == group


def test_asking_for_the_complaint_desk_is_an_escalation() -> None:
    story, flag = flagged()
    story.after(minutes=5)
    story.asks("k3", topic="refund")
    assert not story.escalated
    story.asks("k4", topic="complaint")
    (escalated,) = story.escalated
    assert (escalated.about, escalated.at) == ("k4", story.now) and escalated.risk_before > 0.6
    assert escalated.at > flag.flagged_at
