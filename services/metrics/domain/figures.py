"""What a dashboard reads off a cell's counts besides the counts themselves."""

from collections.abc import Callable, Mapping
from math import sqrt

_Z = 1.959964


def derive(metric: str, counts: Mapping[str, int]) -> dict[str, float | None]:
    """Figures of one cell, by name; units stand in the metric's JSON schema. None where there is nothing to divide by."""
    return _DERIVED.get(metric, _nothing)(counts)


def _nothing(_: Mapping[str, int]) -> dict[str, float | None]:
    return {}


def _nps(counts: Mapping[str, int]) -> dict[str, float | None]:
    """NPS in points with its adjusted Wald interval at 95 % (three answers added, ¾ to promoters, ¾ to detractors).

    Source: Rocks, "Interval estimation for the net promoter score", The American Statistician 70 (2016).
    """
    promoters, passives, detractors = (counts.get(k, 0) for k in ("promoters", "passives", "detractors"))
    n = promoters + passives + detractors
    p, d, m = (promoters + 0.75) / (n + 3), (detractors + 0.75) / (n + 3), n + 3
    half = _Z * sqrt((p + d - (p - d) ** 2) / m)
    nps = 100 * (promoters - detractors) / n if n else 0.0
    return {"n": n, "nps": nps, "low": 100 * (p - d - half), "high": 100 * (p - d + half)}


def _sentiment(counts: Mapping[str, int]) -> dict[str, float | None]:
    n = sum(counts.get(k, 0) for k in ("negative", "neutral", "positive", "unsure"))
    return {"n": n, "mean_polarity": counts.get("polarity_milli", 0) / 1000 / n if n else None}


def _routing(counts: Mapping[str, int]) -> dict[str, float | None]:
    accepted = counts.get("accepted", 0)
    return {"mean_wait_s": counts.get("wait_ms_sum", 0) / 1000 / accepted if accepted else None}


def _service(counts: Mapping[str, int]) -> dict[str, float | None]:
    def per(part: str, whole: str, unit: float = 1.0) -> float | None:
        n = counts.get(whole, 0)
        return counts.get(part, 0) / unit / n if n else None

    return {
        "mean_response_s": per("response_ms", "responded", 1000),
        "mean_resolution_h": per("resolution_s", "resolved", 3600),
        "callback_rate": per("called_back", "judged"),
        "first_contact_resolution": per("first_contact", "judged"),
        "satisfaction": per("satisfied", "rated"),
        "churn_rate": per("churn_signs", "judged"),
        "complaint_resolution": per("complaints_resolved", "complaints"),
    }


_DERIVED: dict[str, Callable[[Mapping[str, int]], dict[str, float | None]]] = {
    "nps": _nps,
    "sentiment": _sentiment,
    "routing": _routing,
    "service": _service,
}
