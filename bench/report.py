"""The tables for people, and the figures asked for beside those measured."""

from collections.abc import Iterable, Sequence
from typing import Any

from bench.measure import RATE
from bench.results import Result
from bench.routing import ALONE, RATES, name_at

# The routing decision's p99 and its offer's, in bare round trips at most.
ROUTED = 8.0


def rows(head: Sequence[str], lines: Iterable[Sequence[str]], text_last: bool = False) -> str:
    """A table in Markdown; figures to the right, the first column (and, where asked, the last) to the left."""
    every = [head, *lines]
    last = len(head) - 1
    widths = [max(len(line[i]) for line in every) for i in range(len(head))]

    def left(i: int) -> bool:
        return i == 0 or (text_last and i == last)

    bars = "|".join("-" * (w + 2) if left(i) else "-" * (w + 1) + ":" for i, w in enumerate(widths))
    made = [
        "| "
        + " | ".join(c.ljust(w) if left(i) else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        + " |"
        for line in every
    ]
    return "\n".join([made[0], f"|{bars}|", *made[1:]])


def number(value: float | None, form: str = ",.0f") -> str:
    return "–" if value is None else format(value, form)


def ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}×" if value is not None and base else "–"


def verdict(r: Result) -> str:
    """What became of the facts."""
    if r.skipped:
        return f"not run: {r.skipped}"
    said = [*([f"{r.lost} lost"] if r.lost else []), *([f"{r.doubled} doubled"] if r.doubled else []), *r.errors]
    if r.repeated:
        said.append(f"{r.repeated} told twice word for word")
    if said:
        return "; ".join(said)
    return "0 lost, 0 doubled" if r.lost is not None else "not foretold"


def find(results: Iterable[Result], workload: str, system: str) -> Result | None:
    return next((r for r in results if r.workload == workload and r.system == system and not r.skipped), None)


def table(results: Sequence[Result]) -> str:
    """A table for each workload that was run."""
    kinds = (_fast(results), _steady(results), routed(results), _crashed(results), _others(results))
    parts = [made for made in kinds if made]
    return "\n\n".join(parts)


def _of(results: Sequence[Result], *workloads: str) -> list[Result]:
    return [r for r in results if r.workload in workloads]


def _fast(results: Sequence[Result]) -> str:
    ceiling = find(results, "throughput", "bare")
    lines = [
        [
            r.system,
            str(r.events),
            number(r.events_per_s),
            ratio(r.events_per_s, ceiling.events_per_s if ceiling else None),
            *(number(x, ".0f") for x in (r.costs.own_us, r.costs.kafka_us, r.costs.postgres_us)),
            number(r.rss_mb, ".0f"),
            verdict(r),
        ]
        for r in _of(results, "throughput")
    ]
    head = ["throughput", "events", "events/s", "to bare", "own µs/event", "Kafka µs", "Postgres µs", "MB", "facts"]
    return rows(head, lines, True) if lines else ""


def _steady(results: Sequence[Result]) -> str:
    trip = find(results, "latency", "round trip")
    lines = [
        [
            r.system,
            str(r.events),
            *(number(x, ",.1f") for x in (r.p50_ms, r.p99_ms, r.p999_ms)),
            ratio(r.p99_ms, trip.p99_ms if trip else None),
            number(r.late_p99_ms, ".1f"),
            verdict(r),
        ]
        for r in _of(results, "latency", "routing", "lookup")
    ]
    head = [
        f"latency at {RATE:.0f}/s",
        "events",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "p99 to round trip",
        "sent late",
        "facts",
    ]
    return rows(head, lines, True) if lines else ""


def routed(results: Sequence[Result]) -> str:
    """The routing decision by rate, beside the bare round trip of its run, and microseconds of processor a contact."""
    found = sorted(
        (r for r in results if "contacts_per_s" in r.more),
        key=lambda r: (bool(r.more.get("alone")), int(r.more["contacts_per_s"])),
    )
    if not found:
        return ""
    parts = list(found[0].more["cpu_us"])
    lines = []
    for r in found:
        ratio, offer = (r.more.get(name) for name in ("to_round_trip", "offer_to_round_trip"))
        grade = "–" if None in (ratio, offer) else "holds" if max(ratio, offer) <= ROUTED else "missed"
        lines.append(
            [
                str(r.more["contacts_per_s"]),
                "answer" if r.more.get("alone") else "work",
                *(number(x, ",.1f") for x in (r.more.get("round_trip_p99_ms"), r.p50_ms, r.p99_ms)),
                number(ratio, ".1f"),
                *(number(r.more[name], ",.1f") for name in ("offer_p50_ms", "offer_p99_ms")),
                number(offer, ".1f"),
                grade,
                *(number(r.more["cpu_us"].get(part)) for part in parts),
            ]
        )
    head = ["contacts/s", "the others", "round trip p99", "decided p50", "p99 ms", "×", "offered p50", "p99 ms", "×"]
    return rows([*head, f"≤ {ROUTED:g}×", *(f"{part} µs" for part in parts)], lines)


def _crashed(results: Sequence[Result]) -> str:
    lines = [
        [r.system, number(r.first_new_s, ".1f"), number(r.caught_up_s, ".1f"), verdict(r), r.settings]
        for r in _of(results, "recovery")
    ]
    return rows(["after SIGKILL", "first new s", "caught up s", "facts", "settings"], lines, True) if lines else ""


def _others(results: Sequence[Result]) -> str:
    lines = [
        [r.system, number(r.events_per_s), number(r.rss_mb, ".0f"), verdict(r), r.settings]
        for r in _of(results, "growth", "state", "tracing", "soak")
    ]
    return rows(["growth, tracing, soak", "events/s", "MB", "facts", "settings"], lines, True) if lines else ""


def _share(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


def ratios(results: Sequence[Result]) -> list[str]:
    """Each figure that was asked for: at least, the aim, and what was measured, and whether that was in one run."""
    runtime, streams = ("throughput", "runtime"), ("throughput", "kafka-streams")
    big, small = (("state", f"runtime, {n} customers") for n in ("5,000,000", "10,000"))
    on, off = (("tracing", f"runtime, tracing {how}") for how in ("on", "off"))
    steady, trip = ("latency", "runtime"), ("latency", "round trip")
    routing, answered = (("routing", name_at(max(RATES), alone)) for alone in (False, True))
    rate, p99 = "events_per_s", "p99_ms"
    asked: tuple[_Asked, ...] = (
        ("throughput ÷ Kafka Streams exactly once", rate, runtime, streams, ">=", 1.0, 1.5, ".2f", "×"),
        ("throughput ÷ tuned Faust", rate, runtime, ("throughput", "faust-tuned"), ">=", 15, 25, ".1f", "×"),
        ("p99 ÷ the bare round trip's", p99, steady, trip, "<=", 5, 3, ".2f", "×"),
        ("p99 ÷ Kafka Streams exactly once's", p99, steady, ("latency", "kafka-streams"), "<=", 0.1, None, ".3f", "×"),
        ("routing decision with lookups, p99 ÷ the round trip's", p99, routing, trip, "<=", ROUTED, 5, ".1f", "×"),
        (f"the same, {ALONE}", p99, answered, trip, "<=", ROUTED, 5, ".1f", "×"),
        (
            "sentiment of one message by gRPC, p99",
            p99,
            ("lookup", "sentiment.Score"),
            None,
            "<=",
            3,
            None,
            ".1f",
            " ms",
        ),
        ("first new decision after SIGKILL", "first_new_s", ("recovery", "runtime"), None, "<=", 5, 2, ".2f", " s"),
        ("memory at 5 million customers", "rss_mb", big, None, "<=", 400, 250, ".0f", " MB"),
        ("throughput at 5 million customers ÷ at 10 thousand", rate, big, small, ">=", 0.8, None, ".2f", "×"),
        ("throughput with tracing on ÷ off", rate, on, off, ">=", 0.85, 0.95, ".2f", "×"),
    )
    return [_told(results, *one) for one in asked]


_Asked = tuple[str, str, tuple[str, str], tuple[str, str] | None, str, float, float | None, str, str]


def _told(
    results: Sequence[Result], name: str, what: str, over: tuple[str, str], under: tuple[str, str] | None, *limits: Any
) -> str:
    rows = [find(results, *key) for key in (over, under) if key is not None]
    figures = [None if r is None else getattr(r, what) for r in rows]
    value = figures[0] if under is None else _share(figures[0], figures[1])
    line = _line(name, value, *limits)
    return line + (", from different runs" if value is not None and len({r.run for r in rows if r}) > 1 else "")


def _line(name: str, value: float | None, sign: str, least: float, aim: float | None, form: str, unit: str) -> str:
    words = "≥" if sign == ">=" else "≤"
    told = f"{name}: asked {words} {least:g}{unit}" + (f", aim {words} {aim:g}{unit}" if aim is not None else "")
    if value is None:
        return f"{told}: not measured"

    def meets(limit: float) -> bool:
        return value >= limit if sign == ">=" else value <= limit

    grade = "missed" if not meets(least) else "aim met" if aim is not None and meets(aim) else "met"
    return f"{told}: measured {value:{form}}{unit}, {grade}"
