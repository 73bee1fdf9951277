"""Mrs Hu's canned story (胡女士), as the gateway's journey tells it."""

from __future__ import annotations

from typing import Any

_SPEAKERS = {"顾客": "customer", "机器人": "bot", "坐席": "seat"}
TRACE = "7c0de5a1b2c34d5e8f90a1b2c3d4e5f6"


def _at(clock: str) -> str:
    hour, minute, second = (int(part) for part in clock.split(":"))
    return f"2026-05-20T{hour - 8:02d}:{minute:02d}:{second:02d}.000Z"


def _step(
    clock: str, kind: str, zh: str, en: str, contact: str | None = None, polarity: float | None = None
) -> dict[str, Any]:
    return {
        "at": _at(clock),
        "kind": kind,
        "zh": zh,
        "en": en,
        "polarity": polarity,
        "label": None,
        "names": [],
        "speaker": _SPEAKERS.get(zh.partition("：")[0]) if kind == "said" else None,
        "channel": None,
        "touchpoint": None,
        "contact_id": contact,
        "trace_id": TRACE,
    }


A, B, C, D, E = "hu-1-advice", "hu-2-install", "hu-3-fault", "hu-4-unhappy", "hu-5-complaint"

HU_STEPS = [
    _step("08:31:02", "requested", "从 App 进来，咨询售前", "comes in by the app, about pre-sales advice", A),
    _step("08:31:02", "routed", "分派给机器人：规则“普通咨询”", "sent to the bot: rule “plain advice”", A),
    _step("08:31:03", "said", "顾客：你好，想买一台空调，二十平米的客厅，哪一款合适？", "Customer: 你好，想买一台空调，二十平米的客厅，哪一款合适？", A),
    _step("08:31:03", "scored", "情绪 +0.08（中性）", "mood +0.08 (neutral)", A, 0.08),
    _step("08:31:20", "said", "机器人：您好，推荐一匹半的变频空调。", "Bot: 您好，推荐一匹半的变频空调。", A),
    _step("08:32:10", "said", "顾客：算了，我再想想吧，没有说服我。", "Customer: 算了，我再想想吧，没有说服我。", A),
    _step("08:32:10", "scored", "情绪 −0.28（负面）", "mood −0.28 (negative)", A, -0.28),
    _step("08:33:00", "closed", "机器人办结", "served by the bot", A),
    _step("08:40:00", "survey", "打了 7 分（被动者）", "answers 7 (passive)", None),
    _step("09:10:00", "order", "下单：空调，3,299 元", "orders an air conditioner, CNY 3,299", None),
    _step("10:22:41", "requested", "打电话来，约安装", "calls about the installation", B),
    _step("10:22:42", "queued", "要找人工，进服务组排队", "asks for a human, waits for the service pool", B),
    _step("10:22:44", "said", "顾客：我订的空调想约周六上门安装，不过周六可能有变，到时候能改吗？", "Customer: 我订的空调想约周六上门安装，不过周六可能有变，到时候能改吗？", B),
    _step("10:22:44", "scored", "情绪 −0.02", "mood −0.02", B, -0.02),
    _step("10:23:30", "accepted", "service-a03 接起，等了 48 秒", "service-a03 takes it after 48 s", B),
    _step("10:27:40", "closed", "人工办结", "served by a human", B),
    _step("10:29:00", "ticket", "开了安装工单", "an installation ticket is opened", None),
    _step("10:33:00", "survey", "打了 8 分（被动者）", "answers 8 (passive)", None),
    _step("11:30:11", "requested", "从网页进来，报修", "comes in by the web chat, reports a fault", C),
    _step("11:30:12", "said", "顾客：空调装好了，可是一点都不制冷，还有很大的噪音！", "Customer: 空调装好了，可是一点都不制冷，还有很大的噪音！", C),
    _step("11:30:12", "scored", "情绪 −0.55", "mood −0.55", C, -0.55),
    _step("11:30:39", "handover", "请求转人工（mood）", "Handover to a human requested (mood)", C),
    _step("11:30:40", "routed", "机器人因情绪转人工：关怀组", "the bot hands over because of the mood: care", C),
    _step("11:31:20", "accepted", "care-a01 接起", "care-a01 takes it", C),
    _step("11:33:00", "said", "顾客：请尽快派人来修，家里有老人，热得受不了。", "Customer: 请尽快派人来修，家里有老人，热得受不了。", C),
    _step("11:33:00", "scored", "情绪 −0.47", "mood −0.47", C, -0.47),
    _step("11:35:00", "closed", "人工办结", "served by a human", C),
    _step("12:20:00", "ticket", "维修工单标为已解决", "the repair ticket is marked resolved", None),
    _step("13:20:05", "requested", "又从网页进来", "comes in by the web chat again", D),
    _step("13:20:06", "said", "顾客：师傅来了十分钟就走，根本没修好，态度还特别差！", "Customer: 师傅来了十分钟就走，根本没修好，态度还特别差！", D),
    _step("13:20:06", "scored", "情绪 −0.83", "mood −0.83", D, -0.83),
    _step("13:20:30", "ticket", "维修工单被重新打开", "the repair ticket is reopened", D),
    _step("13:21:10", "accepted", "care-a02 接起", "care-a02 takes it", D),
    _step("13:22:00", "said", "顾客：再不处理我就要投诉了。", "Customer: 再不处理我就要投诉了。", D),
    _step("13:22:00", "scored", "情绪 −0.79", "mood −0.79", D, -0.79),
    _step("13:22:01", "flagged", "可能升级投诉，风险 0.86（complaint_words, mood_falling, repeat_contact）", "Complaint likely to escalate, risk 0.86 (complaint_words, mood_falling, repeat_contact)", D),
    _step("14:12:00", "requested", "打电话来，要投诉", "calls to complain", E),
    _step("14:12:03", "said", "顾客：我要投诉！我要求赔偿，不然我就打12315。", "Customer: 我要投诉！我要求赔偿，不然我就打12315。", E),
    _step("14:12:03", "scored", "情绪 −0.90", "mood −0.90", E, -0.90),
    _step("14:12:30", "accepted", "care-a01 接起：主管", "care-a01 takes it: the supervisor", E),
    _step("14:16:00", "closed", "人工办结", "served by a human", E),
    _step("14:20:00", "survey", "打了 2 分（贬损者）：希望说到做到", "answers 2 (detractor)", E),
    _step("14:24:00", "order", "申请退款 3,299 元", "asks for a refund of CNY 3,299", None),
]  # fmt: skip


def _contact(
    contact_id: str, clock: str, channel: str, touchpoint: str, state: str, pool: str, seat: str | None, mood: float
) -> dict[str, Any]:
    return {
        "contact_id": contact_id, "customer_id": "hu", "channel": channel, "touchpoint": touchpoint, "state": state, "pool": pool, "seat_id": seat, "rule": "care",
        "priority": 10, "mood": mood, "requested_at": _at(clock), "queued_at": _at(clock), "accepted_at": None, "ended_at": None, "waited_s": 48.0 if seat else None, "trace_id": TRACE,
    }  # fmt: skip


HU_CONTACTS = [
    _contact(A, "08:31:02", "app", "pre_sales", "served_by_bot", "bot", None, -0.1),
    _contact(B, "10:22:41", "phone", "after_sales.install", "served_by_human", "service", "service-a03", -0.02),
    _contact(C, "11:30:11", "web", "after_sales.repair", "served_by_human", "care", "care-a01", -0.5),
    _contact(D, "13:20:05", "web", "after_sales.repair", "served_by_human", "care", "care-a02", -0.8),
    _contact(E, "14:12:00", "phone", "after_sales.complaint", "served_by_human", "care", "care-a01", -0.88),
]
