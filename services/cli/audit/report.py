"""What the audit found: checks with what was expected and what was there, as a table and as JSON."""

from dataclasses import dataclass, field
from typing import Any
from unicodedata import east_asian_width

SHOWN = 20
"""Differences kept per check."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was compared.

    expected: what the oracle computes from the events; got: what the running system says.
    differences: the first 20, in words; found: how many there are in all.
    note: an informational figure that never fails the check.
    """

    name_zh: str
    name_en: str
    expected: int
    got: int
    differences: list[str] = field(default_factory=list)
    found: int = 0
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return self.expected == self.got and self.found == 0


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one audit. events: distinct events audited; seconds: how long the comparison took."""

    checks: list[Check]
    events: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def table(self) -> str:
        """The checks in Chinese and English, a line each, and the differences below them."""
        zh = max((_width(c.name_zh) for c in self.checks), default=0)
        en = max((len(c.name_en) for c in self.checks), default=0)
        lines = [f"     {_pad('核对', zh)}  {'check':{en}}  {'应有 expected':>13}  {'实有 got':>13}"]
        for check in self.checks:
            mark = " ok " if check.ok else "FAIL"
            note = f"  {check.note}" if check.note else ""
            if check.found and check.expected == check.got:  # else the line reads as if nothing were wrong
                note += f"  数目相符，另有 {check.found:,} 处不符 as many as expected, but what follows is wrong:"
            lines.append(
                f"{mark} {_pad(check.name_zh, zh)}  {check.name_en:{en}}  {check.expected:>15,}  {check.got:>15,}{note}"
            )
            lines += [f"       - {difference}" for difference in check.differences]
            if check.found > len(check.differences):
                lines.append(f"       … 另有 {check.found - len(check.differences):,} 处 and as many more")
        failed = sum(not check.ok for check in self.checks)
        verdict = "全部相符 all hold" if not failed else f"{failed} 项不符 differ"
        lines.append(
            f"{self.events:,} 个事件 events, {len(self.checks)} 项核对 checks, {self.seconds:.1f} s: {verdict}"
        )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "ok": self.ok,
            "events": self.events,
            "seconds": round(self.seconds, 3),
            "checks": [
                {
                    "name_zh": c.name_zh,
                    "name_en": c.name_en,
                    "ok": c.ok,
                    "expected": c.expected,
                    "got": c.got,
                    "found": c.found,
                    "differences": c.differences,
                    "note": c.note,
                }
                for c in self.checks
            ],
        }


class Findings:
    """Collects differences: all are counted, the first are kept in words."""

    def __init__(self) -> None:
        self.found = 0
        self.shown: list[str] = []

    def add(self, difference: str) -> None:
        """One more difference."""
        self.found += 1
        if len(self.shown) < SHOWN:
            self.shown.append(difference)

    def check(self, name_zh: str, name_en: str, expected: int, got: int, note: str = "") -> Check:
        """The check that these findings make."""
        return Check(name_zh, name_en, expected, got, list(self.shown), self.found, note)


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
