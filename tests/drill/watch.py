"""A small Prometheus: scrapes the running services and keeps each alert's state, on a clock that runs `pace` times as fast."""

import asyncio
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.layout import SERVICES, Layout
from tests.drill.promql import Evaluator, Labels, Store, seconds

RULES = Path(__file__).resolve().parents[2] / "deploy" / "alerts" / "touchline.yaml"
EVERY_S = 0.5


@dataclass(frozen=True)
class Rule:
    """An alert: it fires once its expression has given the same series for `lasts` seconds."""

    name: str
    expression: str
    lasts: float
    runbook: str

    @property
    def longest(self) -> float:
        """How far back it looks, in the rule's seconds."""
        return self.lasts + sum(seconds(w) for w in _durations(self.expression))


def _durations(expression: str) -> list[str]:
    return re.findall(r"\b\d+(?:\.\d+)?(?:ms|[smhd])\b", expression)


def rules() -> list[Rule]:
    """Those that are shipped."""
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [
        Rule(r["alert"], r["expr"], seconds(r.get("for", "0s")), r["annotations"]["runbook_url"])
        for group in groups
        for r in group["rules"]
    ]


@dataclass
class Watch:
    """Scrapes until it is cancelled. pace: the rules' durations pass that many times as fast as real ones."""

    data: Path
    pace: float
    paces: dict[str, float] = field(default_factory=dict)  # of single alerts
    rules: list[Rule] = field(default_factory=rules)
    store: Store = field(default_factory=Store)
    since: dict[tuple[str, Labels], float] = field(default_factory=dict)
    firing: dict[str, dict[Labels, float]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, live: dict[str, Any], pace: float, paces: dict[str, float] | None = None) -> "Watch":
        """A watch over a running system."""
        return cls(Path(live["data"]), pace, paces or {})

    async def run(self) -> None:
        """Scrapes all services, then evaluates all rules, again and again."""
        while True:
            began = time.monotonic()
            await self.once()
            await asyncio.sleep(max(0.05, EVERY_S - (time.monotonic() - began)))

    async def once(self) -> None:
        """Scrapes and evaluates once."""
        ports = json.loads(Layout.of(self.data).ports.read_text())
        answers = await asyncio.gather(*(asyncio.to_thread(_scrape, ports[f"{s}.metrics"]) for s in SERVICES))
        now = time.monotonic()
        for service, found in zip(SERVICES, answers, strict=True):
            self.store.scrape({"job": "touchline", "service": service}, now, found)
        for rule in self.rules:
            self._judge(rule, Evaluator(self.store, self._pace_of(rule)).vector(rule.expression, now), now)
        longest = max((r.longest / self._pace_of(r) for r in self.rules), default=0) + 10
        self.store.forget(now - longest)

    def _pace_of(self, rule: Rule) -> float:
        return self.paces.get(rule.name, self.pace)

    def _judge(self, rule: Rule, found: dict[Labels, float], now: float) -> None:
        for name, labels in [k for k in self.since if k[0] == rule.name and k[1] not in found]:
            del self.since[name, labels]
        firing = {}
        for labels, value in found.items():
            since = self.since.setdefault((rule.name, labels), now)
            if now - since >= rule.lasts / self._pace_of(rule):
                firing[labels] = value
        self.firing[rule.name] = firing

    async def fires(self, name: str, within_s: float) -> tuple[float, dict[Labels, float]]:
        """Waits until the alert fires: after how many real seconds, and with which series. Raises TimeoutError."""
        return await self._until(lambda: bool(self.firing.get(name)), name, within_s)

    async def ends(self, name: str, within_s: float) -> float:
        """Waits until the alert fires no more. Raises TimeoutError."""
        return (await self._until(lambda: not self.firing.get(name), name, within_s))[0]

    async def _until(self, holds: Any, name: str, within_s: float) -> tuple[float, dict[Labels, float]]:
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > within_s:
                raise TimeoutError(f"{name}: not within {within_s:.0f} s; pending {self._pending(name)}")
            await asyncio.sleep(0.1)
        return time.monotonic() - began, dict(self.firing.get(name, {}))

    def _pending(self, name: str) -> list[Labels]:
        return [labels for rule, labels in self.since if rule == name]

    def names(self) -> set[str]:
        """Every metric that was scraped so far."""
        return {dict(labels)["__name__"] for labels in self.store.series}


def _scrape(port: int) -> dict[Labels, float] | None:
    """A service's series; None where it does not answer within two seconds."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            text = answer.read().decode()
    except (OSError, urllib.error.URLError, ValueError):
        return None
    return dict(_series(text))


def _series(text: str) -> Iterable[tuple[Labels, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield tuple(sorted({**sample.labels, "__name__": sample.name}.items())), sample.value
