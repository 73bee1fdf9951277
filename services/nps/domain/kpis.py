"""What service centres are judged by, from counts, each with its error, and in a sentence. Pure.

Shares have the adjusted Wald interval of Agresti & Coull (1998, "Approximate is better than 'exact' for interval estimation of
binomial proportions", The American Statistician 52); means the normal interval of their own spread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from services.nps.domain.figures import Z95, Figure

FIELDS: Final = (
    "contacts", "ended", "abandoned", "responded", "response_ms", "response_s2", "opened", "resolved", "resolution_s",
    "resolution_min2", "complaints", "complaints_resolved", "judged", "called_back", "first_contact", "churn_signs",
    "rated", "satisfied", "asked",
)  # fmt: skip
"""What is counted, in an order that never changes."""
FEWEST: Final = 10
"""Cases below which a figure is said to rest on too few."""


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure. value is None where there is no case; low and high are the ends of its 95 % interval."""

    name: str
    value: float | None
    unit: str
    n: int
    low: float
    high: float

    @property
    def few(self) -> bool:
        """Whether it rests on too few cases to be read."""
        return self.n < FEWEST


NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "first_response": ("首次响应时间", "first response time"),
    "resolution": ("解决时长", "resolution time"),
    "callback": ("重复联系率", "repeat contact rate"),
    "first_contact_resolution": ("首次解决率", "first-contact resolution"),
    "satisfaction": ("满意度", "satisfaction"),
    "recommendation": ("推荐度", "recommendation"),
    "churn_signs": ("流失迹象", "churn signs"),
    "complaint_resolution": ("投诉解决率", "complaint resolution rate"),
}
_UNITS: Final = {"s": ("秒", "s"), "h": ("小时", "h"), "%": ("%", "%"), "points": ("分", "points")}


def kpis(counts: Mapping[str, int], nps: Figure) -> tuple[Kpi, ...]:
    """All of them, in their usual order. nps: of the same answers, for recommendation."""
    return (
        _mean("first_response", "s", counts.get("responded", 0), counts.get("response_ms", 0) / 1000, counts.get("response_s2", 0)),
        _mean("resolution", "h", counts.get("resolved", 0), counts.get("resolution_s", 0) / 3600, counts.get("resolution_min2", 0) / 3600),
        _share("callback", counts.get("called_back", 0), counts.get("judged", 0)),
        _share("first_contact_resolution", counts.get("first_contact", 0), counts.get("judged", 0)),
        _share("satisfaction", counts.get("satisfied", 0), counts.get("rated", 0)),
        Kpi("recommendation", nps.nps if nps.n else None, "points", nps.n, nps.low, nps.high),
        _share("churn_signs", counts.get("churn_signs", 0), counts.get("judged", 0)),
        _share("complaint_resolution", counts.get("complaints_resolved", 0), counts.get("complaints", 0)),
    )  # fmt: skip


def sentence(k: Kpi, zh: bool) -> str:
    """The figure in words; that there are too few cases, where there are."""
    name, unit = NAMES[k.name][0 if zh else 1], _UNITS[k.unit][0 if zh else 1]
    if k.value is None:
        return f"{name}：没有数据" if zh else f"{name}: no cases"
    space = "" if unit == "%" else " "
    said = f"{k.value:.1f}{space}{unit}"
    if k.few:
        return f"{name}：{said}，但样本太少（{k.n}）" if zh else f"{name}: {said}, but too few cases ({k.n})"
    ends = f"{k.low:.1f} … {k.high:.1f}"
    return f"{name}：{said}（{ends}，{k.n} 例）" if zh else f"{name}: {said} ({ends}, {k.n} cases)"


def _share(name: str, part: int, n: int) -> Kpi:
    z2 = Z95**2
    m = n + z2
    middle = (part + z2 / 2) / m
    half = Z95 * sqrt(middle * (1 - middle) / m)
    value = 100 * part / n if n else None
    return Kpi(name, value, "%", n, 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0))


def _mean(name: str, unit: str, n: int, total: float, squares: float) -> Kpi:
    if not n:
        return Kpi(name, None, unit, 0, 0.0, 0.0)
    mean = total / n
    spread = max(squares - n * mean**2, 0.0) / max(n - 1, 1)
    half = Z95 * sqrt(spread / n)
    return Kpi(name, mean, unit, n, max(mean - half, 0.0), mean + half)
