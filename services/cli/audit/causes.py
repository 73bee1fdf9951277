"""Waves: what the reports of many customers were told to have as one cause, recomputed from the reports."""

from collections import Counter, defaultdict

from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import MINUTE, micros

SPAN = 120 * MINUTE
LEAST = 5
_NAMED = 3


def check_waves(ledger: Ledger) -> Check:
    """CauseHeated against CauseReported: so many customers did report within two hours. The note names the causes and counts them.

    A report may come after the wave that it belongs to by its time, so a wave may tell of fewer than there are now, never of more.
    """
    findings, right = Findings(), 0
    reports: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for event in ledger.facts.get("CauseReported", ()):
        reports[event.message.cause].append((micros(event.message.reported_at), event.message.customer_id))
    waves = [e.message for e in ledger.facts.get("CauseHeated", ())]
    told: Counter[str] = Counter()
    for wave in sorted(waves, key=lambda w: micros(w.heated_at)):
        told[wave.cause] += 1
        until = micros(wave.heated_at)
        there = {who for at, who in reports[wave.cause] if until - SPAN <= at <= until}
        wrong = []
        if not LEAST <= wave.customers <= len(there):
            wrong.append(f"tells of {wave.customers} customers, {len(there)} reported it within two hours")
        if wave.wave != told[wave.cause]:
            wrong.append(f"is wave {wave.wave}, and should be {told[wave.cause]}")
        for what in wrong:
            findings.add(f"{wave.cause}: {what}")
        right += not wrong
    return findings.check("同一起因", "waves: one cause of many complaints", len(waves), right, _note(told, reports))


def _note(told: Counter[str], reports: dict[str, list[tuple[int, str]]]) -> str:
    """The causes, with how many customers reported them in all."""
    named = [f"{cause} {len({who for _, who in reports[cause]})} 位 customers" for cause, _ in told.most_common(_NAMED)]
    return ", ".join(named) + (f" … {len(told)}" if len(told) > _NAMED else "")
