"""The service's decision for one customer: what was said, who serves them, what was corrected in; moods and facts out."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from services.sentiment.domain import conversation
from services.sentiment.domain.conversation import Point, Stint, Talk
from services.sentiment.domain.events import (
    AngerAbsorbed,
    Commented,
    CommentRead,
    ConversationShifted,
    Corrected,
    Event,
    Fact,
    FeedbackGiven,
    MessageScored,
    Read,
    Said,
    SeatLeft,
    SeatTook,
    TalkPast,
)
from services.sentiment.domain.load import anger
from services.sentiment.domain.mood import CustomerMood, customer_mood_at, customer_weight_at, fold_message
from services.sentiment.domain.remarks import UNREAD, Remark
from services.sentiment.domain.score import Score
from services.sentiment.domain.text import Language

Scorer = Callable[[str, Language | None], Score]
"""Scores one text in a language, or in the one it guesses."""
Commenter = Callable[[str], Remark]
"""Reads one comment."""
Result = tuple[CustomerMood, tuple[Fact, ...]]

MAX_TALKS: Final = 2
"""Conversations in a customer's state, for two may go on at once; that of which nothing was heard for longest goes first."""


def decide(state: CustomerMood, event: Event, now: datetime, score: Scorer, comment: Commenter | None = None) -> Result:
    """Fold what was said into its conversation and, where the customer said it, into the customer's mood.

    What was not read with its batch is scored now. A message from the future (by `now`) counts in its minute all the same, but its
    mood is dated `now`, so that a wrong clock can't make the customer's later messages look old.
    """
    if isinstance(event, Commented):
        # A survey's comment is no part of a conversation: it moves no mood.
        return state, (CommentRead(event, event.remark or (comment(event.text) if comment else UNREAD)),)
    if isinstance(event, Said | Corrected):
        event = Read(event, score(event.text, event.language))
    if isinstance(event, Read):
        text = event.event
        if isinstance(text, Corrected):
            return state, (FeedbackGiven(text, event.score),)
        return _said(state, text, event, min(text.time, now))
    return _took(state, event) if isinstance(event, SeatTook) else _left(state, event)


def _said(state: CustomerMood, event: Said, read: Read, time: datetime) -> Result:
    score = read.score
    talk = state.talk(event.contact_id) or _begin(state, event.contact_id, time)
    angry = anger(score) if event.speaker == "customer" else 0.0
    point = Point(
        source=event.source,
        event_id=event.event_id,
        speaker=event.speaker,
        seat_id=event.seat_id,
        time=time,
        polarity=score.polarity,
        label=score.label,
        emotion=score.emotion.label,
        anger=angry,
    )
    talk, turn = conversation.say(talk, point)
    if event.speaker != "customer":
        return _keep(state, talk)
    after, contact = fold_message(state, event.contact_id, event.touchpoint, score.polarity, time)
    facts: list[Fact] = [
        MessageScored(
            source=event.source,
            event_id=event.event_id,
            contact_id=event.contact_id,
            customer_id=event.customer_id,
            touchpoint=event.touchpoint,
            channel=event.channel,
            score=score,
            evidence=read.evidence,
            unseen=read.unseen,
            contact_mood=contact.value,
            customer_mood=after.value,
            trend=after.trend,
            time=event.time,
        )
    ]
    stint = conversation.serving(talk, time) if talk.stints else None
    if turn is not None:
        facts.append(
            ConversationShifted(
                customer_id=event.customer_id,
                contact_id=event.contact_id,
                turn=turn,
                touchpoint=event.touchpoint,
                channel=event.channel,
                pool=stint.pool if stint else "",
                seat_id=stint.seat_id if stint else "",
                time=time,
            )
        )
    if stint is not None and angry:
        facts.append(_absorbed(event.customer_id, talk.contact_id, stint, point))
    kept, past = _keep(after, talk)
    return kept, (*facts, *past)


def _took(state: CustomerMood, event: SeatTook) -> Result:
    """A seat took the contact. What the customer said since, and was scored before we heard of it, it bore as well."""
    talk = state.talk(event.contact_id) or _begin(state, event.contact_id, event.time)
    stint = Stint(event.pool, event.seat_id, event.time)
    since = [p for p in map(conversation.unpack, talk.points) if p.anger and p.time >= stint.began]
    borne = [p for p in since if conversation.serving(talk, p.time) is None]
    kept, past = _keep(state, conversation.serve(talk, stint))
    return kept, (*(_absorbed(event.customer_id, event.contact_id, stint, p) for p in borne), *past)


def _left(state: CustomerMood, event: SeatLeft) -> Result:
    talk = state.talk(event.contact_id)
    left = conversation.leave(talk, event.seat_id, event.time) if talk else None
    return (state, ()) if left is None or left is talk else _keep(state, left)


def _absorbed(customer_id: str, contact_id: str, stint: Stint, point: Point) -> AngerAbsorbed:
    return AngerAbsorbed(
        pool=stint.pool,
        seat_id=stint.seat_id,
        contact_id=contact_id,
        customer_id=customer_id,
        source=point.source,
        message_id=point.event_id,
        time=point.time,
        anger=point.anger,
    )


def _begin(state: CustomerMood, contact_id: str, time: datetime) -> Talk:
    return conversation.begin(contact_id, time, customer_mood_at(state, time), customer_weight_at(state, time))


def _keep(state: CustomerMood, talk: Talk) -> tuple[CustomerMood, tuple[TalkPast, ...]]:
    """The state with the conversation, and those that it has no more room for."""
    others = [t for t in state.talks if t.contact_id != talk.contact_id]
    talks = sorted([*others, talk], key=_heard) if others else [talk]
    kept = CustomerMood(state.customer_id, state.slow, state.fast, state.contacts, tuple(talks[-MAX_TALKS:]))
    return kept, tuple(TalkPast(state.customer_id, t) for t in talks[:-MAX_TALKS] if any(t.said))


def _heard(talk: Talk) -> tuple[datetime, str]:
    return (talk.at, talk.contact_id)
