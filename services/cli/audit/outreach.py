"""Outreach: whom a wave may hit is decided on once, and nobody is told too often or against their will."""

from collections import Counter, defaultdict
from typing import Any

from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.uplift import stayed_away
from services.cli.audit.wire import MINUTE, iso, micros

LEFT_ALONE = 7 * 24 * 60 * MINUTE
"""A customer who was told of one wave hears of no other for so long."""
_GRACE = 5 * MINUTE
"""A wish to hear nothing and a wave come on two topics: so long after the wish the outreach must know of it."""
_KINDS = ("message", "call_back")
_WHY = ("", "opted_out", "lately", "followed_up", "quiet_hours")


def check_reached(ledger: Ledger) -> Check:
    """OutreachStarted against CustomerAffected. The note says how many were reached, before they had called, and who called or
    asked for the complaint desk after."""
    findings = Findings()
    affected = Counter(_name(e.message) for e in ledger.facts.get("CustomerAffected", ()))
    decided = [e.message for e in ledger.facts.get("OutreachStarted", ())]
    told = Counter(map(_name, decided))
    for name, times in (affected - told).items():
        findings.add(f"{_words(name)}: hit by the wave, {times} without an OutreachStarted")
    for name, times in (told - affected).items():
        findings.add(f"{_words(name)}: {times} OutreachStarted too many")
    wishes: dict[str, int] = {}
    for event in ledger.sent.get("OutreachOptedOut", ()):
        wishes[event.subject] = min(event.time, wishes.get(event.subject, event.time))
    by_customer: dict[str, list[Any]] = defaultdict(list)
    for fact in sorted(decided, key=lambda f: micros(f.started_at)):
        for wrong in _wrong(fact, by_customer[fact.customer_id], wishes.get(fact.customer_id)):
            findings.add(f"{_words(_name(fact))}: {wrong}")
        by_customer[fact.customer_id].append(fact)
    return findings.check(
        "主动联系", "outreach", sum(affected.values()), sum((affected & told).values()), _note(ledger, decided)
    )


def _wrong(fact: Any, before: list[Any], wish: int | None) -> list[str]:
    """What is wrong with one decision, beside the customer's earlier ones and the wish to hear nothing."""
    at = micros(fact.started_at)
    lately = [b for b in before if not b.withheld and at - micros(b.started_at) < LEFT_ALONE]
    wrong = []
    if fact.kind not in _KINDS or fact.withheld not in _WHY:
        wrong.append(f"kind {fact.kind!r}, withheld {fact.withheld!r}")
    if not (fact.zh and fact.en):
        wrong.append("has no words in one of the languages")
    if fact.withheld == "lately" and not lately:
        wrong.append("withheld as reached lately, but was not")
    if not fact.withheld and lately:
        wrong.append(f"reached again, after {iso(micros(lately[-1].started_at))}")
    if not fact.withheld and wish is not None and wish + _GRACE < at:
        wrong.append(f"reached, although the customer asked for none at {iso(wish)}")
    return wrong


def _note(ledger: Ledger, decided: list[Any]) -> str:
    reached: dict[str, int] = {}
    for fact in decided:
        if not fact.withheld:
            at = micros(fact.started_at)
            reached[fact.customer_id] = min(at, reached.get(fact.customer_id, at))
    asks = [(e.message.customer_id, micros(e.message.escalated_at)) for e in ledger.facts.get("ComplaintEscalated", ())]
    since = len({who for who, at in asks if who in reached and at > reached[who]})
    calls = [(e.subject, e.time) for e in ledger.sent.get("ContactRequested", ())]
    first = reached.keys() - {who for who, at in calls if who in reached and at <= reached[who]}
    spared = len(first - {who for who, _ in calls})
    withheld = sum(bool(f.withheld) for f in decided)
    # Who is reached is not drawn by lot: how many would have called, nobody knows but a demo that has planted it.
    would = stayed_away(ledger, "outreach")
    zh, en = (
        ("", "") if would is None else (f"；演示所设：{would} 位因此未来访", f"; planted: {would} did not call for it")
    )
    return (
        f"已联系 {len(reached)} 位，其中 {len(first)} 位在来访之前，{spared} 位未再来访，其后升级 {since} 位；未联系 {withheld} 次{zh} "
        f"reached: {len(reached)} customers, {len(first)} before they called, {spared} of whom never did; "
        f"{since} escalated since; withheld: {withheld}{en}"
    )


def _name(fact: Any) -> tuple[str, int, str]:
    return fact.cause, fact.wave, fact.customer_id


def _words(name: tuple[str, int, str]) -> str:
    cause, wave, customer = name
    return f"{customer}, wave {wave} of {cause}"
