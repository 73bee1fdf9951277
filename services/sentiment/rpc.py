"""The sentiment service's gRPC calls."""

import asyncio
from typing import Any

from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

from services.runtime.clock import Clock
from services.runtime.records import timestamp
from services.runtime.rpc import Servicer, check_batch, invalid
from services.sentiment import codec, loads, store
from services.sentiment.domain.model import SentimentModel
from services.sentiment.domain.score import Evidence
from services.sentiment.reading import explained
from services.sentiment.together import Together

LONGEST_TEXT = 20_000
CONVERSATIONS = 100
DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000


class SentimentAnswers(sentiment_pb2_grpc.SentimentServiceServicer):
    """Scores texts, and answers with moods, conversations and loads as they are committed."""

    def __init__(self, pool: Any, model: SentimentModel, name: str, clock: Clock, reader: Any = None) -> None:
        """Take the database's pool, the model and its name, and what looks up by key (else the pool)."""
        self._pool, self._reader = pool, reader or pool
        self._model = model
        self._together = Together(model)
        self._name = name
        self._clock = clock

    async def Score(self, request: sentiment_pb2.ScoreRequest, context: Any) -> sentiment_pb2.ScoreResponse:  # noqa: N802 (gRPC's name)
        """Scores up to 1,000 texts, with those of other calls; many of them in a thread, for they must not hold up the moods."""
        check_batch("texts", request.texts)
        for i, text in enumerate(request.texts):
            if len(text) > LONGEST_TEXT:
                raise invalid(f"texts[{i}]: has {len(text)} characters; at most {LONGEST_TEXT} are scored")
        if request.language not in ("", "zh", "en"):
            raise invalid("language: is none of zh, en")
        languages = [codec.language(request.language)] * len(request.texts)
        texts = list(request.texts)
        scores = await self._together.scores(texts, languages)
        shown: list[tuple[Evidence, ...]] = [()] * len(texts)
        if request.with_evidence:
            shown = await asyncio.to_thread(explained, self._model, texts, [s.language for s in scores])
        answers = [codec.score_message(s, pieces) for s, pieces in zip(scores, shown, strict=True)]
        return sentiment_pb2.ScoreResponse(scores=answers, model=self._name)

    async def GetMood(self, request: sentiment_pb2.GetMoodRequest, context: Any) -> sentiment_pb2.GetMoodResponse:  # noqa: N802 (gRPC's name)
        """Moods of up to 1,000 customers and 1,000 contacts."""
        check_batch("customer_ids", request.customer_ids)
        check_batch("contact_ids", request.contact_ids)
        response = sentiment_pb2.GetMoodResponse()
        of = {"customer": response.customers, "contact": response.contacts}
        for row in await store.moods(self._reader, request.customer_ids, request.contact_ids):
            of[row.kind][row.id].CopyFrom(
                sentiment_pb2.Mood(
                    mood=row.mood, trend=row.trend, messages=row.messages, last_at=timestamp(row.last_at)
                )
            )
        return response

    async def GetConversation(  # noqa: N802 (gRPC's name)
        self, request: sentiment_pb2.GetConversationRequest, context: Any
    ) -> sentiment_pb2.GetConversationResponse:
        """Up to 100 conversations."""
        if len(request.contact_ids) > CONVERSATIONS:
            raise invalid(f"contact_ids: has {len(request.contact_ids)} entries; at most {CONVERSATIONS} are answered")
        found = await store.conversations(self._reader, list(request.contact_ids)) if request.contact_ids else {}
        return sentiment_pb2.GetConversationResponse(
            contacts={
                contact_id: codec.conversation_message(customer_id, talk)
                for contact_id, (customer_id, talk) in found.items()
            }
        )

    async def GetSeatLoad(  # noqa: N802 (gRPC's name)
        self, request: sentiment_pb2.GetSeatLoadRequest, context: Any
    ) -> sentiment_pb2.GetSeatLoadResponse:
        """Loads of up to 1,000 seats, or of all of a pool's."""
        check_batch("seat_ids", request.seat_ids)
        if not request.seat_ids and not request.pool:
            raise invalid("seat_ids: is missing, and so is pool; one of them must be given")
        found = await loads.loads(self._pool, request.seat_ids, request.pool, self._clock())
        return sentiment_pb2.GetSeatLoadResponse(
            seats={
                seat_id: sentiment_pb2.SeatLoad(
                    load=seat.load,
                    absorbed=seat.absorbed,
                    messages=seat.messages,
                    last_at=timestamp(seat.last_at) if seat.last_at else None,
                    since=timestamp(seat.since) if seat.since else None,
                )
                for seat_id, seat in found.items()
            }
        )

    async def ExportCorrections(  # noqa: N802 (gRPC's name)
        self, request: sentiment_pb2.ExportCorrectionsRequest, context: Any
    ) -> sentiment_pb2.ExportCorrectionsResponse:
        """Corrections with their texts, by rising number."""
        if not 0 <= request.limit <= LARGEST_LIMIT:
            raise invalid(f"limit: is {request.limit}; between 0 (for {DEFAULT_LIMIT}) and {LARGEST_LIMIT} is possible")
        if request.after < 0:
            raise invalid(f"after: is {request.after}; 0 is the least")
        found = await store.corrections(self._pool, request.after, request.limit or DEFAULT_LIMIT)
        return sentiment_pb2.ExportCorrectionsResponse(corrections=[codec.correction_message(c) for c in found])


def servicer(pool: Any, model: SentimentModel, name: str, clock: Clock, reader: Any = None) -> Servicer:
    """What the runtime's server is given."""
    answers = SentimentAnswers(pool, model, name, clock, reader)
    register = sentiment_pb2_grpc.add_SentimentServiceServicer_to_server
    # Corrections change nothing, but hold many customers' texts: not for everybody who may look up a mood.
    return Servicer(register, answers, "touchline.sentiment.v1.SentimentService", changing=("ExportCorrections",))
