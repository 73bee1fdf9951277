"""A customer's story told step by step, in Chinese and English: one step for an event."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact
from touchline.escalation.v1 import escalation_pb2 as escalation
from touchline.nps.v1 import nps_pb2 as nps
from touchline.order.v1 import events_pb2 as order
from touchline.router.v1 import events_pb2 as router
from touchline.sentiment.v1 import sentiment_pb2 as sentiment
from touchline.survey.v1 import events_pb2 as survey
from touchline.ticket.v1 import events_pb2 as ticket

from services.gateway.live import promises

# A story is skimmed; the whole message stays in its topic.
MAX_QUOTE = 400


@dataclass(frozen=True, slots=True)
class Step:
    """One step. kind: the dashboard's word for it. polarity: −1 to 1, of what was said; speaker: "customer", "bot" or "seat", of
    what was said; channel and touchpoint: where the event tells them; label: "negative", "neutral", "positive" or "unsure", of a
    score; names: what stands in the texts as an id, as pairs of "pool", "touch" or "channel" with the id, in the order in which they
    stand there, for pages that have words for it. None for the rest."""

    kind: str
    zh: str
    en: str
    polarity: float | None = None
    speaker: str | None = None
    channel: str | None = None
    touchpoint: str | None = None
    label: str | None = None
    names: tuple[tuple[str, str], ...] = ()


def tell(message: Message) -> Step | None:
    """The step that an event makes in its customer's story; None where it makes none."""
    teller = _TELLERS.get(type(message))
    return teller(message) if teller else None


def _step(say: Callable[[Any], tuple[str, str, str]]) -> "Callable[[Any], Step]":
    return lambda message: Step(*say(message), names=_pools_of(message))


def _pools_of(message: Message) -> tuple[tuple[str, str], ...]:
    """The pools that a step of waiting names."""
    return (("pool", message.pool), ("pool", message.to_pool)) if isinstance(message, router.ContactMoved) else ()


def _quote(text: str) -> str:
    return text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE] + "…"


def _or(zh: str, en: str, given: str) -> tuple[str, str]:
    return (given, given) if given else (zh, en)


_SPEAKERS = {
    contact.SPEAKER_CUSTOMER: ("顾客", "Customer"),
    contact.SPEAKER_BOT: ("机器人", "Bot"),
    contact.SPEAKER_SEAT: ("坐席", "Seat"),
}
_SPEAKER_CODES = {
    contact.SPEAKER_CUSTOMER: "customer",
    contact.SPEAKER_BOT: "bot",
    contact.SPEAKER_SEAT: "seat",
}
_LABELS = {
    sentiment.LABEL_NEGATIVE: ("不满", "unhappy"),
    sentiment.LABEL_NEUTRAL: ("平静", "neutral"),
    sentiment.LABEL_POSITIVE: ("满意", "happy"),
    sentiment.LABEL_UNSURE: ("难以判断", "unsure"),
}
_LABEL_CODES = {
    sentiment.LABEL_NEGATIVE: "negative",
    sentiment.LABEL_NEUTRAL: "neutral",
    sentiment.LABEL_POSITIVE: "positive",
    sentiment.LABEL_UNSURE: "unsure",
}
_EMOTIONS = {
    sentiment.EMOTION_HAPPY: ("开心", "happy"),
    sentiment.EMOTION_ANGRY: ("生气", "angry"),
    sentiment.EMOTION_SAD: ("难过", "sad"),
    sentiment.EMOTION_FEAR: ("担心", "worried"),
    sentiment.EMOTION_SURPRISE: ("惊讶", "surprised"),
}
_TURNED = {
    sentiment.DIRECTION_SOURED: ("变差", "for the worse"),
    sentiment.DIRECTION_BRIGHTENED: ("好转", "for the better"),
}
_RETURNED = {
    "declined": ("坐席拒接", "declined"),
    "timeout": ("超时未接", "not answered in time"),
    "signed_out": ("坐席离线", "seat signed out"),
}
_OUTCOMES = {
    router.OUTCOME_BOT: ("机器人已服务完毕", "Served by the bot"),
    router.OUTCOME_HUMAN: ("人工已服务完毕", "Served by a human"),
    router.OUTCOME_ABANDONED: ("顾客等不及离开了", "The customer left while waiting"),
}
_TICKET = {
    ticket.TICKET_STATUS_IN_PROGRESS: ("处理中", "in progress"),
    ticket.TICKET_STATUS_WAITING: ("等待顾客", "waiting for the customer"),
    ticket.TICKET_STATUS_REOPENED: ("重新打开", "reopened"),
}


def _requested(m: contact.ContactRequested) -> Step:
    zh, en = _or("服务", "service", m.topic or m.touchpoint)
    return Step(
        "requested",
        f"通过 {m.channel} 请求服务：{zh}",
        f"Asks for service by {m.channel}: {en}",
        channel=m.channel or None,
        touchpoint=m.touchpoint or None,
        names=(("channel", m.channel), ("touch", m.topic or m.touchpoint)),
    )


def _said(m: contact.MessageReceived) -> Step:
    zh, en = _SPEAKERS.get(m.speaker, ("有人", "Somebody"))
    return Step(
        "said",
        f"{zh}：{_quote(m.text)}",
        f"{en}: {_quote(m.text)}",
        speaker=_SPEAKER_CODES.get(m.speaker),
        channel=m.channel or None,
        touchpoint=m.touchpoint or None,
    )


def _handover(m: contact.HandoverRequested) -> Step:
    zh, en = _or("未说明", "no reason given", m.reason)
    return Step("handover", f"请求转人工（{zh}）", f"Handover to a human requested ({en})")


def _ended(m: contact.ContactEnded) -> Step:
    zh, en = _SPEAKERS.get(m.ended_by, ("双方", "Either side"))
    return Step("closed", f"{zh}结束了联系", f"{en} ended the contact")


def _abandoned(_: contact.ContactAbandoned) -> Step:
    return Step("closed", "顾客放弃等待", "The customer gave up waiting")


def _scored(m: sentiment.MessageScored) -> Step:
    zh, en = _LABELS.get(m.score.label, ("未评分", "not scored"))
    figures = f"{m.score.polarity:+.2f}"
    feels = _EMOTIONS.get(m.score.emotion)
    more_zh, more_en = (f"，{feels[0]}", f", {feels[1]}") if feels else ("", "")
    return Step(
        "scored",
        f"情绪：{zh}（{figures}）{more_zh}，累计心情 {m.customer_mood:+.2f}",
        f"Mood: {en} ({figures}){more_en}, running mood {m.customer_mood:+.2f}",
        m.score.polarity,
        label=_LABEL_CODES.get(m.score.label),
    )


def _turned(m: sentiment.ConversationShifted) -> Step:
    zh, en = _TURNED.get(m.turn.direction, ("转折", "somehow"))
    figures = f"{m.turn.level_before:+.2f} → {m.turn.level_after:+.2f}"
    last = m.turn.before[-1].speaker if m.turn.before else contact.SPEAKER_UNSPECIFIED
    who = _SPEAKERS.get(last)
    after_zh, after_en = (f"，此前是{who[0]}在说话", f", after the {who[1].lower()} had spoken") if who else ("", "")
    return Step("turned", f"对话{zh}（{figures}）{after_zh}", f"The conversation turned {en} ({figures}){after_en}")


def _score_corrected(m: sentiment.SentimentCorrected) -> Step:
    zh, en = _LABELS.get(m.label, ("", ""))
    feels = _EMOTIONS.get(m.emotion, ("", ""))
    told_zh, told_en = "、".join(filter(None, (zh, feels[0]))), ", ".join(filter(None, (en, feels[1])))
    return Step(
        "corrected",
        f"坐席 {m.seat_id} 更正了评分" + (f"：{told_zh}" if told_zh else ""),
        f"Seat {m.seat_id} corrected a score" + (f": {told_en}" if told_en else ""),
    )


def _triaged(m: router.ContactTriaged) -> Step:
    missing = "、".join(m.inputs.missing)
    note_zh = f"，缺少 {missing} 的信息" if missing else ""
    note_en = f", without an answer of {', '.join(m.inputs.missing)}" if missing else ""
    where_zh, where_en = ("机器人", "the bot") if m.pool == "bot" else (f" {m.pool}", m.pool)
    return Step(
        "routed",
        f"分派给{where_zh}（规则 {m.rule}，优先级 {m.priority}{note_zh}）",
        f"Routed to {where_en} (rule {m.rule}, priority {m.priority}{note_en})",
        channel=m.inputs.channel or None,
        touchpoint=m.inputs.touchpoint or None,
        names=() if m.pool == "bot" else (("pool", m.pool),),
    )


def _queued(m: router.ContactQueued) -> Step:
    return Step("queued", f"在 {m.pool} 排队", f"Waits for {m.pool}", names=(("pool", m.pool),))


def _offered(m: router.ContactOffered) -> Step:
    return Step("offered", f"派给坐席 {m.seat_id}", f"Offered to seat {m.seat_id}")


def _returned(m: router.OfferReturned) -> Step:
    zh, en = _RETURNED.get(m.reason, (m.reason, m.reason))
    return Step(
        "returned",
        f"坐席 {m.seat_id} 未接（{zh}），回到原位",
        f"Seat {m.seat_id} did not take it ({en}); back to its place",
    )


def _accepted(m: router.ContactAccepted) -> Step:
    waited = f"{m.waited_ms / 1000:.0f}"
    return Step("accepted", f"坐席 {m.seat_id} 接起，等待 {waited} 秒", f"Seat {m.seat_id} took it after {waited} s")


def _closed(m: router.ContactClosed) -> Step:
    zh, en = _OUTCOMES.get(m.outcome, ("联系结束", "The contact is over"))
    return Step("closed", zh, en)


def _order(m: order.OrderPlaced) -> Step:
    zh, en = _or("商品", "goods", m.product)
    price = f"{m.amount_cents / 100:.2f}"
    return Step("order", f"下单：{zh}，{price} 元", f"Orders {en} for {price}")


def _delayed(m: order.DeliveryDelayed) -> Step:
    zh, en = _or("原因未知", "no reason given", m.reason)
    return Step(
        "delivery", f"配送延误 {m.delay_minutes} 分钟（{zh}）", f"Delivery is {m.delay_minutes} min late ({en})"
    )


def _spoilt(m: order.DeliverySpoilt) -> Step:
    zh, en = _or("损坏", "damaged", m.fault)
    return Step("delivery", f"到货有问题：{zh}", f"Goods arrived bad: {en}")


def _refund(m: order.RefundRequested) -> Step:
    amount = f"{m.amount_cents / 100:.2f}"
    return Step("order", f"申请退款 {amount} 元", f"Asks for {amount} back")


def _return_sent(m: order.ReturnSent) -> Step:
    return Step("order", f"寄回商品，运单 {m.parcel}", f"Sends goods back, parcel {m.parcel}")


def _return_checked(m: order.ReturnChecked) -> Step:
    amount = f"{m.worth_cents / 100:.2f}"
    return Step("order", f"退货已验收，价值 {amount} 元", f"The return was opened: worth {amount}")


def _refund_decided(m: escalation.QuickRefundDecided) -> Step:
    amount = f"{m.amount_cents / 100:.2f}"
    if m.started:
        return Step("order", f"极速退款 {amount} 元", f"Quick refund of {amount}")
    zh, en = (", ".join(getattr(c, name) for c in m.checks if not c.kept) for name in ("zh", "en"))
    return Step("order", f"验收后退款（{zh}）", f"Refund once the parcel is opened ({en})")


def _refund_settled(m: escalation.QuickRefundSettled) -> Step:
    lost = f"{m.lost_cents / 100:.2f}"
    return Step("order", f"退款已结清，损失 {lost} 元", f"Refund settled, {lost} lost")


def _opted_out(_: contact.OutreachOptedOut) -> Step:
    return Step("outreach", "客户不再接收主动提醒", "Wants no proactive messages")


def _affected(m: escalation.CustomerAffected) -> Step:
    return Step("outreach", f"可能受“{m.cause}”影响", f'May be hit by "{m.cause}"')


def _outreach(m: escalation.OutreachStarted) -> Step:
    if m.withheld:
        return Step("outreach", f"未主动联系（{m.withheld}）", f"Not reached out to ({m.withheld})")
    zh, en = ("回拨", "call back") if m.kind == "call_back" else ("消息", "message")
    return Step("outreach", f"主动联系（{zh}）：{m.zh}", f"Reached out to ({en}): {m.en}")


def _ticket_opened(m: ticket.TicketOpened) -> Step:
    zh, en = _or("未说明", "no topic", m.topic)
    return Step("ticket", f"开立工单：{zh}", f"Ticket opened: {en}")


def _ticket_updated(m: ticket.TicketUpdated) -> Step:
    zh, en = _TICKET.get(m.status, ("更新", "updated"))
    return Step("ticket", f"工单{zh}", f"Ticket {en}")


def _ticket_resolved(_: ticket.TicketResolved) -> Step:
    return Step("ticket", "工单已解决", "Ticket resolved")


def _answered(m: survey.SurveyAnswered) -> Step:
    said = f"：{_quote(m.comment)}" if m.comment else ""
    return Step("survey", f"问卷评分 {m.score}{said}", f"Survey answer {m.score}{said.replace('：', ': ', 1)}")


def _corrected(m: survey.SurveyCorrected) -> Step:
    return Step("survey", f"问卷评分更正为 {m.score}", f"Survey answer corrected to {m.score}")


def _retracted(_: survey.SurveyRetracted) -> Step:
    return Step("survey", "撤回问卷", "Survey answer withdrawn")


def _flagged(m: escalation.ComplaintFlagged) -> Step:
    reasons = ", ".join(r.code for r in m.reasons)
    return Step(
        "flagged",
        f"可能升级投诉，风险 {m.risk:.2f}（{reasons}）",
        f"Complaint likely to escalate, risk {m.risk:.2f} ({reasons})",
    )


def _follow_up_closed(m: escalation.FollowUpClosed) -> Step:
    zh, en = _RESULTS.get(m.result, ("跟进已结束", "Follow-up is over"))
    return Step("follow_up", f"{zh}：{m.outcome}", f"{en}: {m.outcome}")


def _escalated(_: escalation.ComplaintEscalated) -> Step:
    return Step("escalated", "客户要求投诉专席", "The customer asks for the complaint desk")


def _follow_up_claimed(m: escalation.FollowUpClaimed) -> Step:
    return Step("follow_up", f"{m.owner} 开始跟进", f"{m.owner} follows up")


def _follow_up_released(m: escalation.FollowUpReleased) -> Step:
    return Step("follow_up", f"{m.owner} 放回，等待他人跟进", f"{m.owner} gives it back")


def _follow_up_reminded(_: escalation.FollowUpReminded) -> Step:
    return Step("follow_up", "跟进即将到期，已提醒", "Follow-up is due soon: reminded")


def _follow_up_overflowed(m: escalation.FollowUpOverflowed) -> Step:
    return Step("follow_up", f"跟进转交主管 {m.supervisor}", f"Follow-up goes to the supervisor, {m.supervisor}")


def _follow_up_overdue(_: escalation.FollowUpOverdue) -> Step:
    return Step("follow_up", "跟进已超时", "Follow-up is overdue")


_RESULTS = {
    escalation.RESULT_DONE: ("跟进已完成", "Followed up"),
    escalation.RESULT_FAILED: ("跟进未成功", "Follow-up failed"),
    escalation.RESULT_OVERTAKEN: ("无需再跟进", "Follow-up is needless now"),
    escalation.RESULT_DISPLACED: ("让位于更严重的投诉", "A graver complaint took its place"),
}

_TELLERS: dict[type[Message], Callable[[Any], Step]] = {
    contact.ContactRequested: _requested,
    contact.MessageReceived: _said,
    contact.HandoverRequested: _handover,
    contact.ContactEnded: _ended,
    contact.ContactAbandoned: _abandoned,
    sentiment.MessageScored: _scored,
    sentiment.ConversationShifted: _turned,
    sentiment.SentimentCorrected: _score_corrected,
    router.ContactTriaged: _triaged,
    router.ContactQueued: _queued,
    router.ContactOffered: _offered,
    router.OfferReturned: _returned,
    router.ContactAccepted: _accepted,
    router.ContactClosed: _closed,
    order.OrderPlaced: _order,
    order.DeliveryDelayed: _delayed,
    order.DeliverySpoilt: _spoilt,
    order.RefundRequested: _refund,
    order.ReturnSent: _return_sent,
    contact.OutreachOptedOut: _opted_out,
    escalation.CustomerAffected: _affected,
    escalation.OutreachStarted: _outreach,
    order.ReturnChecked: _return_checked,
    escalation.QuickRefundDecided: _refund_decided,
    escalation.QuickRefundSettled: _refund_settled,
    ticket.TicketOpened: _ticket_opened,
    ticket.TicketUpdated: _ticket_updated,
    ticket.TicketResolved: _ticket_resolved,
    survey.SurveyAnswered: _answered,
    survey.SurveyCorrected: _corrected,
    survey.SurveyRetracted: _retracted,
    escalation.ComplaintFlagged: _flagged,
    escalation.FollowUpClosed: _follow_up_closed,
    escalation.ComplaintEscalated: _escalated,
    escalation.FollowUpClaimed: _follow_up_claimed,
    escalation.FollowUpReleased: _follow_up_released,
    escalation.FollowUpReminded: _follow_up_reminded,
    escalation.FollowUpOverflowed: _follow_up_overflowed,
    escalation.FollowUpOverdue: _follow_up_overdue,
    **{kind: _step(say) for kind, say in promises.TELLERS.items()},
}

# What moves a figure and tells no step of its own.
FIGURES = (nps.NpsChanged, sentiment.CommentRead)
