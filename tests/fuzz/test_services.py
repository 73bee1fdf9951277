"""Each service's way from a record to its facts: what the contract lets in, it can decide, write, count and keep."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from services.escalation.main import case_pipeline, cause_pipeline, team_pipeline
from services.escalation.settings import EscalationSettings
from services.nps import contacts, deeds, owning
from services.nps.lines import LineError, read_line
from services.nps.main import PIPELINE as NPS
from services.nps.settings import NpsSettings
from services.router.domain.policy import Policy
from services.router.lookups import Lookups
from services.router.main import assignment_pipeline, triage_pipeline
from services.router.policyfile import DEFAULT
from services.router.policyfile import load as load_policy
from services.runtime import catalogue, records, validate
from services.runtime.errors import Unreadable
from services.runtime.pipeline import Delta, Pipeline, Publish
from services.runtime.records import Incoming, Record
from services.sentiment import loads, model
from services.sentiment.domain import text as texts
from services.sentiment.main import pipeline as sentiment_pipeline
from services.sentiment.reading import Reading
from services.sentiment.watch import Watch
from tests.fuzz import shapes
from tests.fuzz.harness import fuzz

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
ROUNDS = 5


@cache
def policy() -> Policy:
    return load_policy(DEFAULT)


@cache
def sentiment() -> Pipeline[Any, Any, Any]:
    return sentiment_pipeline(Reading(model.load(), Watch({}, lambda: NOW)), model.name())


@cache
def pipelines() -> dict[str, Pipeline[Any, Any, Any]]:
    nobody, asking, risk = Lookups(None, None, None, 0.1), NpsSettings(), EscalationSettings()
    return {
        "nps": NPS,
        "sentiment": sentiment(),
        "load": loads.pipeline(),
        "nps.service": contacts.pipeline(
            asking.plan(), asking.zoned(), contacts.Volumes(None, lambda: NOW, asking.zoned())
        ),
        "nps.actions": deeds.PIPELINE,
        "nps.owners": owning.PIPELINE,
        "escalation": case_pipeline(risk.numbers(), risk.follow_ups()),
        "team": team_pipeline(risk.follow_ups()),
        "cause": cause_pipeline(),
        "triage": triage_pipeline(policy(), nobody),
        "assignment": assignment_pipeline(policy()),
    }


KINDS: dict[str, list[Any]] = {
    name: sorted((k for k in catalogue.by_name().values() if k.topic in topics), key=lambda k: k.name)
    for name, topics in {
        "nps": {"touchpoint.events", "survey.requested", "sentiment.remarked"},
        "nps.service": {"touchpoint.events", "sentiment.scored"},
        "nps.actions": {"nps.actions"},
        "nps.owners": {"nps.actions"},
        "sentiment": {"touchpoint.events", "routing.decided"},
        "load": {"pool.events"},
        "escalation": {
            "touchpoint.events",
            "sentiment.scored",
            "sentiment.shifted",
            "routing.decided",
            "escalation.flagged",
            "outreach.events",
        },
        "team": {"team.events"},
        "cause": {"cause.events"},
        "triage": {"touchpoint.events"},
        "assignment": {"pool.events"},
    }.items()
}


def incoming(service: str, rng: random.Random) -> Incoming | None:
    """An event that the contract lets in, of one customer or pool; None where it didn't."""
    kind = rng.choice(KINDS[service])
    key = "repair" if service in ("assignment", "load") else "c1"
    message: Any = shapes.message(kind.message, rng, rng.choice((0.0, 0.0, 0.1, 0.4)))
    if kind.key_field:
        setattr(message, kind.key_field, key)
    # Few names, so that events meet: the same contact, seat, survey, ticket.
    for name in ("contact_id", "seat_id", "survey_id", "ticket_id", "order_id", "follow_up_id"):
        if name in message.DESCRIPTOR.fields_by_name and rng.random() < 0.9:
            setattr(message, name, f"{name}-{rng.randrange(2)}")
    # What one service tells another is about somebody; channels' events say so by their rules, or by the key.
    if kind.internal and "customer_id" in message.DESCRIPTOR.fields_by_name:
        message.customer_id = "c1"
    try:
        validate.check(message)
        time = NOW + timedelta(seconds=rng.choice((0, -3600, 3600, rng.randint(-(10**8), 10**7))))
        wrote = records.write(
            message, event_id=f"e{rng.randrange(1 << 30)}", source="/fuzz", subject="c1", time=time, key=key
        )
        return records.read(Record(wrote.topic, 0, 0, wrote.key, wrote.value, wrote.headers), NOW)
    except Unreadable:
        return None


def take(pipe: Pipeline[Any, Any, Any], facts: Iterable[Any]) -> None:
    """Facts as the runtime takes them: as records that can be read again, as counters of the declared fields."""
    for fact in facts:
        for made in pipe.write(fact):
            if isinstance(made, Publish):
                out = records.write(made.message, event_id="f", source="s", subject=made.subject, time=made.time)
                records.read(Record(out.topic, 0, 0, out.key, out.value, out.headers), NOW)
            else:
                msgspec.json.encode(made.body)
        for delta in pipe.count(fact) if pipe.count and pipe.metric else ():
            assert isinstance(delta, Delta) and set(delta.counts) <= set(pipe.metric.fields)
            assert all("\0" not in text for pair in delta.segment for text in pair)


def run(service: str, seed: int) -> None:
    rng, pipe = random.Random(seed), pipelines()[service]
    state, now = pipe.initial("repair" if service in ("assignment", "load") else "c1"), NOW
    keep = msgspec.json.Decoder(pipe.state_type)
    for _ in range(ROUNDS):
        now += timedelta(seconds=rng.choice((0, 1, 30, 4000)))
        given = incoming(service, rng)
        try:
            event = pipe.read(given) if given is not None else None
        except Unreadable as refused:  # it becomes a dead letter, and says why
            assert refused.field and refused.reason
            event = None
        if event is not None:
            state, facts = pipe.decide(state, event, now)
            take(pipe, facts)
        if pipe.tick and pipe.due and (due := pipe.due(state)) is not None and rng.random() < 0.5:
            now = max(now, due)
            state, facts = pipe.tick(state, now)
            take(pipe, facts)
        # The state goes through the database and comes back the same: what NaN or an odd key would break.
        packed, kept = stored(pipe, state)
        assert b"\\u0000" not in b"".join([packed, *kept.values()])
        state = keep.decode(packed)
        state = pipe.parts.join(state, kept) if pipe.parts else state
        again, still = stored(pipe, state)
        assert again == packed
        assert still == kept


def stored(pipe: Pipeline[Any, Any, Any], state: Any) -> tuple[bytes, dict[str, bytes]]:
    """A state as the database has it: its body, and the parts beside it."""
    if pipe.parts is None:
        return msgspec.json.encode(state), {}
    parts = {name: body for name, body in pipe.parts.changed(None, state).items() if body is not None}
    return msgspec.json.encode(pipe.parts.head(state)), parts


def of(service: str, share: float) -> Callable[..., None]:
    def test(seed: int) -> None:
        run(service, seed)

    test.__name__ = f"test_{service.replace('.', '_')}_decides_whatever_is_let_in"
    return fuzz(share, seed=shapes.seeds)(test)


test_nps = of("nps", 2)
test_sentiment = of("sentiment", 1)
test_load = of("load", 1)
test_nps_service = of("nps.service", 1)
test_nps_actions = of("nps.actions", 1)
test_nps_owners = of("nps.owners", 1)
test_escalation = of("escalation", 2)
test_team = of("team", 1)
test_cause = of("cause", 0.5)
test_triage = of("triage", 2)
test_assignment = of("assignment", 2)


@fuzz(2, text=st.text(max_size=200) | st.sampled_from(shapes.TEXTS) | st.text("a \n不好！\u200b\u0301é😀", max_size=60))
def test_text_is_normalised_once_and_for_all(text: str) -> None:
    once = texts.normalise(text)
    assert len(once) <= texts.MAX_CHARS
    assert texts.normalise(once) == once or texts.normalise(texts.normalise(once)) == texts.normalise(once)
    found = texts.normalise_with_offsets(text)
    assert len(found.text) == len(found.starts) == len(found.ends)
    for i in range(0, len(found.text), 7):
        start, end = found.span(i, i + 1)
        assert 0 <= start < end <= len(text)


@fuzz(0.7, text=st.text(max_size=120) | st.sampled_from(shapes.TEXTS), repeat=st.sampled_from([1, 1, 50, 2000]))
def test_any_text_has_a_score(text: str, repeat: int) -> None:
    score = model_score(text * repeat)
    assert -1 <= score.polarity <= 1 and 0 <= score.confidence <= 1
    assert abs(score.negative + score.neutral + score.positive - 1) < 1e-3


def model_score(text: str) -> Any:
    return sentiment_model().score(text, None)


@cache
def sentiment_model() -> Any:
    return model.load()


@fuzz(2, seed=shapes.seeds, noise=st.none() | st.text(max_size=80))
def test_a_line_of_surveys_is_read_or_refused(seed: int, noise: str | None) -> None:
    rng = random.Random(seed)
    line = {"id": "e", "source": "s", "type": rng.choice(("answered", "corrected", "retracted")), "score": rng.randrange(11),
            "time": "2026-11-01T09:00:00Z", "survey_id": "s1", "segments": {"region": "华东"}}  # fmt: skip
    try:
        read_line(shapes.dumps(shapes.odd_json(line, rng, 0.4)).decode() if noise is None else noise)
    except LineError as wrong:
        assert ": " in str(wrong) and shapes.SECRET not in str(wrong)
