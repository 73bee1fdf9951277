"""Explanations: the sentences name the rule, the reasons, what was missing, and why not the other seats."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.explain import explain
from services.router.domain.facts import (
    BOT,
    Candidate,
    ContactAccepted,
    ContactClosed,
    ContactOffered,
    ContactTriaged,
    Inputs,
    OfferReturned,
    Outcome,
)

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def triaged(pool: str, rule: str, inputs: Inputs, skills: dict[str, int] | None = None) -> ContactTriaged:
    return ContactTriaged(
        contact_id="k1", customer_id="c", pool=pool, priority=80, skills=skills or {}, rule=rule, policy="7+abc",
        inputs=inputs, requested_at=T0, decided_at=T0,
    )  # fmt: skip


def test_a_vip_goes_straight_to_a_human() -> None:
    said = explain(triaged("care", "vip", Inputs(channel="app", tier="vip", mood=-0.25), {"refund": 2}))
    assert said.kind == "triaged"
    assert said.zh == (
        "因为VIP 客户、情绪 -0.25，按规则 vip 直接转人工坐席组 care，优先级 80，要求技能 refund ≥ 2。（策略 7+abc）"
    )
    assert said.en == (
        "Because the customer is a VIP, the mood is -0.25, by the rule vip, it went to the human pool care "
        "with priority 80, for a seat with refund of at least 2. (Policy 7+abc.)"
    )


def test_what_could_not_be_looked_up_is_said() -> None:
    said = explain(triaged(BOT, "default", Inputs(channel="app", missing=("sentiment", "nps"))))
    assert "由机器人接待" in said.zh and "查不到情绪、NPS" in said.zh
    assert "it went to the bot" in said.en and "decided without mood, NPS" in said.en


def test_a_handover_says_why() -> None:
    said = explain(triaged("service", "handover", Inputs(channel="app", handover="bot_failed")))
    assert said.zh.startswith("机器人转人工（机器人没能解决）：")
    assert said.en.startswith("The bot handed over (the bot could not help): ")


def test_an_offer_says_why_not_the_others() -> None:
    seats = [
        Candidate(seat_id="s1", eligible=True, why_not="", idle_s=125.4),
        Candidate(seat_id="s2", eligible=True, why_not="", idle_s=3.0),
        Candidate(seat_id="s3", eligible=False, why_not="skill:refund", idle_s=9.0),
        *(Candidate(seat_id=f"b{i}", eligible=False, why_not="busy", idle_s=0.0) for i in range(7)),
    ]
    fact = ContactOffered(
        contact_id="k1", customer_id="c", pool="care", seat_id="s1", token=3, queued_at=T0,
        offered_at=T0 + timedelta(seconds=42), expires_at=T0 + timedelta(seconds=57), candidates=tuple(seats),
        waiting=("k0", "k1"),
    )  # fmt: skip
    said = explain(fact)
    assert said.zh == (
        "在坐席组 care 等待 42 秒后，派给坐席 s1（已空闲 125 秒），它是 2 个可用坐席中空闲最久的；当时排在第 2 位。"
        "其他坐席没有派的原因：b0、b1、b2、b3、b4 等 7 个 忙碌；s3 缺少技能 refund。"
    )
    assert "the longest idle of 2 seats" in said.en and "s3 lacks the skill refund" in said.en
    assert "b4 and others, 7 in all busy" in said.en


def test_returned_accepted_and_closed() -> None:
    back = OfferReturned(
        contact_id="k", customer_id="c", pool="p", seat_id="s1", token=1, reason="timeout", returned_at=T0
    )
    assert "超时未接" in explain(back).zh and "did not answer in time" in explain(back).en
    taken = ContactAccepted(
        contact_id="k", customer_id="c", pool="p", seat_id="s1", token=1, waited_ms=61_500, accepted_at=T0
    )
    assert "62 秒" in explain(taken).zh and "had waited 62 s" in explain(taken).en
    for pool, outcome, zh, en in (
        (BOT, Outcome.BOT, "机器人服务完成", "the bot served it"),
        ("p", Outcome.HUMAN, "坐席 s1 服务完成", "seat s1 served it"),
        (BOT, Outcome.ABANDONED, "机器人接待时离开", "while with the bot"),
        ("p", Outcome.ABANDONED, "没有坐席接起", "no seat had accepted"),
    ):
        closed = ContactClosed(
            contact_id="k", customer_id="c", pool=pool, seat_id="s1", outcome=outcome, waited_ms=5, closed_at=T0
        )
        assert zh in explain(closed).zh and en in explain(closed).en


@given(
    st.builds(
        Inputs,
        channel=st.just("app"),
        tier=st.sampled_from(["", "gold", "vip"]),
        vulnerable=st.booleans(),
        mood=st.none() | st.floats(-1, 1),
        nps_score=st.none() | st.integers(0, 10),
        risk=st.none() | st.floats(0, 1),
        missing=st.sampled_from([(), ("nps",), ("sentiment", "escalation")]),
        handover=st.sampled_from(["", "mood", "something else"]),
    ),
    st.sampled_from(["default", "handover", "vip"]),
)
def test_every_known_figure_is_in_both_languages(inputs: Inputs, rule: str) -> None:
    said = explain(triaged("care", rule, inputs))
    for figure in (inputs.mood, inputs.risk):
        if figure is not None:
            shown = f"{round(figure, 2) + 0.0:.2f}"
            assert shown in said.zh and shown in said.en
    assert "-0.00" not in said.zh + said.en
    assert ("查不到" in said.zh) == ("decided without" in said.en) == bool(inputs.missing)
