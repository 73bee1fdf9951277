"""In which order what was asked for is done; each row learns the command that makes it."""

import argparse
from pathlib import Path

from bench import growth, lookups, routing, soak
from bench.contender import Bed, Contender
from bench.contenders import ALL, STATIC
from bench.results import Result
from bench.session import ROUND_TRIP, Amount, crash, fast_and_steady, round_trip, say, tried
from deploy.embedded.stack import Stack

# The embedded Postgres holds 32 MB in memory, for a laptop's sake; a server is given what its tables want.
POSTGRES = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
# Events on which variants are tried, before a contender's share of them is taken.
TRIED = 80_000
# Whose workloads those are that are no contender's alone: with --only one of these must be among the named.
RUNTIME = frozenset(("runtime",))
FOUR = frozenset(("router", "sentiment", "nps", "escalation"))
PEERS = frozenset(c.name for c in (*ALL, STATIC) if not issubclass(c, growth.Service))


async def carry_out(folder: Path, options: argparse.Namespace, results: list[Result]) -> None:
    """Adds to `results` as it goes. Raises StartError where Kafka or Postgres does not start."""
    wanted = set(options.workload)
    amount = Amount(options.events, options.seconds)
    scale = " --quick" if options.quick else ""

    def enter(made: list[Result], only: str = "") -> None:
        for r in made:
            workload = f" --soak {options.soak}" if r.workload == "soak" else f" --workload {r.workload}"
            if r.workload in ("lookup", "routing"):
                workload = " --workload lookups"
                asked = "".join(f" --rate {rate}" for rate in options.rate)
                workload += asked if options.rate != list(routing.RATES) else ""
            r.command = f'make bench ARGS="{(scale + only + workload).strip()}"'
            results.append(r)

    say("Kafka and Postgres start")
    async with Stack(folder, topics=False, postgres=POSTGRES) as stack:
        bed = Bed(stack)
        if "latency" in wanted:
            enter(await tried(ROUND_TRIP, "latency", "", lambda: round_trip(bed, options.seconds)))
        for kind in ALL:
            if options.only and kind.name not in options.only:
                continue
            rows = await one(
                bed, kind, amount, wanted - ({"recovery"} if options.quick and kind.slow_to_recover else set())
            )
            enter(rows, f" --only {kind.name}")
        if "recovery" in wanted and not options.quick and not options.only:
            for made in await one(bed, STATIC, amount, {"recovery"}):
                enter([made])
        trip = next((r for r in results if r.key == ("latency", ROUND_TRIP) and r.p99_ms is not None), None)

        async def look() -> list[Result]:
            await lookups.lookups(bed, amount, options.rate, enter, trip, options.only or ())
            return []  # told already, row by row

        for workload, whose, do in (
            ("growth", RUNTIME, lambda: growth.processes(bed, amount)),
            ("state", RUNTIME, lambda: growth.customers(bed, amount, options.customers)),
            ("tracing", RUNTIME, lambda: growth.tracing(bed, amount)),
            ("lookups", FOUR, look),
            ("soak", RUNTIME, lambda: soak.soak(bed, amount, options.soak)),
        ):
            if workload not in wanted:
                continue
            if options.only and whose.isdisjoint(options.only):
                say(f"{workload}: left out, it is of {', '.join(sorted(whose))}; name one of them with --only")
                continue
            enter(await tried("runtime" if whose == RUNTIME else "router, with lookups", workload, "", do))


async def one(bed: Bed, kind: type[Contender], amount: Amount, wanted: set[str]) -> list[Result]:
    """The workloads of one contender."""
    workloads = [w for w in ("throughput", "latency") if w in wanted]
    workloads += ["recovery"] if "recovery" in wanted and kind.recovers else []
    missing = kind().missing()
    if missing is not None:
        return [Result(kind.name, w, kind.settings, skipped=missing) for w in workloads]
    made: list[Result] = []
    if "throughput" in wanted or "latency" in wanted:
        small = amount if "throughput" in wanted else Amount(1, amount.seconds)

        async def measured() -> list[Result]:
            best, tries = await fastest(bed, kind)
            rows = await fast_and_steady(bed, best, small, "latency" in wanted)
            for r in rows:
                r.more.update(tries)
            return rows

        rows = await tried(kind.name, workloads[0], kind.settings, measured)
        made += [r for r in rows if r.workload in wanted]
    if "recovery" in workloads:
        made += await tried(kind.name, "recovery", kind.crash, lambda: crash(bed, kind()))
    return made


async def fastest(bed: Bed, kind: type[Contender]) -> tuple[Contender, dict[str, float]]:
    """The contender in the best of its variants, and what each of them reached on a few events."""
    tries: dict[str, float] = {}
    for variant in kind.variants:
        contender = kind()
        contender.vary(variant)
        say(f"{contender.name}: tries {variant}")
        rows = await tried(
            contender.name,
            "throughput",
            variant,
            lambda c=contender: fast_and_steady(bed, c, Amount(TRIED, 1), steady=False),  # type: ignore[misc]
        )
        tries[f"{variant}, events/s"] = rows[0].events_per_s or 0.0
    best = kind()
    if tries:
        best.vary(max(kind.variants, key=lambda v: tries[f"{v}, events/s"]))
    return best, tries
