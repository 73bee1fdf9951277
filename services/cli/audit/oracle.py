"""The audit itself: a pure function of the evidence."""

import time
from collections.abc import Callable

from services.cli.audit import (
    assignment,
    causes,
    contacts,
    delivery,
    flags,
    minutes,
    nps,
    outreach,
    prevention,
    sentiment,
    triage,
    uplift,
)
from services.cli.audit.ledger import Evidence, Ledger, build
from services.cli.audit.report import Check, Report

Progress = Callable[[str], None]

_CHECKS: tuple[Callable[[Ledger], Check], ...] = (
    delivery.check_carried,
    nps.check_lookup,
    nps.check_metric,
    nps.check_changes,
    sentiment.check_scored,
    sentiment.check_metric,
)
_LATER: tuple[Callable[[Ledger], Check], ...] = (
    minutes.check_routing,
    triage.check,
    assignment.check_tokens,
    assignment.check_capacity,
    assignment.check_offers,
    flags.check_flags,
    flags.check_course,
    flags.check_list,
    prevention.check_escalated,
    uplift.check_prevented,
    causes.check_waves,
    outreach.check_reached,
    minutes.check_escalation,
    delivery.check_dead_letters,
    delivery.check_order,
    delivery.check_once,
)


def examine(evidence: Evidence, progress: Progress | None = None) -> Report:
    """Recomputes everything from the evidence and compares. progress: told the name of each check as it begins."""
    began = time.perf_counter()
    tell = progress or (lambda _: None)
    tell("reading")
    ledger = build(evidence)
    checks = []
    for check in _CHECKS:
        tell(f"{check.__module__.rpartition('.')[2]}.{check.__name__}")
        checks.append(check(ledger))
    tell("contacts")
    found = contacts.courses(ledger)
    checks.append(contacts.check_courses(ledger, found))
    checks.append(contacts.check_minutes(ledger, found))
    if evidence.pools:
        checks.append(contacts.check_ends(ledger, found))
    for check in _LATER:
        tell(f"{check.__module__.rpartition('.')[2]}.{check.__name__}")
        checks.append(check(ledger))
    return Report(checks, ledger.events(), time.perf_counter() - began)
