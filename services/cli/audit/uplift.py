"""What following up has prevented: the trial recomputed from the facts, with its interval, beside what a demo has planted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import MINUTE, micros

HORIZON_H = 1
"""Hours after a flag in which an escalation counts; flags that are younger are not compared yet."""
_HORIZON = HORIZON_H * 60 * MINUTE
_DAYS = 90 * 24 * 60 * MINUTE
_FEWEST = 5
"""Cases that an arm must have for its share to be told at all."""
_Z = 1.959964
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Case:
    """A case that the lot has drawn: when it was flagged first, and when its customer asked for the complaint desk after."""

    customer_id: str
    arm: str
    flagged: int
    escalated: int | None

    @property
    def counts(self) -> bool:
        """Whether it escalated within the horizon."""
        return self.escalated is not None and self.escalated - self.flagged <= _HORIZON


def check_prevented(ledger: Ledger) -> Check:
    """GetUplift against the facts: cases and escalations of each arm, and the interval that follows from them."""
    findings, answer = Findings(), ledger.evidence.uplift
    drawn = _cases(ledger)
    if answer is None:
        return findings.check("避免的升级", "what was prevented", len(drawn), 0, _note([], None, None))
    first, last = (at - _HORIZON for at in ledger.evidence.uplift_asked)
    # What fell out of the horizon while the service was asked may be counted or not.
    least, most = ([c for c in drawn if last - _DAYS <= c.flagged < until] for until in (first, last))
    for arm in ("treated", "held_out"):
        have = getattr(answer, arm)
        low, high = (sum(c.arm == arm for c in cases) for cases in (least, most))
        if not low <= have.cases <= high:
            findings.add(f"{arm}: {have.cases} cases, expected {low} to {high}")
        low, high = (sum(c.arm == arm and c.counts for c in cases) for cases in (least, most))
        if not low <= have.escalated <= high:
            findings.add(f"{arm}: {have.escalated} escalated, expected {low} to {high}")
    for name, want in zip(("difference", "low", "high"), interval(answer.treated, answer.held_out), strict=True):
        if abs(getattr(answer, name) - want) > _TOLERANCE:
            findings.add(f"{name}: {getattr(answer, name):.6f}, expected {want:.6f}")
    got = answer.treated.cases + answer.held_out.cases
    expected = min(max(got, len(least)), len(most))
    return findings.check("避免的升级", "what was prevented", expected, got, _note(most, answer, _stayed(ledger)))


def _cases(ledger: Ledger) -> list[Case]:
    asks: dict[str, list[int]] = {}
    for event in ledger.facts.get("ComplaintEscalated", ()):
        asks.setdefault(event.message.customer_id, []).append(micros(event.message.escalated_at))
    flags: dict[str, Any] = {}
    for fact in (e.message for e in ledger.facts.get("ComplaintFlagged", ()) if e.message.arm):
        known = flags.setdefault(fact.case_id, fact)
        if micros(fact.flagged_at) < micros(known.flagged_at):
            flags[fact.case_id] = fact
    found = []
    for fact in flags.values():
        at = micros(fact.flagged_at)
        after = min((ask for ask in asks.get(fact.customer_id, ()) if ask > at), default=None)
        found.append(Case(fact.customer_id, fact.arm, at, after))
    return found


def _wilson(escalated: int, cases: int) -> tuple[float, float, float]:
    """The share, and its 95 % Wilson interval."""
    share = escalated / cases
    middle, half = share + _Z**2 / (2 * cases), _Z * sqrt(share * (1 - share) / cases + (_Z / (2 * cases)) ** 2)
    low, high = (max(0.0, min(1.0, (middle + x) / (1 + _Z**2 / cases))) for x in (-half, half))
    return share, low, high


def interval(treated: Any, held_out: Any) -> tuple[float, float, float]:
    """By how much the share that escalates is lower among the treated, and the 95 % interval (Newcombe 1998, method 10)."""
    if not treated.cases or not held_out.cases:
        return 0.0, -1.0, 1.0
    t, t_low, t_high = _wilson(treated.escalated, treated.cases)
    h, h_low, h_high = _wilson(held_out.escalated, held_out.cases)
    return h - t, h - t - sqrt((h - h_low) ** 2 + (t_high - t) ** 2), h - t + sqrt((h_high - h) ** 2 + (t - t_low) ** 2)


def _stayed(ledger: Ledger) -> Mapping[str, set[str]] | None:
    """Whom the demo itself knows to have stayed away, by what moved them; None where no effect was planted."""
    lines = ledger.evidence.journal or ()
    if not any("planted" in line for line in lines):
        return None
    found: dict[str, set[str]] = {}
    for line in lines:
        if "stayed" in line:
            found.setdefault(str(line.get("moved_by")), set()).add(str(line["stayed"]))
    return found


def stayed_away(ledger: Ledger, moved_by: str) -> int | None:
    """Customers who would have come and did not, as the demo that played them knows; None where it planted nothing."""
    found = _stayed(ledger)
    return None if found is None else len(found.get(moved_by, ()))


def planted(cases: Iterable[Case], stayed: set[str]) -> float | None:
    """The effect among the cases compared, as it was planted: by how much more of the treated stayed away; None without both arms."""
    shares = []
    for arm in ("treated", "held_out"):
        mine = [c.customer_id in stayed for c in cases if c.arm == arm]
        if not mine:
            return None
        shares.append(sum(mine) / len(mine))
    return shares[0] - shares[1]


def _note(cases: list[Case], answer: Any, stayed: Mapping[str, set[str]] | None) -> str:
    zh, en = _estimate(answer)
    if stayed is not None:
        mine = stayed.get("follow_up", set())
        truth = planted(cases, mine)
        zh += f"；演示所设：{len(mine)} 位因跟进未升级" + ("" if truth is None else f"，可比者中差 {_points(truth)}")
        en += f"; planted: {len(mine)} kept from it" + (
            "" if truth is None else f", {_points(truth)} points among those"
        )
    return f"{zh} {en}"


def _estimate(answer: Any) -> tuple[str, str]:
    """What the trial tells, in Chinese and English."""
    if answer is None:
        return "服务未回答", "the service does not answer"
    treated, held_out = answer.treated, answer.held_out
    if min(treated.cases, held_out.cases) < _FEWEST:
        counts = f"{treated.cases} + {held_out.cases}"
        return f"尚不可知：满 {HORIZON_H} 小时可比的只有 {counts} 例", f"not yet known: only {counts} cases to compare"
    low, high = _points(answer.low), _points(answer.high)
    arms_zh = f"跟进 {treated.escalated}/{treated.cases}，对照 {held_out.escalated}/{held_out.cases}"
    arms = f"{treated.escalated} of {treated.cases} followed up, {held_out.escalated} of {held_out.cases} held out"
    if not answer.known:
        zh = f"尚不可知：升级率之差的 95 % 区间为 {low} 至 {high} 个百分点（{arms_zh}）"
        return zh, f"not yet known: 95 % {low} to {high} points ({arms})"
    times = f"{answer.avoided:.0f}", f"{answer.avoided_low:.0f}", f"{answer.avoided_high:.0f}"
    share = _points(answer.difference)
    zh = f"避免升级 {times[0]} 次（95 % 区间 {times[1]} 至 {times[2]}），升级率低 {share} 个百分点（{low} 至 {high}；{arms_zh}）"
    en = f"prevented {times[0]} (95 % {times[1]} to {times[2]}), {share} points ({low} to {high}; {arms})"
    return zh, en


def _points(share: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * share:+.0f}"
