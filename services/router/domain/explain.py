"""Why a contact was routed as it was, in sentences that a floor manager reads, in Chinese and English."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.router.domain import explain_more
from services.router.domain.explain_more import Later, Sentence, seconds
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

Explained = ContactTriaged | ContactOffered | OfferReturned | ContactAccepted | ContactClosed | Later

_LOOKUPS_ZH = {"sentiment": "情绪", "nps": "NPS", "escalation": "升级风险"}
_LOOKUPS_EN = {"sentiment": "mood", "nps": "NPS", "escalation": "risk of escalation"}
_HANDOVER_ZH = {"customer_asked": "客户要求转人工", "bot_failed": "机器人没能解决", "mood": "客户情绪变差"}
_HANDOVER_EN = {
    "customer_asked": "the customer asked for a human",
    "bot_failed": "the bot could not help",
    "mood": "the customer's mood got worse",
}
_RETURNED_ZH = {"declined": "拒接", "timeout": "超时未接", "signed_out": "已签退", "disconnected": "断线"}
_RETURNED_EN = {
    "declined": "declined it",
    "timeout": "did not answer in time",
    "signed_out": "signed out",
    "disconnected": "was cut off",
}
_WHY_ZH = {
    "busy": "忙碌",
    "paused": "小休",
    "signed_out": "已签退",
    "declined": "本轮已拒接",
    "wrap_up": "话后处理",
    "away": "断线",
    "draining": "不再接新",
    "not_ready": "未就绪",
    "free": "空闲，但分数较低",
    "kept": "同时派给了联系 {}",
    "reserved": "留给排在前面、需要更多余量的联系 {}",
}
_WHY_EN = {
    "busy": "busy",
    "paused": "on a break",
    "signed_out": "signed out",
    "declined": "had declined it",
    "wrap_up": "at the work after a contact",
    "away": "cut off",
    "draining": "to take no more",
    "not_ready": "not ready",
    "free": "free, with lower scores",
    "kept": "given to contact {} at the same moment",
    "reserved": "kept for contact {}, which is before it and needs more room",
}
_MORE = 5
"""Seats named for one reason; the others are counted."""


def explain(fact: Explained) -> Sentence:
    """Say one decision."""
    match fact:
        case ContactTriaged():
            return Sentence(fact.decided_at, "triaged", _triaged_zh(fact), _triaged_en(fact))
        case ContactOffered():
            return Sentence(fact.offered_at, "offered", _offered_zh(fact), _offered_en(fact))
        case OfferReturned():
            zh = _RETURNED_ZH.get(fact.reason, fact.reason)
            en = _RETURNED_EN.get(fact.reason, fact.reason)
            return Sentence(
                fact.returned_at,
                "returned",
                f"坐席 {fact.seat_id} {zh}，客户回到原来的排队位置继续等待，不用重新排队。",
                f"Seat {fact.seat_id} {en}; the customer waits on at the original place in the queue.",
            )
        case ContactAccepted():
            return Sentence(
                fact.accepted_at,
                "accepted",
                f"坐席 {fact.seat_id} 接起，客户共等待 {seconds(fact.waited_ms / 1000)} 秒。",
                f"Seat {fact.seat_id} accepted it; the customer had waited {seconds(fact.waited_ms / 1000)} s.",
            )
        case ContactClosed():
            return Sentence(fact.closed_at, "closed", *_closed(fact))
        case _:
            return explain_more.explain(fact)


def explain_all(made: Sequence[Explained]) -> list[Sentence]:
    """Say every decision about a contact, oldest first, and what would have made its wait shorter."""
    said = [explain(fact) for fact in made]
    shorter = explain_more.shorter(made)
    return [*said, shorter] if shorter is not None else said


def _triaged_zh(fact: ContactTriaged) -> str:
    seen = fact.inputs
    because = _known(
        seen,
        ("VIP 客户" if seen.tier == "vip" else f"客户等级 {seen.tier}", "需要特别照顾的客户", "客户要求人工"),
        ("情绪 {:.2f}", "上次 NPS 打分 {}", "升级风险 {:.2f}", "主题 {}"),
    )
    handed = _HANDOVER_ZH.get(seen.handover, seen.handover)
    lead = f"机器人转人工（{handed}）：" if seen.handover else ""
    reason = f"因为{'、'.join(because)}，" if because else "没有特别情况，"
    if fact.rule in ("default", "handover"):
        reason += "没有其他规则适用，"
    else:
        reason += f"按规则 {fact.rule} "
    where = (
        "由机器人接待"
        if fact.pool == BOT
        else f"{'' if seen.handover else '直接'}转人工坐席组 {fact.pool}，优先级 {fact.priority}"
    )
    skills = "、".join(f"{name} ≥ {level}" for name, level in sorted(fact.skills.items()))
    missing = "、".join(_LOOKUPS_ZH.get(name, name) for name in seen.missing)
    return (
        lead
        + reason
        + where
        + (f"，要求技能 {skills}" if skills else "")
        + "。"
        + (f"当时查不到{missing}，是在缺少这些信息的情况下决定的。" if missing else "")
        + f"（策略 {fact.policy}）"
    )


def _triaged_en(fact: ContactTriaged) -> str:
    seen = fact.inputs
    because = _known(
        seen,
        (
            "the customer is a VIP" if seen.tier == "vip" else f"the customer's tier is {seen.tier}",
            "the customer needs protection",
            "the customer asked for a human",
        ),
        ("the mood is {:.2f}", "the last NPS answer was {}", "the risk of escalation is {:.2f}", "the topic is {}"),
    )
    handed = _HANDOVER_EN.get(seen.handover, seen.handover)
    lead = f"The bot handed over ({handed}): " if seen.handover else ""
    reason = f"because {', '.join(because)}, " if because else "with nothing special known, "
    reason += "and no other rule applied, " if fact.rule in ("default", "handover") else f"by the rule {fact.rule}, "
    where = (
        "it went to the bot"
        if fact.pool == BOT
        else f"it went to the human pool {fact.pool} with priority {fact.priority}"
    )
    skills = ", ".join(f"{name} of at least {level}" for name, level in sorted(fact.skills.items()))
    missing = ", ".join(_LOOKUPS_EN.get(name, name) for name in seen.missing)
    said = (
        lead
        + reason
        + where
        + (f", for a seat with {skills}" if skills else "")
        + "."
        + (f" It was decided without {missing}, which could not be looked up." if missing else "")
        + f" (Policy {fact.policy}.)"
    )
    return said[0].upper() + said[1:]


def _known(seen: Inputs, words: tuple[str, str, str], figures: tuple[str, str, str, str]) -> list[str]:
    told = [
        (seen.tier not in ("", "normal"), words[0]),
        (seen.vulnerable, words[1]),
        (seen.wants_human, words[2]),
        (seen.mood is not None, figures[0].format(_unsigned_zero(seen.mood or 0.0))),
        (seen.nps_score is not None, figures[1].format(seen.nps_score)),
        (seen.risk is not None, figures[2].format(_unsigned_zero(seen.risk or 0.0))),
        (bool(seen.topic), figures[3].format(seen.topic)),
    ]
    return [text for holds, text in told if holds]


def _offered_zh(fact: ContactOffered) -> str:
    place = fact.waiting.index(fact.contact_id) + 1 if fact.contact_id in fact.waiting else 0
    chosen = next((c for c in fact.candidates if c.seat_id == fact.seat_id), None)
    others = [c for c in fact.candidates if c.eligible and c.seat_id != fact.seat_id]
    idle = f"（已空闲 {seconds(chosen.idle_s)} 秒）" if chosen else ""
    said = f"在坐席组 {fact.pool} 等待 {seconds((fact.offered_at - fact.queued_at).total_seconds())} 秒后，派给坐席 {fact.seat_id}{idle}"
    said = _by_hand(fact.forced_by, said, "（主管 {} 指定）")
    said += (
        f"，它是 {len(others) + 1} 个可用坐席中{_best(fact, '空闲最久的', '得分最高的')}"
        if others
        else "，它是唯一可用的坐席"
    )
    said += _scores(fact, "（得分，折合空闲秒数：{}）")
    said += f"，要求已放宽 {fact.ring} 次" if fact.ring else ""
    said += "，客户不在线，由坐席回呼" if fact.call_back else ""
    said += f"；当时排在第 {place} 位" if place else ""
    why = _why(fact.candidates, _WHY_ZH, "缺少技能 {}", "不会说 {}", ("{} 等 {} 个", "、"))
    why += _others(fact, _WHY_ZH, "缺少技能 {}", "不会说 {}", "另有 {} 个{}")
    return said + "。" + (f"其他坐席没有派的原因：{'；'.join(why)}。" if why else "")


def _offered_en(fact: ContactOffered) -> str:
    place = fact.waiting.index(fact.contact_id) + 1 if fact.contact_id in fact.waiting else 0
    chosen = next((c for c in fact.candidates if c.seat_id == fact.seat_id), None)
    others = [c for c in fact.candidates if c.eligible and c.seat_id != fact.seat_id]
    idle = f" (idle for {seconds(chosen.idle_s)} s)" if chosen else ""
    waited = seconds((fact.offered_at - fact.queued_at).total_seconds())
    said = f"After {waited} s in pool {fact.pool} it was offered to seat {fact.seat_id}{idle}"
    said = _by_hand(fact.forced_by, said, " (by the supervisor {})")
    said += (
        f", {_best(fact, 'the longest idle', 'the highest score')} of {len(others) + 1} seats that could take it"
        if others
        else ", the only seat that could take it"
    )
    said += _scores(fact, " (scores, in seconds of idleness: {})")
    said += f"; its requirements had been relaxed {fact.ring} times" if fact.ring else ""
    said += "; the customer is not on the line, the seat calls" if fact.call_back else ""
    said += f"; it stood at place {place} of the queue" if place else ""
    why = _why(fact.candidates, _WHY_EN, "lacks the skill {}", "does not speak {}", ("{} and others, {} in all", ", "))
    why += _others(fact, _WHY_EN, "lacking the skill {}", "not speaking {}", "{} more {}")
    return said + "." + (f" Why not the others: {'; '.join(why)}." if why else "")


def _best(fact: ContactOffered, idle: str, score: str) -> str:
    """Whether the one chosen was idle longest, or had more that spoke for it."""
    eligible = [c for c in fact.candidates if c.eligible]
    mine = next((c.idle_s for c in eligible if c.seat_id == fact.seat_id), 0.0)
    return idle if mine >= max((c.idle_s for c in eligible), default=0.0) else score


def _by_hand(by: str, said: str, words: str) -> str:
    return said + words.format(by) if by else said


def _scores(fact: ContactOffered, words: str) -> str:
    """The highest scores, where there was a choice."""
    told = sorted((c for c in fact.candidates if c.eligible), key=lambda c: (-c.score, c.seat_id))
    if len(told) < 2 or not any(c.score for c in told):
        return ""
    return words.format(", ".join(f"{c.seat_id} {c.score:.0f}" for c in told[:3]))


def _others(fact: ContactOffered, words: dict[str, str], skill: str, language: str, more: str) -> list[str]:
    said = []
    for why, n in sorted(fact.others.items(), key=lambda item: (-item[1], item[0])):
        kind, _, of = why.partition(":")
        lack = {"skill": skill, "language": language}.get(kind)
        said.append(more.format(n, lack.format(of) if lack else words.get(why, why)))
    return said


def _why(
    candidates: Sequence[Candidate], words: dict[str, str], skill: str, language: str, more: tuple[str, str]
) -> list[str]:
    groups: dict[str, list[str]] = {}
    for candidate in candidates:
        if candidate.why_not:
            groups.setdefault(candidate.why_not, []).append(candidate.seat_id)
    counts = Counter({why: len(seats) for why, seats in groups.items()})
    said = []
    for why, n in counts.most_common():
        kind, _, of = why.partition(":")
        named = {kind: words[kind] for kind in ("kept", "reserved")}
        lack = {"skill": skill, "language": language, **named}.get(kind)
        reason = lack.format(of) if lack else words.get(why, why)
        names = more[1].join(groups[why][:_MORE])
        said.append(f"{names if n <= _MORE else more[0].format(names, n)} {reason}")
    return said


def _closed(fact: ContactClosed) -> tuple[str, str]:
    waited = seconds(fact.waited_ms / 1000)
    match fact.outcome:
        case Outcome.BOT:
            return "结束：由机器人服务完成。", "Over: the bot served it."
        case Outcome.HUMAN:
            return f"结束：由坐席 {fact.seat_id} 服务完成。", f"Over: seat {fact.seat_id} served it."
        case Outcome.ABANDONED if fact.pool == BOT:
            return "结束：客户在机器人接待时离开。", "Over: the customer left while with the bot."
        case _:
            return (
                f"结束：客户在等待人工 {waited} 秒后离开，没有坐席接起。",
                f"Over: the customer left after waiting {waited} s; no seat had accepted.",
            )


def _unsigned_zero(figure: float) -> float:
    """Round to hundredths, so that nobody reads −0.00."""
    return round(figure, 2) + 0.0
