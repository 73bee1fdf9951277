"""A made-up incident log for tests: incidents with rows, as a service desk's tool would export them."""

import csv
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

COLUMNS = [
    "number",
    "incident_state",
    "active",
    "reassignment_count",
    "reopen_count",
    "sys_mod_count",
    "made_sla",
    "caller_id",
    "opened_at",
    "sys_updated_at",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "impact",
    "urgency",
    "priority",
    "assignment_group",
    "assigned_to",
    "knowledge",
    "u_priority_confirmation",
    "notify",
    "resolved_at",
    "closed_at",
]
Line = dict[str, str]


def clock(minute: int) -> str:
    """Minutes since 1 March 2016 (a Tuesday), as the log writes them."""
    day, rest = divmod(minute, 1440)
    month, of_month = (3, day + 1) if day < 31 else (4, day - 30)
    return f"{of_month}/{month}/2016 {rest // 60:02d}:{rest % 60:02d}"


def line(number: str, opened: int, at: int, **changed: object) -> Line:
    """One row; what isn't given is usual."""
    usual: Mapping[str, object] = {
        "number": number,
        "incident_state": "New",
        "active": True,
        "reassignment_count": 0,
        "reopen_count": 0,
        "sys_mod_count": 0,
        "made_sla": True,
        "caller_id": "Caller 1",
        "opened_at": clock(opened),
        "sys_updated_at": clock(at),
        "contact_type": "Phone",
        "location": "Location 1",
        "category": "Category 1",
        "subcategory": "Subcategory 1",
        "u_symptom": "?",
        "impact": "2 - Medium",
        "urgency": "2 - Medium",
        "priority": "3 - Moderate",
        "assignment_group": "Group 1",
        "assigned_to": "Resolver 1",
        "knowledge": False,
        "u_priority_confirmation": False,
        "notify": "Do Not Notify",
        "resolved_at": clock(at),
        "closed_at": clock(at),
    }
    return {k: str(v) for k, v in {**usual, **changed}.items()}


def incident(number: str, opened: int, chance: random.Random) -> list[Line]:
    """An incident with a story of its own."""
    kind = chance.randrange(5)
    fixed = {
        "caller_id": f"Caller {chance.randrange(20)}",
        "category": f"Category {kind}",
        "location": f"Location {chance.randrange(4)}",
    }
    at, rows, moved, reopened, grade, state = opened, [], 0, 0, "3 - Moderate", "New"
    for mod in range(chance.randrange(2, 9)):
        rows.append(
            line(
                number, opened, at, **fixed, sys_mod_count=mod, incident_state=state, reassignment_count=moved,
                reopen_count=reopened, priority=grade, assignment_group=f"Group {moved % 3}", assigned_to=f"Resolver {moved % 5}",
            )
        )  # fmt: skip
        at += chance.choice((0, 5, 60, 600, 3000))
        moved += chance.random() < 0.3
        if state == "Resolved" and chance.random() < 0.1 * kind:
            state, reopened = "Active", reopened + 1
        else:
            state = chance.choice(("Active", "Awaiting User Info", "Resolved", "Resolved"))
        if chance.random() < 0.02 * kind:
            grade = "2 - High"
    rows.append(
        line(
            number, opened, at + 7200, **fixed, sys_mod_count=30, incident_state="Closed", reassignment_count=moved,
            reopen_count=reopened, priority=grade, made_sla=at - opened < 3000,
        )
    )  # fmt: skip
    return rows


def made_up(incidents: int, seed: int = 1) -> list[Line]:
    """A log of so many incidents, one every 40 minutes."""
    chance = random.Random(seed)
    return [row for i in range(incidents) for row in incident(f"INC{i:07d}", 40 * i, chance)]


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """The log as a file."""
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path
