"""Service's counts from the counters, and its figures as protobuf tells them."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from touchline.nps.v1 import nps_pb2

from services.nps.contacts import METRIC, PIPELINE
from services.nps.counters import ALL_TIME
from services.nps.domain.kpis import FIELDS, Kpi, sentence
from services.nps.domain.span import Span
from services.nps.domain.windows import days_of
from services.runtime.counters import segment_text

Counts = dict[str, int]

_SUM = (
    """SELECT segment, """
    + ", ".join(f"coalesce(sum(counts[{i}]), 0)::bigint" for i in range(1, len(FIELDS) + 1))
    + """ FROM runtime.counter_cell
    WHERE pipeline = $1 AND metric = $2 AND win = $3 AND start = ANY($4) AND """
)


async def counts(pool: Any, hour: bool, span: Span, where: Mapping[str, str], zone: tzinfo) -> Counts:
    """The counts of all contacts, or of one segment, in a window."""
    win, starts = _cells(span, hour, zone)
    rows = await pool.fetch(
        _SUM + "segment = $5 GROUP BY segment", PIPELINE, METRIC.name, win, starts, segment_text(where.items())
    )
    return _counts(rows[0][1:]) if rows else {}


async def by(pool: Any, span: Span, dimension: str, zone: tzinfo) -> dict[str, Counts]:
    """The counts by the values of a dimension in a window."""
    win, starts = _cells(span, False, zone)
    rows = await pool.fetch(
        _SUM + "starts_with(segment, $5) GROUP BY segment", PIPELINE, METRIC.name, win, starts,
        "{" + json.dumps(dimension, ensure_ascii=False) + ":",
    )  # fmt: skip
    return {json.loads(segment)[dimension]: _counts(found) for segment, *found in rows}


def told(found: Iterable[Kpi]) -> nps_pb2.KpiSet:
    """The figures, each in words as well."""
    return nps_pb2.KpiSet(
        kpis=[
            nps_pb2.Kpi(
                name=k.name, value=k.value, unit=k.unit, n=k.n, low=k.low, high=k.high,
                zh=sentence(k, zh=True), en=sentence(k, zh=False),
            )
            for k in found
        ]
    )  # fmt: skip


def _cells(span: Span, hour: bool, zone: tzinfo) -> tuple[str, list[datetime]]:
    if span.start is None or span.end is None:
        return "ALL", [ALL_TIME]
    return ("PT1H", [span.start]) if hour else ("P1D", list(days_of(span.start, span.end, zone)))


def _counts(found: Iterable[int]) -> Counts:
    return dict(zip(FIELDS, found, strict=True))
