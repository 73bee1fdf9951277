"""Mrs Hu's journey (胡女士): one customer through the whole day, told by fixed events in one linked trace.

She asks for advice on an air conditioner and isn't convinced, orders it all the same, calls to arrange an installation
on a Saturday that may change, reports a fault on the web chat, is unhappy with the repair and the repairer, and at last
wants to complain and be compensated.
"""

from datetime import timedelta
from hashlib import md5

from services.cli.day.events import event, order_placed
from services.cli.day.model import ContactPlan, Day, Outside, Shopper, SurveyPlan

HU = Shopper("hu", "gold", False, "zh", "华东", "上海一店")
PRODUCT = "空调"
ORDER, INSTALLATION, REPAIR = "hu-order", "hu-installation", "hu-repair"
ADVICE, INSTALL_CALL, FAULT, UNHAPPY, COMPLAINT = (
    "hu-1-advice",
    "hu-2-install",
    "hu-3-fault",
    "hu-4-unhappy",
    "hu-5-complaint",
)


def traceparent(seed: int) -> str:
    """The W3C trace context that all her events carry: one trace, sampled."""
    trace = md5(f"touchline/hu/{seed}".encode(), usedforsecurity=False).hexdigest()
    return f"00-{trace}-{trace[:15]}1-01"


def mrs_hu(day: Day) -> tuple[tuple[ContactPlan, ...], tuple[Outside, ...]]:
    """Her contacts, and the events around them, spread over the day's window."""
    trace, window = traceparent(day.seed), day.window

    def contact(
        contact_id: str,
        share: float,
        place: tuple[str, str, str],
        *,
        says: tuple[str, ...],
        then: tuple[str, ...],
        replies: tuple[str, ...],
        survey: SurveyPlan,
        handover: str = "",
        human: bool = False,
    ) -> ContactPlan:
        channel, touchpoint, topic = place
        return ContactPlan(
            contact_id=contact_id,
            shopper=HU,
            at=window.at(share),
            channel=channel,
            touchpoint=touchpoint,
            topic=topic,
            product=PRODUCT,
            wants_human=human,
            opening=says,
            later=then,
            patience_s=5400,
            service_s=240,
            handover=handover,
            replies=replies,
            survey=survey,
            traceparent=trace,
        )

    def outside(share: float, kind: str, origin: str, name: str, data: dict[str, object]) -> Outside:
        at = window.at(share)
        return Outside(
            at,
            event(
                kind,
                seed=day.seed,
                name=name,
                origin=origin,
                subject=HU.id,
                time=day.moment(at),
                data=data,
                traceparent=trace,
            ),
        )

    def survey(name: str, score: int, comment: str) -> SurveyPlan:
        return SurveyPlan(f"hu-{name}", score, 0.01 * (window.end - window.start), comment, fixed=True)

    contacts = (
        contact(ADVICE, 0.04, ("app", "pre_sales", "advice"),
                says=("你好，想买一台空调，二十平米的客厅，哪一款合适？",),
                then=("你说的这几款我看不出区别，价格差这么多。", "算了，我再想想吧，没有说服我。"),
                replies=("您好，二十平米推荐一匹半的变频空调。", "主要区别在能效和静音。"),
                survey=survey("advice", 7, "介绍得不清楚")),
        contact(INSTALL_CALL, 0.22, ("phone", "after_sales.install", "installation"),
                says=("你好，我订的空调想约周六上门安装，不过周六可能有变，到时候能改吗？",),
                then=("如果周六我不在家，可以改到别的时间吗？", "好，那先约周六，有变化请提前给我打电话。"),
                replies=("您好，周六上午可以安排，有变化随时改约。", "好的，已为您登记，师傅也可能提前上门。"),
                human=True, survey=survey("install", 8, "电话里还算清楚")),
        contact(FAULT, 0.46, ("web", "after_sales.repair", "repair"),
                says=("空调装好了，可是一点都不制冷，还有很大的噪音！", "刚装的新机器就坏了，太让人失望了。"),
                then=("开了一个小时还是热风，质量太差了。", "请尽快派人来修，家里有老人，热得受不了。"),
                replies=("非常抱歉，已为您登记报修，今天安排师傅上门。", "师傅会提前电话联系您。"),
                handover="mood", survey=survey("fault", 4, "新机器就坏")),
        contact(UNHAPPY, 0.68, ("web", "after_sales.repair", "repair"),
                says=("师傅来了十分钟就走，根本没修好，态度还特别差！", "空调还是不制冷，你们这是什么维修？太差劲了。"),
                then=("师傅说是我自己用坏的，真让人生气，简直不负责任。", "这已经是第三次找你们了，问题一点都没有解决，太糟糕了。", "再不处理我就要投诉了。"),
                replies=("非常抱歉，我马上联系维修主管。", "我们会重新安排师傅。"),
                handover="mood", human=True, survey=survey("unhappy", 1, "维修没修好，师傅态度差")),
        contact(COMPLAINT, 0.90, ("phone", "after_sales.complaint", "complaint"),
                says=("我要投诉！空调修了还是坏的，维修师傅态度恶劣，没有一个人负责。", "我要求赔偿，不然我就打12315。"),
                then=("等了一天没有人给我回电话，非常失望，非常生气。", "要么换新机，要么退款加赔偿。"),
                replies=("胡女士，非常抱歉，我是主管，您的投诉由我负责到底。", "我们为您换新机并赔偿损失。"),
                human=True, survey=survey("complaint", 2, "希望说到做到")),
    )  # fmt: skip
    around = (
        outside(0.10, "order.OrderPlaced", "shop", ORDER, order_placed(HU, ORDER, PRODUCT, 329_900, day.moment(window.at(0.10)) + timedelta(days=2))),
        outside(0.245, "ticket.TicketOpened", "desk", INSTALLATION,
                {"ticketId": INSTALLATION, "contactId": INSTALL_CALL, "topic": "installation", "priority": 3}),
        outside(0.30, "ticket.TicketUpdated", "desk", f"{INSTALLATION}-moved", {"ticketId": INSTALLATION, "status": "TICKET_STATUS_IN_PROGRESS"}),
        outside(0.40, "ticket.TicketResolved", "desk", f"{INSTALLATION}-done", {"ticketId": INSTALLATION}),
        outside(0.49, "ticket.TicketOpened", "desk", REPAIR, {"ticketId": REPAIR, "contactId": FAULT, "topic": "repair", "priority": 2}),
        outside(0.62, "ticket.TicketResolved", "desk", f"{REPAIR}-1", {"ticketId": REPAIR}),
        outside(0.70, "ticket.TicketUpdated", "desk", f"{REPAIR}-back", {"ticketId": REPAIR, "status": "TICKET_STATUS_REOPENED"}),
        outside(0.93, "order.RefundRequested", "shop", f"{ORDER}-refund",
                {"orderId": ORDER, "amountCents": "329900", "reason": "defect not repaired"}),
    )  # fmt: skip
    return contacts, around
