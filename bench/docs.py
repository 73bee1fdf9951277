"""docs/benchmarks.md, docs/capacity.md and their charts, written from docs/benchmarks.json and nothing else."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import capacity
from bench.charts import Bar, chart
from bench.contenders import ALL, STATIC
from bench.machine import words
from bench.own_contenders import Service
from bench.report import number, ratio, ratios, routed, rows, verdict
from bench.results import Book, Result
from bench.routing import RATES, name_at

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BOOK = DOCS / "benchmarks.json"
OWN = frozenset(c.name for c in ALL if issubclass(c, Service))

ORDER = ["round trip", *(c.name for c in ALL), STATIC.name]
# Rows that the docs expect, so that one that was never run is seen to be missing.
EXPECTED: dict[str, Sequence[str]] = {
    "throughput": [c.name for c in ALL],
    "latency": ["round trip", *(c.name for c in ALL)],
    "recovery": [*(c.name for c in ALL if c.recovers), STATIC.name],
    "growth": [f"runtime, {n} × {n}" for n in (1, 2, 4, 8)],
    "state": [f"runtime, {n} customers" for n in ("10,000", "1,000,000", "5,000,000")],
    "tracing": ["runtime, tracing off", "runtime, tracing on"],
    "routing": [name_at(rate, alone) for alone in (False, True) for rate in sorted(RATES, reverse=True)],
    "lookup": [
        "sentiment.Check, an empty call", "sentiment.Score", "sentiment.GetMood", "nps.GetNps", "nps.GetCustomerNps", "escalation.GetRisk",
        "escalation.ListFollowUps", "router.GetContact", "router.GetPool", "router.Explain", "router.Accept", "router.Finish",
    ],
    "soak": ["runtime"],
}  # fmt: skip
TITLES = {
    "throughput": "As fast as it goes",
    "latency": "At 500 events a second",
    "recovery": "After SIGKILL",
    "growth": "More partitions, more processes",
    "state": "More customers",
    "tracing": "Tracing",
    "routing": "A routing decision with its lookups",
    "lookup": "Lookups by gRPC",
    "soak": "Soak",
}

# What stands in tables of its own.
UNTOLD = frozenset(("facts", "rates", "cpu_us", "offers", "offer_p50_ms", "offer_p99_ms", "contacts_per_s"))

HEAD = """# Benchmarks

<!-- Written by `python -m bench --write-docs` from benchmarks.json. Don't edit: the text would drift from the figures. -->

What is measured and how stands in [bench/README.md](../bench/README.md); what follows from it for a cluster in
[capacity.md](capacity.md). Compare rows of one run only: ratios travel between machines better than figures do.
**Every contender ran alone**, on the same embedded Kafka and Postgres, with the same events, and publishes one update an event.
"""


def write_docs(book: Book) -> None:
    """Writes both pages and the charts."""
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    for name, svg in charts(book).items():
        (images / f"bench-{name}.svg").write_text(svg)
    (DOCS / "benchmarks.md").write_text(page(book))
    (DOCS / "capacity.md").write_text(capacity.page(book))


def _expected(book: Book, workload: str) -> list[Result]:
    """The workload's rows in order; those that were never run say so."""
    have = {r.system: r for r in book.rows if r.workload == workload}
    names = [*EXPECTED[workload], *(n for n in have if n not in EXPECTED[workload])]
    return [have.get(n) or Result(n, workload, "", skipped="not measured yet") for n in names]


def page(book: Book) -> str:
    """docs/benchmarks.md."""
    parts = [HEAD, "## Asked for\n", _asked(book)]
    parts += [_warning(book), "\n## The table\n", _table(book)]
    for name in ("throughput", "latency", "recovery"):
        parts.append(f"\n![{TITLES[name]}](images/bench-{name}.svg)")
    parts += ["\n## A routing decision by rate\n", _routing(book)]
    parts += ["\n## What an event costs\n", _costs(book)]
    parts += ["\n## Settings and commands\n", _settings(book)]
    parts += ["\n## Machines\n", *(f"- run `{name}`: {words(told)}" for name, told in sorted(book.runs.items()))]
    return "\n".join(p for p in parts if p) + "\n"


def _warning(book: Book) -> str:
    busy = [n for n, told in book.runs.items() if told["load_average"][0] > told["cores"] / 4]
    several = len({r.run for r in book.rows if r.run}) > 1
    said = []
    if busy:
        said.append(
            f"\n> The machine was not idle when {len(busy)} of {len(book.runs)} runs began: figures of those are no figures."
        )
    if several:
        said.append("\n> Rows come from several runs; the last column of the settings tells which.")
    return "\n".join(said)


def _asked(book: Book) -> str:
    lines = []
    for line in ratios(book.rows):
        name, _, rest = line.partition(": asked ")
        limits, _, measured = rest.partition(": ")
        least, _, aim = limits.partition(", aim ")
        lines.append([name, least, aim or "–", measured.removeprefix("measured ")])
    return rows(["figure", "asked", "aim", "measured"], lines, True)


def _table(book: Book) -> str:
    ceiling, trip = book.find("throughput", "bare"), book.find("latency", "round trip")
    lines = []
    for workload in EXPECTED:
        for r in _expected(book, workload):
            beside = "–"
            if workload == "throughput":
                beside = ratio(r.events_per_s, ceiling.events_per_s if ceiling else None)
            elif workload == "latency":
                beside = ratio(r.p99_ms, trip.p99_ms if trip else None)
            lines.append(
                [
                    r.system,
                    workload,
                    number(r.events_per_s),
                    beside,
                    *(number(x, ",.1f") for x in (r.p50_ms, r.p99_ms, r.p999_ms)),
                    *(number(x, ".1f") for x in (r.first_new_s, r.caught_up_s)),
                    number(r.rss_mb),
                    verdict(r),
                ]
            )
    head = [
        "system",
        "workload",
        "events/s",
        "to bare",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "first new s",
        "caught up s",
        "MB",
        "facts",
    ]
    return rows(head, lines, True)


def _routing(book: Book) -> str:
    said = (
        "From a contact's request to triage's published decision, and to the published offer to a seat where it goes to one; the "
        "four services, Kafka, Postgres and the sender share this machine. *The others*: sentiment, nps and escalation follow the "
        "same events and answer the lookups (work), or only answer, as if what they follow were on another machine (answer). A contact is two events: it is requested, and it ends. "
        "The bare round trip is that of the same run. The last columns: microseconds of processor that a contact takes of each.\n"
    )
    table = routed([r for r in book.rows if r.workload == "routing"])
    return said + "\n" + (table or "Not measured yet.")


def _costs(book: Book) -> str:
    def lines() -> Iterable[list[str]]:
        for r in _expected(book, "throughput"):
            c = r.costs
            figures = [number(x, ",.1f") for x in (c.own_us, c.kafka_us, c.postgres_us)]
            figures += [number(x) for x in (c.bytes_in, c.bytes_out, c.wal_bytes)]
            yield [r.system, *figures, number(c.rows, ".3f"), number(c.commits, ".5f"), number(c.disk_bytes)]

    head = [
        "throughput",
        "own µs",
        "Kafka µs",
        "Postgres µs",
        "bytes in",
        "bytes out",
        "WAL bytes",
        "rows",
        "commits",
        "disk bytes",
    ]
    said = (
        "Processor time is that of the steady part; bytes and rows are those of the whole, an event. Bytes in: the event's "
        "own, in Kafka's log. Bytes out: what else was written to Kafka: updates, changelogs, marks of transactions.\n"
    )
    return said + "\n" + rows(head, lines())


def _settings(book: Book) -> str:
    lines = []
    for workload in EXPECTED:
        for r in _expected(book, workload):
            more = "; ".join(f"{k} {v}" for k, v in r.more.items() if k not in UNTOLD)
            said = f"{r.settings}{'; ' if more else ''}{more}" or "–"
            lines.append(
                [r.system, workload, str(r.events or "–"), f"`{r.command}`" if r.command else "–", r.run or "–", said]
            )
    return rows(["system", "workload", "events", "command", "run", "settings"], lines, True)


def _kind(name: str) -> str:
    return "bare" if name.startswith("bare") or name == "round trip" else "own" if name in OWN else "other"


def charts(book: Book) -> dict[str, str]:
    """The charts by name."""

    def bars(workload: str, what: str, form: str) -> list[Bar]:
        made = []
        for r in _expected(book, workload):
            value = getattr(r, what)
            text = format(value, form) if value is not None else "not run" if r.skipped else "no figure"
            made.append(Bar(r.system, value, text, _kind(r.system)))
        return made

    first = bars("recovery", "first_new_s", ".1f")
    slow = bars("latency", "p99_ms", ",.1f")
    return {
        "throughput": chart(
            TITLES["throughput"],
            "updates published a second; more is better",
            bars("throughput", "events_per_s", ",.0f"),
        ),
        "latency": chart(
            TITLES["latency"], "p99 in ms from the scheduled moment to the published update; less is better", slow
        ),
        "recovery": chart(TITLES["recovery"], "seconds from the kill to the first new update; less is better", first),
    }
