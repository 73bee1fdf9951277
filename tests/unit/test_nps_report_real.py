"""The broadcast over real answers, end to end: a French shop chain's survey, and Chinese shop reviews with their sentiment as the score."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.cli.comments import CommentReader
from services.nps.report import html, markdown
from services.nps.report.book import read
from services.nps.report.build import Asked, Report, build
from services.nps.report.compose import compose

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture(scope="module")
def reader() -> CommentReader:
    """The shipped models, read once."""
    return CommentReader()


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def reported(tmp_path: Path, answers: list[tuple[int, str, dict[str, str]]], reader: CommentReader) -> Report:
    """The report of the second of two weeks over which the answers, which have no times of their own, are spread."""
    dice, lines = Random(1), []
    for i, (score, comment, segments) in enumerate(answers):
        at = MONDAY - timedelta(days=7) + timedelta(seconds=dice.randrange(14 * 86400))
        line: dict[str, Any] = {
            "id": f"a{i}", "source": "real", "type": "answered", "time": at.isoformat(), "survey_id": f"s{i}", "score": score,
            "segments": segments, "comment": comment,
        }  # fmt: skip
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    file = tmp_path / "real.jsonl"
    file.write_text("".join(lines), encoding="utf-8")
    report = build(read([file]), Asked("2026-W45", MONDAY, MONDAY + timedelta(days=7)), reader)
    assert report.sound
    for language in ("zh", "en"):
        document = compose(report, "en" if language == "en" else "zh", UTC_ZONE)
        assert html.render(document)
        assert markdown.render(document)
    return report


def test_the_garden_shops_survey_is_reported_and_what_is_not_read_is_not_guessed(
    shared_data: Path, tmp_path: Path, reader: CommentReader
) -> None:
    def visits(text: str) -> str:
        many = float(text or 0)
        return "1–2" if many <= 2 else "3–9" if many <= 9 else "10+"

    answers = [
        (round(float(r["nps"])), r["explication"], {"region": visits(r["NbPassageKS"])})
        for r in rows(shared_data / "nps/garden_store_fr.csv")
        if r["nps"]
    ]
    report = reported(tmp_path, answers, reader)
    read_as = report.this.readings
    commented = report.this.all.n - read_as["none"]
    assert report.this.all.n > 6000
    assert commented > 1500
    # French isn't read: it says so, and calls next to nothing by a stage.
    assert read_as["unread"] >= 0.98 * commented
    assert read_as["staged"] <= 0.01 * commented
    assert not report.findings.alarms
    assert not report.told
    assert f"{read_as['unread']} were in a language that isn't read" in markdown.render(compose(report, "en", UTC_ZONE))


def test_the_shop_reviews_are_reported_with_pain_points_and_no_alarm(
    shared_data: Path, tmp_path: Path, reader: CommentReader
) -> None:
    dice = Random(2)
    reviews = [
        (10 if r["label"] == "1" else 2, r["review"], {"product": r["cat"]})
        for r in dice.sample(rows(shared_data / "sentiment/online_shopping_zh.csv"), 4000)
    ]
    report = reported(tmp_path, reviews, reader)
    assert report.this.readings["unread"] <= 0.02 * report.this.all.n
    assert report.this.readings["staged"] >= 0.7 * report.this.all.n
    assert len(report.told) == 5
    costs = [t.pain.impact.impact for t in report.told if t.pain.impact is not None]
    assert all(c.high < 0 for c in costs)
    assert "goods.quality" in {t.pain.stage for t in report.told}
    # The weeks are drawn from the same reviews: nothing rose.
    assert not report.findings.alarms
    for told in report.told:
        assert told.quotes
        for quote in told.quotes:
            digits = "".join(c if c.isdigit() else " " for c in quote.text).split()
            assert max(map(len, digits), default=0) < 5
