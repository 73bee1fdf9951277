"""Which answer of each survey stands: the same whatever the order of arrival, and however often an event comes.

Each survey keeps three things that merge independently of order: the latest answer, the latest correction (both by
event time, then event id and source), and whether it was retracted. What stands follows from them:

- a retracted survey counts nowhere, whatever arrives before or after;
- without an answer nothing counts: a correction that came first waits for it;
- the segments and the time come from the answer, the score from the correction where there is one, even if a repeated
  answer is later than it: somebody looked at that survey and said what it should be;
- an answer belongs to the contact that caused it: dimensions that it doesn't name are those of our request for it, and
  those of the contact that it, or the request, names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from services.nps.domain.remarks import CommentRead, Remark

MAX_SURVEYS: Final = 500
"""Surveys kept per customer. With one survey in 90 days that is more than a century; it bounds the state against a
channel that errs. The one untouched for longest, by event time, is closed: what it counts stands for good, and an
answer of an unknown survey that is not younger is refused, since it might count twice. Beyond this bound, and only
there, the order of arrival can matter."""

Segments = tuple[tuple[str, str], ...]
"""Dimension and value, sorted by dimension; each dimension once."""


MAX_CONTACTS: Final = 20
"""Contacts kept per customer whose segments an answer may still want. What an answer has taken from one stays with it."""


class SurveyClosedError(ValueError):
    """The survey is too old to change: see MAX_SURVEYS."""


@dataclass(frozen=True, slots=True)
class SurveyAnswered:
    """A customer answered. `score` is 0 to 10; `time` is the event's own, and the time at which it counts."""

    source: str
    event_id: str
    customer_id: str
    survey_id: str
    time: datetime
    score: int
    segments: Segments
    contact_id: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class SurveyCorrected:
    """The survey's score should be this one, 0 to 10."""

    source: str
    event_id: str
    customer_id: str
    survey_id: str
    time: datetime
    score: int


@dataclass(frozen=True, slots=True)
class SurveyRetracted:
    """The survey should count nowhere."""

    source: str
    event_id: str
    customer_id: str
    survey_id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class SurveyAsked:
    """We asked the customer: the survey's segments, as far as the contact that caused it tells them."""

    source: str
    event_id: str
    customer_id: str
    survey_id: str
    time: datetime
    segments: Segments


@dataclass(frozen=True, slots=True)
class ContactBegan:
    """A contact of the customer, with its segments."""

    source: str
    event_id: str
    customer_id: str
    contact_id: str
    time: datetime
    segments: Segments


SurveyEvent = SurveyAnswered | SurveyCorrected | SurveyRetracted | SurveyAsked | CommentRead
Event = SurveyEvent | ContactBegan


@dataclass(frozen=True, slots=True)
class SurveyCounted:
    """Fact: what a survey counts changed at one place (its segments and the window of `answered_at`).

    before, after: the score that counted there, and that counts there now; None for none. Never both None.
    When a repeated answer moves a survey to other segments or another time there are two facts, one that withdraws it
    from the old place and one that counts it at the new: each can be applied alone.
    time: of the event that changed it.
    """

    customer_id: str
    survey_id: str
    before: int | None
    after: int | None
    segments: Segments
    answered_at: datetime
    time: datetime


@dataclass(frozen=True, slots=True)
class AskedCounted:
    """Fact: a survey was asked for, or whether it is answered changed. segments, asked_at: where it counts as asked."""

    customer_id: str
    survey_id: str
    asked_at: datetime
    segments: Segments
    answered: bool


@dataclass(frozen=True, slots=True)
class RemarkCounted:
    """Fact: what a survey's comment says, or where it counts, changed. None for either: it counts nowhere."""

    customer_id: str
    survey_id: str
    stands: "Standing | None"
    remark: Remark | None


@dataclass(frozen=True, slots=True)
class CommentKept:
    """Fact: the comment of the answer that stands, as it was written; "" where there is none any more."""

    customer_id: str
    survey_id: str
    answered_at: datetime
    text: str


Fact = SurveyCounted | AskedCounted | RemarkCounted | CommentKept


@dataclass(frozen=True, slots=True)
class Given:
    """A score as it was given or corrected, with what orders it among others of its kind."""

    time: datetime
    event_id: str
    source: str
    score: int
    segments: Segments = ()
    contact_id: str = ""
    commented: bool = False

    @property
    def rank(self) -> tuple[datetime, str, str, int, Segments, str]:
        return self.time, self.event_id, self.source, self.score, self.segments, self.contact_id


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of one survey. `touched` is the latest event time seen.

    asked_at, asked: when we asked first, and with what segments. of_contact: the segments of the contact that it names.
    remark: what the latest comment that was read says.
    """

    touched: datetime
    answer: Given | None = None
    correction: Given | None = None
    retracted: bool = False
    asked_at: datetime | None = None
    asked: Segments = ()
    of_contact: Segments = ()
    remark: Remark | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a survey counts: a score, at a place."""

    score: int
    segments: Segments
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerSurveys:
    """State per customer. `closed_until` is the latest event time of the surveys that were closed for space; contacts:
    the last ones' segments, those seen first first."""

    customer_id: str
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    closed_until: datetime | None = None
    contacts: Mapping[str, Segments] = field(default_factory=dict)


def decide(state: CustomerSurveys, event: Event, now: datetime) -> tuple[CustomerSurveys, tuple[Fact, ...]]:
    """The state after the event, and what it changed. `now` is not used: only event times order what stands.

    Raises SurveyClosedError where the answer may belong to a survey that was closed for space.
    """
    if isinstance(event, ContactBegan):
        return _contact(state, event)
    known = state.surveys.get(event.survey_id)
    if known is None and isinstance(event, SurveyAnswered) and state.closed_until and event.time <= state.closed_until:
        raise SurveyClosedError(f"older than the last {MAX_SURVEYS} surveys of its customer")
    survey = merge(known, event)
    if survey.answer is not None and (segments := state.contacts.get(survey.answer.contact_id)):
        survey = replace(survey, of_contact=segments)
    if survey == known:
        return state, ()
    after = replace(state, surveys={**state.surveys, event.survey_id: survey})
    facts = _told(event, event.survey_id, known, survey)
    return _bounded(after, event.survey_id), (*facts, *_comment(event, known, survey))


def _contact(state: CustomerSurveys, event: ContactBegan) -> tuple[CustomerSurveys, tuple[Fact, ...]]:
    """Keeps the contact's segments, and gives them to the answers that came before it."""
    if not event.segments or event.contact_id in state.contacts:
        return state, ()
    contacts = {**state.contacts, event.contact_id: event.segments}
    if len(contacts) > MAX_CONTACTS:
        del contacts[next(iter(contacts))]
    surveys, facts = dict(state.surveys), list[Fact]()
    for survey_id, known in state.surveys.items():
        if known.answer is not None and known.answer.contact_id == event.contact_id:
            surveys[survey_id] = replace(known, of_contact=event.segments)
            facts += _told(event, survey_id, known, surveys[survey_id])
    return replace(state, contacts=contacts, surveys=surveys), tuple(facts)


def _told(event: Event, survey_id: str, known: Survey | None, survey: Survey) -> tuple[Fact, ...]:
    """What is told of a survey's change: of the answer that stands, and of whom was asked."""
    was, stands = standing(known), standing(survey)
    facts: tuple[Fact, ...] = changes(event, survey_id, was, stands)
    if survey.asked_at is not None and (known is None or known.asked_at != survey.asked_at or (was is None) != (stands is None)):  # fmt: skip
        asked = AskedCounted(event.customer_id, survey_id, survey.asked_at, survey.asked, stands is not None)
        facts = (*facts, asked)
    before, now = (was, _heard(known)), (stands, _heard(survey))
    if before != now and (before[1] or now[1]):
        facts = (*facts, RemarkCounted(event.customer_id, survey_id, *now))
    return facts


def _heard(survey: Survey | None) -> Remark | None:
    """What the standing answer's comment says: one that isn't read yet is "unread"."""
    if survey is None or survey.answer is None or survey.retracted:
        return None
    answer, remark = survey.answer, survey.remark
    if remark is not None and (remark.event_id, remark.source) == (answer.event_id, answer.source):
        return remark
    return Remark(answer.time, answer.event_id, answer.source, "unread") if answer.commented else None


def _comment(event: Event, known: Survey | None, survey: Survey) -> tuple[CommentKept, ...]:
    """What becomes of the comment that is kept: it is that of the standing answer, and goes with it."""
    answer = survey.answer
    had = known is not None and known.answer is not None and known.answer.commented
    if isinstance(event, SurveyRetracted):
        gone = had and known is not None and not known.retracted
        return (CommentKept(event.customer_id, event.survey_id, event.time, ""),) if gone else ()
    if not isinstance(event, SurveyAnswered) or answer is None or survey.retracted:
        return ()
    if (answer.event_id, answer.source) != (event.event_id, event.source) or not (event.comment or had):
        return ()
    return (CommentKept(event.customer_id, event.survey_id, event.time, event.comment),)


def merge(survey: Survey | None, event: SurveyEvent) -> Survey:
    """The survey with one more event; commutative, associative and idempotent."""
    asked_at: datetime | None = None
    asked: Segments = ()
    of_contact: Segments = ()
    remark: Remark | None = None
    if survey is None:
        touched, answer, correction, retracted = event.time, None, None, False
    else:
        touched, answer = max(survey.touched, event.time), survey.answer
        correction, retracted = survey.correction, survey.retracted
        asked_at, asked, of_contact, remark = survey.asked_at, survey.asked, survey.of_contact, survey.remark
    # Tests by type and no dataclasses.replace: this is the hottest function of the running computation.
    if isinstance(event, SurveyAnswered):
        answer = _later(
            answer,
            Given(
                event.time,
                event.event_id,
                event.source,
                event.score,
                event.segments,
                event.contact_id,
                bool(event.comment),
            ),
        )
    elif isinstance(event, SurveyCorrected):
        correction = _later(correction, Given(event.time, event.event_id, event.source, event.score))
    elif isinstance(event, SurveyRetracted):
        retracted = True
    elif isinstance(event, CommentRead):
        remark = event.remark if remark is None or event.remark.rank > remark.rank else remark
    elif asked_at is None or (event.time, event.segments) < (asked_at, asked):
        asked_at, asked = event.time, event.segments
    return Survey(touched, answer, correction, retracted, asked_at, asked, of_contact, remark)


def standing(survey: Survey | None) -> Standing | None:
    """What the survey counts, or None where it counts nowhere."""
    if survey is None or survey.retracted or survey.answer is None:
        return None
    score = (survey.correction or survey.answer).score
    segments = survey.answer.segments
    if survey.asked or survey.of_contact:
        segments = tuple(sorted({**dict(survey.of_contact), **dict(survey.asked), **dict(segments)}.items()))
    return Standing(score, segments, survey.answer.time)


def changes(event: Event, survey_id: str, before: Standing | None, after: Standing | None) -> tuple[SurveyCounted, ...]:
    """The facts that lead from one standing to the other."""
    if before == after:
        return ()

    def fact(place: Standing, was: int | None, now: int | None) -> SurveyCounted:
        return SurveyCounted(event.customer_id, survey_id, was, now, place.segments, place.answered_at, event.time)

    if before and after and (before.segments, before.answered_at) == (after.segments, after.answered_at):
        return (fact(after, before.score, after.score),)
    withdrawn = (fact(before, before.score, None),) if before else ()
    counted = (fact(after, None, after.score),) if after else ()
    return withdrawn + counted


def last_answer(state: CustomerSurveys) -> Standing | None:
    """The customer's latest standing answer by its time, then by survey id; None where none stands."""
    found = [(s.answered_at, survey_id, s) for survey_id, survey in state.surveys.items() if (s := standing(survey))]
    return max(found, key=lambda x: x[:2])[2] if found else None


def _later(known: Given | None, given: Given) -> Given:
    return given if known is None or given.rank > known.rank else known


def _bounded(state: CustomerSurveys, just_changed: str) -> CustomerSurveys:
    if len(state.surveys) <= MAX_SURVEYS:
        return state
    surveys = dict(state.surveys)
    oldest = min((s.touched, survey_id) for survey_id, s in surveys.items() if survey_id != just_changed)[1]
    closed = surveys.pop(oldest)
    return replace(state, surveys=surveys, closed_until=max(closed.touched, state.closed_until or closed.touched))
