"""Steps of waiting: what was told, promised and kept, lines that broke, moves between pools."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact
from touchline.router.v1 import events_pb2 as router

Words = tuple[str, str, str]
"""The dashboard's word for the step, Chinese, English."""


def call_back(_: contact.CallBackRequested) -> Words:
    """Say it."""
    return "promised", "顾客希望回呼，不再在线等待", "The customer would rather be called back"


def no_call_back(_: contact.CallBackCancelled) -> Words:
    """Say it."""
    return "released", "顾客不再需要人工联系", "The customer needs no call any more"


def cut_off(_: contact.ContactDisconnected) -> Words:
    """Say it."""
    return "queued", "顾客断线，位置暂时保留", "The line broke; the place is kept for a while"


def connected(_: contact.ContactReconnected) -> Words:
    """Say it."""
    return "queued", "顾客重新接入，位置不变", "The customer is on the line again, at the same place"


def told(m: router.WaitPredicted) -> Words:
    """Say it."""
    if not m.HasField("wait_s"):
        return "told", f"告知排在第 {m.position} 位", f"Told: place {m.position} in the queue"
    wait = f"{m.wait_s:.0f}"
    return "told", f"告知排在第 {m.position} 位，预计等待 {wait} 秒", f"Told: place {m.position}, about {wait} s"


def moved(m: router.ContactMoved) -> Words:
    """Say it."""
    why = f"（{m.reason}）" if m.reason else ""
    en = f" ({m.reason})" if m.reason else ""
    return (
        "moved",
        f"从 {m.pool} 转到 {m.to_pool}{why}，等待接着算",
        f"Moved from {m.pool} to {m.to_pool}{en}; the clock goes on",
    )


def incurred(m: router.DebtIncurred) -> Words:
    """Say it."""
    by = f"{m.due_at.ToDatetime():%H:%M} UTC"
    return "promised", f"承诺 {by} 前由人工联系", f"A human was promised by {by}"


def called(_: router.DebtCalled) -> Words:
    """Say it."""
    return "called", "开始安排人工联系", "The promise's turn has come: waits for a seat"


def paid(m: router.DebtPaid) -> Words:
    """Say it."""
    return "paid", f"坐席 {m.seat_id} 已联系，承诺兑现", f"Seat {m.seat_id} has it: the promise is kept"


def released(_: router.DebtReleased) -> Words:
    """Say it."""
    return "released", "承诺解除", "The promise is released"


def overdue(_: router.DebtOverdue) -> Words:
    """Say it."""
    return "overdue", "承诺的时间已过", "The promised time has passed"


TELLERS: dict[type[Message], Callable[[Any], Words]] = {
    contact.CallBackRequested: call_back,
    contact.CallBackCancelled: no_call_back,
    contact.ContactDisconnected: cut_off,
    contact.ContactReconnected: connected,
    router.WaitPredicted: told,
    router.ContactMoved: moved,
    router.DebtIncurred: incurred,
    router.DebtCalled: called,
    router.DebtPaid: paid,
    router.DebtReleased: released,
    router.DebtOverdue: overdue,
}
