"""The sentiment service's gRPC calls."""

import asyncio
from typing import Any

from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

from services.runtime.records import timestamp
from services.runtime.rpc import Servicer, check_batch, invalid
from services.sentiment import codec, store
from services.sentiment.domain.model import SentimentModel

LONGEST_TEXT = 20_000


class SentimentAnswers(sentiment_pb2_grpc.SentimentServiceServicer):
    """Scores texts, and answers with moods as they are committed."""

    def __init__(self, pool: Any, model: SentimentModel, name: str) -> None:
        self._pool = pool
        self._model = model
        self._name = name

    async def Score(self, request: sentiment_pb2.ScoreRequest, context: Any) -> sentiment_pb2.ScoreResponse:  # noqa: N802 (gRPC's name)
        """Scores up to 1,000 texts, in a thread: a large batch must not hold up the moods."""
        check_batch("texts", request.texts)
        for i, text in enumerate(request.texts):
            if len(text) > LONGEST_TEXT:
                raise invalid(f"texts[{i}]: has {len(text)} characters; at most {LONGEST_TEXT} are scored")
        if request.language not in ("", "zh", "en"):
            raise invalid("language: is none of zh, en")
        languages = [codec.language(request.language)] * len(request.texts)
        scores = await asyncio.to_thread(self._model.score_batch, list(request.texts), languages)
        return sentiment_pb2.ScoreResponse(scores=[codec.score_message(s) for s in scores], model=self._name)

    async def GetMood(self, request: sentiment_pb2.GetMoodRequest, context: Any) -> sentiment_pb2.GetMoodResponse:  # noqa: N802 (gRPC's name)
        """Moods of up to 1,000 customers and 1,000 contacts."""
        check_batch("customer_ids", request.customer_ids)
        check_batch("contact_ids", request.contact_ids)
        response = sentiment_pb2.GetMoodResponse()
        for kind, ids, into in (
            ("customer", request.customer_ids, response.customers),
            ("contact", request.contact_ids, response.contacts),
        ):
            for row in await store.moods(self._pool, kind, list(ids)) if ids else ():
                into[row.id].CopyFrom(
                    sentiment_pb2.Mood(
                        mood=row.mood, trend=row.trend, messages=row.messages, last_at=timestamp(row.last_at)
                    )
                )
        return response


def servicer(pool: Any, model: SentimentModel, name: str) -> Servicer:
    """What the runtime's server is given."""
    answers = SentimentAnswers(pool, model, name)
    return Servicer(
        sentiment_pb2_grpc.add_SentimentServiceServicer_to_server, answers, "touchline.sentiment.v1.SentimentService"
    )
