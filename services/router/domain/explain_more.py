"""What else is said of a contact: what it was told, promises, moves; and what would have made its wait shorter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.router.domain.facts import (
    ContactAccepted,
    ContactClosed,
    ContactMoved,
    ContactOffered,
    DebtCalled,
    DebtFact,
    DebtIncurred,
    DebtOverdue,
    DebtPaid,
    DebtReleased,
    OfferReturned,
    WaitPredicted,
)

Later = WaitPredicted | ContactMoved | DebtIncurred | DebtCalled | DebtPaid | DebtReleased | DebtOverdue
WORTH_SAYING_S = 1.0
"""A wait below this needs no advice."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One decision, said in both languages."""

    decided_at: datetime
    kind: str
    """"triaged", "told", "offered", "returned", "accepted", "moved", "promised", …, "closed", "shorter"."""
    zh: str
    en: str


def seconds(figure: float) -> str:
    """Seconds as people say them."""
    return f"{max(0.0, figure):.0f}" if figure >= 10 else f"{max(0.0, figure):.1f}"


def explain(fact: Later) -> Sentence:
    """Say one of the later decisions."""
    match fact:
        case WaitPredicted():
            return Sentence(fact.at, "told", *_told(fact))
        case ContactMoved():
            return Sentence(fact.moved_at, "moved", *_moved(fact))
        case _:
            return _promise(fact)


def _told(fact: WaitPredicted) -> tuple[str, str]:
    if fact.wait_s < 0:
        return (
            f"开始在坐席组 {fact.pool} 排队，排在第 {fact.position} 位；当时还没有足够的数据预计等待时间。",
            f"It began to wait in pool {fact.pool} at place {fact.position}; too little was known to foretell the wait.",
        )
    wait, high = seconds(fact.wait_s), seconds(fact.high_s)
    return (
        f"开始在坐席组 {fact.pool} 排队，排在第 {fact.position} 位，告知客户预计等待 {wait} 秒，十有八九不超过 {high} 秒。",
        f"It began to wait in pool {fact.pool} at place {fact.position}; the customer was told {wait} s, nine times in ten no more than {high} s.",
    )


def _moved(fact: ContactMoved) -> tuple[str, str]:
    to_zh = "本组的其他坐席" if fact.to_pool == fact.pool else f"坐席组 {fact.to_pool}"
    to_en = "another seat of the pool" if fact.to_pool == fact.pool else f"pool {fact.to_pool}"
    match fact.cause:
        case "transfer":
            return (
                f"坐席 {fact.seat_id} 转给{to_zh}，原因：{fact.reason}；等待时间接着算。",
                f"Seat {fact.seat_id} gave it on to {to_en}: {fact.reason}. The customer's clock goes on.",
            )
        case "overflow":
            return (
                f"等待太久，从坐席组 {fact.pool} 溢出到{to_zh}；等待时间接着算。",
                f"It had waited too long and went over from pool {fact.pool} to {to_en}; its clock goes on.",
            )
        case _:
            return (
                f"坐席 {fact.seat_id} 断线后没有回来，客户按原来的等待时间重新排队。",
                f"Seat {fact.seat_id} was cut off and did not come back; the customer waits again, at the old place.",
            )


def _promise(fact: DebtFact) -> Sentence:
    by = f"{fact.due_at:%Y-%m-%d %H:%M} UTC"
    match fact:
        case DebtIncurred() if fact.kind == "call_back":
            return Sentence(
                fact.at,
                "promised",
                f"客户选择回呼，保留原来的位置，承诺 {by} 前由人工回呼。",
                f"The customer chose to be called back and keeps the place; a human was promised by {by}.",
            )
        case DebtIncurred():
            return Sentence(
                fact.at,
                "promised",
                f"坐席组 {fact.pool} 正在托管，由机器人先接待，承诺 {by} 前由人工联系客户（记为一项待兑现承诺）。",
                f"Pool {fact.pool} is in managed mode: the bot keeps the line, and a human was promised by {by} (a debt).",
            )
        case DebtCalled():
            return Sentence(
                fact.at,
                "called",
                "承诺快到期，提前安排人工，按全部等待时间排队。"
                if fact.urgent
                else "高峰已过，开始安排人工，按全部等待时间排队。",
                f"{'The promise is soon due' if fact.urgent else 'The peak has fallen'}: it waits for a human now, at the place of its whole wait.",
            )
        case DebtPaid():
            late = fact.at > fact.due_at
            return Sentence(
                fact.at,
                "paid",
                f"坐席 {fact.seat_id} 已接手，承诺{'已兑现，但晚了' if late else '按时兑现'}。",
                f"Seat {fact.seat_id} has it: the promise is kept{', late' if late else ' in time'}.",
            )
        case DebtReleased():
            return Sentence(
                fact.at, "released", "客户不再需要人工，承诺解除。", "The customer needs no human any more: released."
            )
        case _:
            return Sentence(
                fact.at,
                "overdue",
                f"承诺的时间（{by}）已过，还没有人工联系客户；承诺仍在，已告警。",
                f"The promised time ({by}) has passed without a human; the debt stands, and an alert was raised.",
            )


# -- what would have made it shorter --------------------------------------------------------------------------------


def shorter(made: Sequence[object]) -> Sentence | None:
    """Say what would have made the wait shorter, from what was recorded alone; None where it did not wait for a human."""
    ends = [f for f in made if isinstance(f, ContactAccepted | ContactClosed)]
    offers = [f for f in made if isinstance(f, ContactOffered)]
    told = next((f for f in made if isinstance(f, WaitPredicted)), None)
    waited_s = max((end.waited_ms / 1000 for end in ends), default=0.0)
    if waited_s < WORTH_SAYING_S:
        return None
    at = ends[-1].accepted_at if isinstance(ends[-1], ContactAccepted) else ends[-1].closed_at
    reasons = [*_offers_lost(made, offers), *_kept_by_bot(made), *_idle_without_skill(offers, waited_s), *_seats(told)]
    if told is not None and told.position > 1:
        reasons.append(
            (
                f"开始排队时前面有 {told.position - 1} 人，优先级更高就会更靠前",
                f"{told.position - 1} stood before it when it began to wait: a higher priority would have put it further ahead",
            )
        )
    if not reasons:
        return None
    zh, en = "；".join(zh for zh, _ in reasons), "; ".join(en for _, en in reasons)
    return Sentence(at, "shorter", f"怎样可以等得更短：{zh}。", f"What would have made it shorter: {en}.")


Reason = tuple[str, str]


def _offers_lost(made: Sequence[object], offers: Sequence[ContactOffered]) -> list[Reason]:
    begun = {offer.token: offer.offered_at for offer in offers}
    back = [f for f in made if isinstance(f, OfferReturned) and f.token in begun]
    lost = sum((f.returned_at - begun[f.token]).total_seconds() for f in back)
    if lost < WORTH_SAYING_S:
        return []
    seats = ", ".join(dict.fromkeys(f.seat_id for f in back))
    return [
        (
            f"{len(back)} 次派席没有接起（{seats}），共耽误 {seconds(lost)} 秒",
            f"{len(back)} offers came to nothing ({seats}) and cost {seconds(lost)} s",
        )
    ]


def _kept_by_bot(made: Sequence[object]) -> list[Reason]:
    begun = next((f for f in made if isinstance(f, DebtIncurred) and f.kind == "managed"), None)
    called = next((f for f in made if isinstance(f, DebtCalled)), None)
    if begun is None or called is None:
        return []
    held = seconds((called.at - begun.at).total_seconds())
    return [
        (
            f"高峰托管占了 {held} 秒，更多坐席或更高的托管门槛可以避免",
            f"managed mode took {held} s of it: more seats at the peak, or a higher threshold, would have spared it",
        )
    ]


def _idle_without_skill(offers: Sequence[ContactOffered], waited_s: float) -> list[Reason]:
    """Seats that were idle while it waited and lacked something: how much earlier one of them could have begun."""
    if not offers:
        return []
    idle: dict[str, tuple[float, str]] = {}
    for candidate in offers[0].candidates:
        kind = candidate.why_not.partition(":")[0]
        if kind in ("skill", "language") and candidate.idle_s > WORTH_SAYING_S:
            idle[candidate.why_not] = max(idle.get(candidate.why_not, (0.0, "")), (candidate.idle_s, candidate.seat_id))
    said = []
    for why, (idle_s, seat_id) in sorted(idle.items()):
        kind, _, what = why.partition(":")
        earlier = seconds(min(idle_s, waited_s))
        zh = f"坐席 {seat_id} 空闲着但{'缺少技能' if kind == 'skill' else '不会说'} {what}，否则可早 {earlier} 秒"
        lack = "lacked the skill" if kind == "skill" else "does not speak"
        said.append((zh, f"seat {seat_id} was idle but {lack} {what}: with it, {earlier} s earlier"))
    return said


def _seats(told: WaitPredicted | None) -> list[Reason]:
    if told is None:
        return []
    seats: Mapping[str, int] = told.seats
    said = []
    if seats.get("busy"):
        said.append(
            (
                f"开始排队时能接的 {seats['busy']} 个坐席都在忙",
                f"all {seats['busy']} seats that could take it were busy when it began to wait",
            )
        )
    elif not seats.get("free"):
        said.append(("开始排队时没有能接的坐席在岗", "no seat that could take it was on shift when it began to wait"))
    if seats.get("not_ready"):
        said.append(
            (
                f"{seats['not_ready']} 个坐席在小休或未就绪",
                f"{seats['not_ready']} seats were on a break or not ready",
            )
        )
    return said
