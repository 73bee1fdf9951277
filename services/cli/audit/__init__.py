"""The audit: an oracle that shares no code with the services recomputes the day from the sent events, and compares.

`examine` is pure; `audit` gathers the evidence from a running system and examines it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from services.cli.audit.ledger import Evidence
from services.cli.audit.oracle import examine
from services.cli.audit.report import Check, Report

__all__ = ["Check", "Evidence", "Report", "audit", "examine"]


async def audit(data_dir: Path, journal: Path | None, *, progress: Callable[[str], None] | None = None) -> Report:
    """Audits the system that runs on the data folder, once it has nothing left to do.

    journal: what the day's player sent; without one the topics' own events are taken for what was sent.
    Raises collect.NotRunning, ValueError where the journal can't be read, KafkaError where Kafka is away.
    """
    from services.cli.audit import collect

    tell = progress or (lambda _: None)
    state = collect.running(data_dir)
    tell("waiting for the services to settle")
    calm = await collect.settled(state)
    evidence = await collect.collect(data_dir, state, journal, tell)
    report = await asyncio.to_thread(examine, evidence, tell)
    return replace(report, checks=[calm, *report.checks])
