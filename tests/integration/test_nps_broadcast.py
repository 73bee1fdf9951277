"""Drivers and the weekly broadcast live: what comments say, read by the sentiment service and counted by NPS, is what the file's report says."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.cli.comments import CommentReader
from services.cli.weeks.generator import INCIDENT, generate
from services.nps.report.book import Book
from services.nps.report.build import Asked, Report, build
from services.nps.report.week import ends, named
from services.runtime.publisher import Publisher
from services.runtime.records import timestamp, write
from services.runtime.settings import KafkaSettings
from tests.integration.process import Process
from tests.integration.test_nps_service import refused

pytestmark = pytest.mark.integration
ANSWERS = 500


def lines(tag: str, monday: date) -> list[dict]:
    """Three weeks of lines; the group tells them from what other tests sent."""
    made = generate(1, monday, ANSWERS)
    for line in made:
        if "segments" in line and line["type"] in ("answered", "contacted"):
            line["segments"]["group"] = tag
        for name in ("id", "survey_id", "contact_id", "customer_id", "action_id"):
            if name in line:
                line[name] = f"{tag}-{line[name]}"
    return [line for line in made if line["type"] in ("answered", "corrected", "retracted", "contacted", "owned")]


def events(line: dict) -> list:
    """A line as the events that channels send."""
    at = datetime.fromisoformat(line["time"])
    kind, survey = line["type"], line.get("survey_id", "")

    def event(message, subject: str, suffix: str = "") -> object:
        return write(message, event_id=line["id"] + suffix, source="weeks", subject=subject, time=at)

    if kind == "contacted":
        region, customer = line["segments"]["region"], line["customer_id"]
        asked = contact_pb2.ContactRequested(contact_id=line["contact_id"], channel="phone")
        asked.customer.region, asked.customer.tier = region, line["segments"]["group"]
        said = contact_pb2.MessageReceived(
            contact_id=line["contact_id"], speaker=contact_pb2.SPEAKER_CUSTOMER, text=line["text"], language="zh"
        )
        return [event(asked, customer), event(said, customer, "-said")]
    if kind == "owned":
        owned = nps_pb2.SegmentOwned(ownership_id=line["id"], owner=line["owner"], segments=line["segments"])
        return [event(owned, line["id"])]
    if kind == "answered":
        message = survey_pb2.SurveyAnswered(
            survey_id=survey, score=line["score"], segments=line["segments"], comment=line["comment"]
        )
    elif kind == "corrected":
        message = survey_pb2.SurveyCorrected(survey_id=survey, score=line["score"])
    else:
        message = survey_pb2.SurveyRetracted(survey_id=survey)
    return [event(message, f"c-{survey}")]


def told(of: list[dict], monday: date, tag: str) -> Report:
    """What the file's report says of the second week."""
    book = Book()
    for line in of:
        book.take(json.dumps(line, ensure_ascii=False))
    assert not book.rejected
    second = monday + timedelta(days=7)
    return build(book, Asked(named(second), *ends(second, UTC), (("group", tag),)), CommentReader())


async def test_live_drivers_and_broadcast_are_those_of_the_file(stack, tmp_path: Path) -> None:
    tag, today = uuid4().hex[:8], datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday() + 21)
    of = lines(tag, monday)
    wanted = told(of, monday, tag)
    publisher = Publisher(KafkaSettings(bootstrap=stack.bootstrap))
    await publisher.start()
    try:
        async with (
            Process(stack, "sentiment") as sentiment,
            Process(stack, "nps", NPS_ZONE="UTC", NPS_ASK="false") as nps,
        ):
            await publisher.publish([e for line in of for e in events(line)])
            await sentiment.settled()
            await nps.settled()
            async with grpc.aio.insecure_channel(nps.address) as channel:
                stub = nps_pb2_grpc.NpsServiceStub(channel)
                await check_drivers(stub, wanted, tag)
                await check_report(stub, wanted, tag, tmp_path)
    finally:
        await publisher.stop()


async def check_drivers(stub, wanted: Report, tag: str) -> None:
    at = timestamp(wanted.asked.start + timedelta(days=2))
    asked = nps_pb2.GetDriversRequest(where={"group": tag}, window=nps_pb2.WINDOW_WEEK, at=at, dimension="store_group")
    found = await stub.GetDrivers(asked, timeout=20)
    assert found.start.ToDatetime(UTC) == wanted.asked.start
    this = wanted.this
    assert (found.all.n, found.all.promoters, found.all.detractors) == (
        this.all.n,
        this.all.promoters,
        this.all.detractors,
    )
    # Every stage: as many complaints, here and in the week before, at the same cost.
    pains = {p.stage: p for p in wanted.findings.pains}
    drivers = {d.stage: d for d in found.drivers}
    assert drivers.keys() == pains.keys()
    for stage, d in drivers.items():
        assert (d.share.of, d.share.n, d.before.of) == (pains[stage].share.of, this.all.n, pains[stage].before.of)
        cost = pains[stage].impact
        assert cost is not None
        assert d.impact.points == pytest.approx(cost.impact.points)
        assert (d.impact.low, d.impact.high) == (pytest.approx(cost.impact.low), pytest.approx(cost.impact.high))
    incident = drivers[INCIDENT.stage]
    assert incident.risen
    assert incident.spots[0].place == INCIDENT.group
    assert incident.impact.high < 0
    r = this.readings
    assert (found.readings.none, found.readings.staged, found.readings.other) == (r["none"], r["staged"], r["other"])
    # Who came back, and because of what.
    assert wanted.repeats is not None
    assert (found.repeats.share.of, found.repeats.share.n) == (wanted.repeats.share.of, wanted.repeats.share.n)
    causes = {c: n for c, n in wanted.repeats.causes if c in drivers}
    assert {d.stage: d.repeats for d in found.drivers if d.repeats} == causes
    for wrong in ({"days": 93}, {"limit": -1}, {"where": {"group": tag}, "dimension": "group"}, {"window": 17}):
        await refused(stub.GetDrivers, nps_pb2.GetDriversRequest(**wrong))


async def check_report(stub, wanted: Report, tag: str, folder: Path) -> None:
    for language, holds in (("zh", "核对通过"), ("en", "The audit holds")):
        asked = nps_pb2.GetReportRequest(week=wanted.asked.week, language=language, where={"group": tag})
        answer = await stub.GetReport(asked, timeout=60)
        assert answer.week == wanted.asked.week
        assert holds in answer.html
        cards = re.findall(r"<h3>\d\. ([^<]*)</h3>", answer.html)
        assert len(cards) == len(wanted.told)
        owners = {pain.owner for pain in wanted.told}
        assert all(owners) and all(owner in answer.html for owner in owners)
        assert "<blockquote>" in answer.html
        assert not re.search(r"1[3-9]\d{9}", answer.html)
        (folder / f"{language}.html").write_text(answer.html, encoding="utf-8")
    for wrong in ({"week": "2026-W60"}, {"language": "fr"}, {"where": {"group": ""}}):
        await refused(stub.GetReport, nps_pb2.GetReportRequest(**wrong))
