"""NPS under harm: surveys answered, corrected, withdrawn and repeated, and the audit's oracle over them."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import grpc
from google.protobuf.message import Message
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.survey.v1 import events_pb2 as survey_pb2

from faults.kafka import Letter
from faults.real import Service, letter, sums, told
from services.cli.audit import delivery, nps
from services.cli.calls import all_pages

FIELDS = ("promoters", "passives", "detractors")
DAY = datetime(2026, 11, 18, tzinfo=UTC)


def events(prefix: str, rng: Random, count: int, first: int = 0) -> list[Letter]:
    """Answers of a few customers in a region of this schedule's own, with corrections, withdrawals and repeats among them."""
    made: list[Letter] = []
    for n in range(first, first + count):
        customer, at = f"{prefix}-{rng.randrange(8)}", DAY + timedelta(minutes=rng.randrange(3000))
        survey = f"{prefix}-s{n}"

        def event(message: Message, name: str, late: float = 0.0, c: str = customer, t: datetime = at) -> Letter:
            return letter(message, c, name, time=t + timedelta(hours=late))

        segments = {"region": prefix, "store": f"{prefix}-{n % 3}"}
        story = [
            event(
                survey_pb2.SurveyAnswered(survey_id=survey, score=rng.randrange(11), segments=segments), f"{survey}-a"
            )
        ]
        if rng.random() < 0.25:
            story.append(event(survey_pb2.SurveyCorrected(survey_id=survey, score=rng.randrange(11)), f"{survey}-c", 1))
        if rng.random() < 0.1:
            story.append(event(survey_pb2.SurveyRetracted(survey_id=survey), f"{survey}-r", 2))
        if rng.random() < 0.3:
            rng.shuffle(story)  # a correction may come before its answer
        made += story
        if rng.random() < 0.15:
            made.append(rng.choice(made))
    return made


async def judged(service: Service) -> list[str]:
    """The chain of facts, the counters, and the answer over gRPC, against the oracle."""
    await service.settled()
    found = await service.findings()
    ledger = found.ledger
    wrong = service.not_on_topic(ledger)
    wrong += told([nps.check_changes(ledger), delivery.check_once(ledger), delivery.check_dead_letters(ledger)])
    standing = nps._by_segment(nps.standings(ledger.sent).values())
    want = {s: nps.figure(scores) for s, scores in standing.items() if s and sum(scores.values())}
    counted = sums(found.cells, "ALL")
    answer = await _asked(service)
    for segment in sorted({*want, *counted}):
        expected = tuple(getattr(want.get(segment), f, 0) for f in FIELDS)
        have = tuple(counted.get(segment, {}).get(f, 0) for f in FIELDS)
        if have != expected:
            wrong.append(f"counters of {segment}: expected {expected}, got {have}")
        dimension, value = segment[0]
        figure = answer.by[dimension].values[value]
        said = tuple(getattr(figure, f) for f in FIELDS)
        if said != expected:
            wrong.append(f"GetNps of {segment}: expected {expected}, got {said}")
    service.bed.tell(f"{len(service.sent)} events sent, {len(ledger.facts.get('NpsChanged', ()))} facts")
    return wrong


async def _asked(service: Any) -> nps_pb2.GetNpsResponse:
    """All that the process which was started last says, of every value."""
    async with grpc.aio.insecure_channel(service.processes[-1].address) as channel:
        return await all_pages(nps_pb2_grpc.NpsServiceStub(channel), 10)
