"""A stand-in for the gateway's read side, for tests of the page alone: it serves the real page and plays canned events.

Run it to look at the page: `python -m tests.browser.stand_in [PORT]`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import plotly
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from touchline.nps.v1 import nps_pb2

from services.nps.domain.actions import Action
from services.nps.domain.board import Board
from services.nps.telling import action_row, change_row
from tests.browser.hu_story import HU_CONTACTS, HU_STEPS
from tests.browser.kim_story import kim
from tests.browser.supervised import Supervised

Row = dict[str, Any]
NOW = datetime(2026, 5, 20, 6, 30, tzinfo=UTC)  # 14:30 in Shanghai
EVIL = '<img src=x onerror="window.stolen=1"><script>window.stolen=1</script>'
FOLDER = Path(__file__).parents[2] / "services" / "gateway" / "dashboard"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
MEDIA = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# The page may load only from where it comes; the gateway sends the same.
POLICY = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
}
TRACES = "http://127.0.0.1:9411"
POOLS = ("service", "care", "english")
TOUCHPOINTS = (
    "pre_sales",
    "order",
    "delivery",
    "after_sales.install",
    "after_sales.repair",
    "after_sales.complaint",
    "refund",
)
REGIONS = {
    "华东": (220, 120, 60),
    "华南": (130, 90, 80),
    "华北": (160, 60, 20),
    "西南": (40, 50, 55),
    "东北": (9, 3, 6),
    "西北": (2, 1, 0),
}


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def metric(name: str, segment: Row, window: str, start: datetime | None, counts: Row, **derived: Any) -> Row:
    return {
        "topic": f"metrics.{name}",
        "metric": name,
        "segment": segment,
        "window": window,
        "start": iso(start) if start else "",
        "counts": counts,
    } | derived


def nps_row(segment: Row, promoters: int, passives: int, detractors: int) -> Row:
    n = promoters + passives + detractors
    share = [(promoters + 0.75) / (n + 3), (detractors + 0.75) / (n + 3)]
    mean = share[0] - share[1]
    half = 1.96 * ((share[0] + share[1] - mean**2) / (n + 3)) ** 0.5
    low, high = max(-1, mean - half) * 100, min(1, mean + half) * 100
    counts = {"promoters": promoters, "passives": passives, "detractors": detractors}
    return metric("nps", segment, "ALL", None, counts, n=n, nps=100 * (promoters - detractors) / n, low=low, high=high)


def told_rows() -> list[Row]:
    """What the nps service says of changes and actions, in its own words."""
    still = change_row([])
    split = nps_pb2.NpsShifted(segment="region=华南", where={"region": "华南"})
    split.change.points, split.change.low, split.change.high = -9.4, -15.2, -3.1
    split.change.zh = "自周二 5月12日 16:00起变化 −3…−15 分（起点在周一 5月11日 04:00至周三 5月13日 08:00之间）"
    split.change.en = (
        "changed since Tue 12 May 16:00 by −3…−15 points (it began between Mon 11 May 04:00 and Wed 13 May 08:00)"
    )
    split.change.since.FromDatetime(NOW - timedelta(days=8))
    split.change.told_at.FromDatetime(NOW - timedelta(days=2))
    board, start = Board(), NOW - timedelta(days=40)
    for n in range(600):
        at = start + timedelta(hours=1.6 * n)
        board.put(
            n, at, (("region", "华南"),), (2 if n % 3 else 1) if at < NOW - timedelta(days=12) else (0 if n % 5 else 2)
        )
    promised, done = NOW - timedelta(days=14), NOW - timedelta(days=12)
    actions = (
        Action("van-2", "华南物流", "每天加开一班配送车", (("region", "华南"),), promised, done, 10.0, done),
        Action(
            "hotline",
            "客服一部",
            "热线夜间加两席",
            (("region", "华南"),),
            NOW - timedelta(days=6),
            NOW - timedelta(days=1),
        ),
    )
    return [still, change_row([split]), *(action_row(a, board, NOW) for a in actions)]


def minutes(roll: random.Random, back: int) -> list[tuple[str, Row]]:
    rows = []
    for ago in range(back, -1, -1):
        start = (NOW - timedelta(minutes=ago)).replace(second=0, microsecond=0)
        peak = 1 + 2.5 * max(0.0, 1 - abs(ago - 70) / 45)
        sums: Row = {}
        for index, pool in enumerate((*POOLS, "bot")):
            load = (3.0, 1.4, 0.7, 6.0)[index] * peak
            queued = int(load + roll.random()) if pool != "bot" else 0
            taken = max(0, queued - int(roll.random() * 2))
            left = int(roll.random() < 0.12 * peak) if pool != "bot" else 0
            wait = (40 + 55 * index + 130 * (peak - 1)) * roll.uniform(0.7, 1.3)
            counts = {
                "triaged_bot": int(load) if pool == "bot" else 0,
                "triaged_human": queued,
                "queued": queued,
                "accepted": taken,
                "abandoned": left,
                "wait_ms_sum": int(wait * 1000 * taken),
            }
            rows.append(
                (
                    "metric",
                    metric("routing", {"pool": pool}, "PT1M", start, counts, mean_wait_s=wait if taken else None),
                )
            )
            sums = {name: sums.get(name, 0) + number for name, number in counts.items()}
        rows.append(("metric", metric("routing", {}, "PT1M", start, sums)))
        every: Row = {}
        for index, touchpoint in enumerate(TOUCHPOINTS):
            n = roll.randint(2, 9)
            bad = sum(roll.random() < (0.1, 0.14, 0.34, 0.22, 0.55, 0.78, 0.4)[index] for _ in range(n))
            good = sum(roll.random() < 0.45 for _ in range(n - bad))
            unsure = int(roll.random() < 0.3 and n > bad + good)
            counts = {
                "negative": bad,
                "positive": good,
                "unsure": unsure,
                "neutral": n - bad - good - unsure,
                "polarity_milli": 700 * (good - bad),
            }
            rows.append(
                (
                    "metric",
                    metric(
                        "sentiment",
                        {"touchpoint": touchpoint},
                        "PT1M",
                        start,
                        counts,
                        n=n,
                        mean_polarity=0.7 * (good - bad) / n,
                    ),
                )
            )
            every = {name: every.get(name, 0) + number for name, number in counts.items()}
        rows.append(("metric", metric("sentiment", {}, "PT1M", start, every)))
    return rows


def contact(number: int, roll: random.Random) -> Row:
    at = NOW - timedelta(seconds=number * 19 + 4)
    state = roll.choice(
        ("bot", "queued", "offered", "in_service", "in_service")
        if number < 40
        else ("served_by_bot", "served_by_bot", "served_by_human", "served_by_human", "abandoned")
    )
    pool = "bot" if "bot" in state else roll.choice(POOLS)
    waited = roll.uniform(4, 700) if state in ("in_service", "served_by_human", "abandoned") else None
    seat = (
        f"{pool}-{roll.choice('ab')}{roll.randint(1, 12):02d}"
        if state in ("offered", "in_service", "served_by_human")
        else None
    )
    return {
        "contact_id": f"c-{number}", "customer_id": f"shopper-{roll.randint(1000, 9999)}", "channel": roll.choice(("微信", "app", "phone", "web")),
        "touchpoint": roll.choice(TOUCHPOINTS), "state": state, "pool": pool, "seat_id": seat, "rule": "unhappy-to-care", "priority": roll.choice((0, 5, 10)),
        "mood": roll.choice((None, round(roll.uniform(-0.9, 0.9), 2), round(roll.uniform(-0.4, 0.4), 2))), "requested_at": iso(at), "queued_at": iso(at + timedelta(seconds=1)) if pool != "bot" else None,
        "accepted_at": None, "ended_at": None, "waited_s": waited, "trace_id": f"{number + 1:032x}",
    }  # fmt: skip


def flag(number: int, customer: str, due_minutes: float, touchpoint: str, risk: float, *codes: str, **more: Any) -> Row:
    at = NOW - timedelta(minutes=40 + number)
    return {
        "follow_up_id": f"f-{number}", "customer_id": customer, "contact_id": f"c-{number}", "risk": risk, "flagged_at": iso(at), "due_at": iso(NOW + timedelta(minutes=due_minutes)),
        "reasons": [{"code": code, "weight": round(0.5 / (i + 1), 2), "value": 2.0} for i, code in enumerate(codes)],
        "closed_at": None, "outcome": None, "overdue": False, "touchpoint": touchpoint, "trace_id": f"{number + 9:032x}",
    } | more  # fmt: skip


def canned() -> list[tuple[str, Row]]:
    """The snapshot: a day's afternoon, always the same."""
    roll = random.Random(7)
    rows: list[tuple[str, Row]] = minutes(roll, 210)
    rows += [("metric", nps_row({"region": name}, *counts)) for name, counts in REGIONS.items()]
    rows += [("metric", {**row, "topic": f"metrics.{row['metric']}"}) for row in told_rows()]
    rows += [
        ("metric", nps_row({"store": f"{name}{i}店"}, *counts)) for name, counts in REGIONS.items() for i in (1, 2)
    ]
    rows.append(("metric", nps_row({}, *(sum(c[i] for c in REGIONS.values()) for i in range(3)))))
    rows += [("contact", contact(number, roll)) for number in range(180)]
    rows += [("contact", row) for row in HU_CONTACTS]
    for index, pool in enumerate(POOLS):
        waiting = (7, 2, 0)[index]
        oldest = iso(NOW - timedelta(seconds=(1010, 340, 0)[index])) if waiting else None
        rows.append(
            (
                "pool",
                {
                    "pool": pool,
                    "waiting": waiting,
                    "oldest_queued_at": oldest,
                    "offered": 1,
                    "in_service": 9 - 3 * index,
                    "seats_ready": index,
                    "seats_total": 12 - 3 * index,
                },
            )
        )
    rows += [
        ("flag", flag(1, "hu", -18, "after_sales.repair", 0.86, "complaint_words", "mood_falling", "repeat_contact", "reopened_ticket", contact_id="hu-4-unhappy")),
        ("flag", flag(2, "shopper-2207", 9, "delivery", 0.71, "delivery_failed", "waiting")),
        ("flag", flag(3, "shopper-5120", 85, "refund", 0.64, "mood_low", "repeat_contact", "waiting")),
        ("flag", flag(4, "shopper-8001", -60, "delivery", 0.68, "waiting", closed_at=iso(NOW), outcome="contacted", overdue=True)),
        ("flag", flag(5, "shopper-3344", 30, "after_sales.install", 0.61, "abandoned_contact", closed_at=iso(NOW - timedelta(minutes=3)), outcome="ticket_resolved")),
    ]  # fmt: skip
    return rows


class StandIn:
    """The stand-in's state: its rows, the streams that are open, and whether it is there at all."""

    def __init__(self) -> None:
        self.streams: set[asyncio.Queue[tuple[str, Row] | None]] = set()
        self.pools = Supervised(NOW)
        self.reset()
        self.app = Starlette(
            routes=[
                Route("/", self.page),
                Route("/static/{name}", self.file),
                Route("/v1/stream", self.stream),
                Route("/v1/customers/{id}/journey", self.journey),
                Route("/v1/contacts/{id}/explain", self.explain),
                Route("/v1/follow-ups", self.follow_ups),
                Route("/v1/follow-ups/{id}/{how}", self.act, methods=["POST"]),
                Route("/v1/pools/{pool}", self.pools.pool),
                Route("/v1/pools/{pool}/{command}", self.pools.act, methods=["POST"]),
            ]
        )

    def reset(self) -> None:
        """Makes it as it is at first; streams of before are broken."""
        self.rows = canned()
        self.tasks = [task(1, "hu", -18, 0.86), task(2, "shopper-2207", 9, 0.71)]
        self.pools.reset()
        self.now = NOW
        self.away = False
        self.services: Row = {
            name: {"healthy": True, "lag": 0, "backlog": 0}
            for name in ("gateway", "sentiment", "router", "nps", "escalation", "metrics")
        }
        for queue in self.streams:
            queue.put_nowait(None)

    def status(self) -> tuple[str, Row]:
        return "status", {"now": iso(self.now), "services": self.services, "traces_url": TRACES}

    def send(self, kind: str, row: Row) -> None:
        """Plays one event to every open stream, and keeps it for later ones."""
        if kind != "status":
            self.rows.append((kind, row))
        for queue in self.streams:
            queue.put_nowait((kind, row))

    def drop(self, away: bool = True) -> None:
        """Breaks every stream; while away, new ones are refused."""
        self.away = away
        for queue in self.streams:
            queue.put_nowait(None)

    async def page(self, _: Request) -> Response:
        return FileResponse(FOLDER / "index.html", headers=POLICY)

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name == PLOTLY.name:
            return FileResponse(PLOTLY, media_type="text/javascript")
        return FileResponse(FOLDER / name, media_type=MEDIA[Path(name).suffix], headers=POLICY)

    async def stream(self, _: Request) -> Response:
        if self.away:
            return JSONResponse({"error": "away"}, 503)
        return StreamingResponse(self._events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _events(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[tuple[str, Row] | None] = asyncio.Queue()
        self.streams.add(queue)
        try:
            yield "retry: 500\n\n"
            for item in (self.status(), *self.rows):
                yield _frame(item)
            while True:
                try:
                    item = await asyncio.wait_for(queue.get(), 1.0)
                except TimeoutError:
                    self.now += timedelta(seconds=1)
                    item = self.status()
                if item is None:
                    return
                yield _frame(item)
        finally:
            self.streams.discard(queue)

    async def journey(self, request: Request) -> Response:
        if request.path_params["id"] == "evil":
            steps = [
                {
                    "at": iso(NOW),
                    "kind": "said",
                    "zh": EVIL,
                    "en": EVIL,
                    "polarity": -0.4,
                    "label": None,
                    "names": [],
                    "contact_id": "c-x",
                    "trace_id": None,
                }
            ]
            return JSONResponse({"customer_id": "evil", "mood": None, "nps": None, "risk": None, "steps": steps})
        if request.path_params["id"] == "kim":
            return JSONResponse(kim())
        if request.path_params["id"] != "hu":
            return JSONResponse({"error": "not known"}, 404)
        return JSONResponse({"customer_id": "hu", "mood": -0.71, "nps": 2, "risk": 0.86, "steps": HU_STEPS})

    async def explain(self, request: Request) -> Response:
        contact_id = request.path_params["id"]
        if contact_id == "c-3":
            return JSONResponse({"error": "not known"}, 404)
        decisions = [
            {"at": iso(NOW), "kind": "routed", "zh": "情绪 −0.62 低于 −0.3，按规则“unhappy-to-care”转关怀组，优先级 10。", "en": "Mood −0.62 is below −0.3: rule “unhappy-to-care” sends it to care with priority 10."},
            {"at": iso(NOW + timedelta(seconds=9)), "kind": "offered", "zh": "care-a03 空闲最久且会说中文。", "en": "care-a03 has been idle longest and speaks Chinese."},
        ]  # fmt: skip
        return JSONResponse({"contact_id": contact_id, "decisions": decisions})

    async def follow_ups(self, _: Request) -> Response:
        budget = {"team": "care", "capacity": 60, "started": 3, "open": 2, "waiting": 0, "threshold": 0.64}
        wave = {
            "kind": "batch",
            "name": "LL-1123",
            "wave": 1,
            "customers": 5,
            "since": iso(NOW - timedelta(minutes=50)),
            "heated_at": iso(NOW),
            "affected": 24,
            "reached": 21,
        }
        return JSONResponse({"follow_ups": self.tasks, "budgets": [budget], "waves": [wave]})

    async def act(self, request: Request) -> Response:
        """Starts and ends like the real one; what `wang` has is hers."""
        said = await request.json()
        found = next(t for t in self.tasks if t["follow_up_id"] == request.path_params["id"])
        if found["owner"] not in (None, said["owner"]):
            return JSONResponse({"error": "somebody else has started the follow-up"}, 409)
        how = request.path_params["how"]
        owner = None if how == "release" else said["owner"]
        found = {**found, "owner": owner, "outcome": said.get("outcome")}
        others = [t for t in self.tasks if t["follow_up_id"] != found["follow_up_id"]]
        self.tasks = [found, *others] if how in ("claim", "release") else others
        return JSONResponse(found)


def task(n: int, customer: str, due_minutes: float, risk: float) -> Row:
    """An open follow-up, as the gateway lists it."""
    return {
        "follow_up_id": f"f{n}", "customer_id": customer, "contact_id": None, "touchpoint": "after_sales.repair", "team": "care",
        "risk": risk, "reasons": [{"code": "mood_low", "weight": risk, "value": -0.9}], "flagged_at": iso(NOW),
        "due_at": iso(NOW + timedelta(minutes=due_minutes)), "owner": None, "claimed_at": None, "closed_at": None, "result": None,
        "outcome": None, "overdue": due_minutes < 0, "supervisor": None,
        "opening_zh": "您好，很抱歉。", "opening_en": "Hello. I am sorry.",
    }  # fmt: skip


def _frame(item: tuple[str, Row]) -> str:
    return f"event: {item[0]}\ndata: {json.dumps(item[1], ensure_ascii=False)}\n\n"


if __name__ == "__main__":
    uvicorn.run(
        StandIn().app,
        host="127.0.0.1",
        port=int(sys.argv[1]) if len(sys.argv) > 1 else 8099,
        log_level="warning",
    )
