"""The broadcast of made-up weeks, from the lines to the findings: planted trouble is found, and nothing where nothing was planted."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from services.cli.comments import CommentReader
from services.cli.weeks.generator import INCIDENT, STUBBORN, generate
from services.cli.weeks.phrases import COMPLAINTS, PLAIN, PRAISE, PRIVATE
from services.nps.report.book import read
from services.nps.report.build import Asked, Report, build

FIRST = date(2026, 10, 26)


@pytest.fixture(scope="module")
def reader() -> CommentReader:
    """The shipped models, read once."""
    return CommentReader()


def reports(file: Path, reader: CommentReader, seed: int, *, planted: bool = True) -> list[Report]:
    """The reports of the three weeks."""
    lines = generate(seed, FIRST, planted=planted)
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    book = read([file])
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    weeks = [start + timedelta(days=7 * i) for i in range(3)]
    return [build(book, Asked(f"2026-W{44 + i}", at, at + timedelta(days=7)), reader) for i, at in enumerate(weeks)]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_incident_is_found_and_next_week_says_what_became_of_it(
    tmp_path: Path, reader: CommentReader, seed: int
) -> None:
    quiet, bad, after = reports(tmp_path / "weeks.jsonl", reader, seed)
    assert not quiet.findings.alarms
    found = {p.stage: (p.narrowest, p.only) for p in bad.findings.alarms}
    assert found == {p.stage: (("store_group", p.group), True) for p in (INCIDENT, STUBBORN)}
    assert {t.pain.stage for t in bad.told[:2]} == set(found)
    assert {t.pain.stage: t.owner for t in bad.told}[INCIDENT.stage] == INCIDENT.owner
    assert {k.action.action_id: k.verdict for k in bad.kept} == {"A-101": "not_done", "A-102": "not_done"}
    assert {k.action.action_id: k.verdict for k in after.kept} == {"A-101": "worked", "A-102": "did_not"}
    assert INCIDENT.stage in {b.stage for b in after.findings.better if not b.praise}
    assert STUBBORN.stage == after.told[0].pain.stage
    assert bad.repeats is not None
    assert {stage for stage, _ in bad.repeats.causes[:2]} == set(found)
    assert all(r.sound for r in (quiet, bad, after))


@pytest.mark.parametrize("seed", [1, 2])
def test_where_nothing_was_planted_there_is_no_alarm(tmp_path: Path, reader: CommentReader, seed: int) -> None:
    for report in reports(tmp_path / "weeks.jsonl", reader, seed, planted=False):
        assert not report.findings.alarms
        assert not report.kept
        assert report.sound


def test_no_quote_gives_anybody_away(tmp_path: Path, reader: CommentReader) -> None:
    quotes = [q.text for r in reports(tmp_path / "weeks.jsonl", reader, 5) for t in r.told for q in t.quotes]
    assert quotes
    for text in quotes:
        assert not any(hint in text for hint in ("张伟", "John", "Baker", "张江", "JD2026", "7700", "王经理")), text
        assert sum(c.isdigit() for c in text) < 5


def test_a_comment_praises_one_thing_and_complains_of_another(reader: CommentReader) -> None:
    one, both, silent, none, french = reader.read(
        ["味道好，送得太慢", "苹果坏了两个，包装很好", "不错", "", "il y a trop peu de choix"]
    )
    assert (one.complains, one.praises) == (("delivery.time",), ("goods.taste",))
    assert "goods.quality" in both.complains
    assert "delivery.packaging" in both.praises
    assert (silent.reading, none.reading, french.reading) == ("other", "none", "unread")
    assert one.words["delivery.time"] == ("太慢",)


def test_the_made_up_comments_say_what_they_are_meant_to(reader: CommentReader) -> None:
    found, made = 0, 0
    for stage, texts in COMPLAINTS.items():
        own = [stage in remark.complains for remark in reader.read(sum(texts, ()))]
        found, made = found + sum(own), made + len(own)
        assert sum(own) >= 0.8 * len(own) or stage not in (INCIDENT.stage, STUBBORN.stage), stage
    assert found / made > 0.8
    for remark in reader.read(sum(PRAISE, ())):
        assert not remark.complains
    assert all(PLAIN)
    assert all(PRIVATE)


def test_weeks_are_the_same_for_the_same_seed_and_begin_on_a_monday() -> None:
    assert generate(7, FIRST, 50) == generate(7, FIRST, 50)
    assert generate(7, FIRST, 50) != generate(8, FIRST, 50)
    with pytest.raises(ValueError, match="Monday"):
        generate(7, date(2026, 10, 27))
    with pytest.raises(ValueError, match="answers"):
        generate(7, FIRST, 0)
