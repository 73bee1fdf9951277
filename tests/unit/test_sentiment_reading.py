"""A batch of texts is read as each of them alone, and how familiar the words are is told."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from touchline.sentiment.v1 import sentiment_pb2

from services.sentiment import model
from services.sentiment.domain.encode import encode
from services.sentiment.domain.events import Corrected, Event, Read, Said, SeatLeft
from services.sentiment.domain.score import Evidence, Score
from services.sentiment.domain.shift import Drift, Familiarity, judged, known_slots
from services.sentiment.reading import SHOWN, Reading
from services.sentiment.rpc import SentimentAnswers
from services.sentiment.watch import MINUTES, Watch

AT = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
KNOWN = ["外卖又迟到了", "非常好，谢谢", "这个酒店不错"]


class Hour:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def loaded() -> model.SentimentModel:
    return model.load()


@pytest.fixture
def clock() -> Hour:
    return Hour()


@pytest.fixture
def watch(clock: Hour) -> Watch:
    return Watch({"zh": Familiarity(known_slots(encode(KNOWN), 3, 16), 3, 0.1, 0.2)}, clock)


def said(text: str, language: str | None = None, speaker: str = "customer") -> Said:
    return Said("e", "s", "hu", "c", "", "app", language, text, AT, speaker)  # type: ignore[arg-type]


async def test_each_text_is_read_as_if_it_were_alone_and_all_else_is_left(loaded, watch: Watch) -> None:
    corrected = Corrected("s", "e", "hu", "c", "s1", "en", "never again", "negative", "", None, AT)
    left = SeatLeft("hu", "c", "s1", AT)
    events: list[Event] = [said("外卖又迟到了"), left, corrected, said("thanks, great!", "en"), said("", None, "bot")]
    found = await Reading(loaded, watch)(events)
    assert found[1] is left
    for event, read in zip(events, found, strict=True):
        if event is left:
            continue
        assert isinstance(read, Read)
        assert read.event is event
        alone = loaded.score(event.text, event.language)  # type: ignore[union-attr]
        assert (read.score.label, read.score.language) == (alone.label, alone.language)
        assert read.score.polarity == pytest.approx(alone.polarity, abs=1e-6)


async def test_a_batch_that_cannot_be_read_comes_back_as_it_was(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def score_batch(self, *_: object) -> None:
            raise ValueError("外卖又迟到了")

    events = [said("外卖又迟到了")]
    assert await Reading(Broken(), watch)(events) is events  # type: ignore[arg-type]
    assert "ValueError" in caplog.text
    assert "外卖" not in caplog.text, "customers' words are in no log"


async def test_the_share_of_unseen_words_is_told_for_each_text(loaded, watch: Watch) -> None:
    found = await Reading(loaded, watch)(
        [said("外卖又迟到了"), said("量子纠缠态叠加"), said("hello there", "en"), said("嗯")]
    )
    shares = [read.unseen for read in found if isinstance(read, Read)]
    assert shares[0] == pytest.approx(0, abs=0.01)
    assert shares[1] is not None
    assert shares[1] > 0.8
    assert shares[2] is None, "nothing is known of English"


def test_a_shift_is_told_when_it_comes_and_when_it_has_gone(
    watch: Watch, clock: Hour, caplog: pytest.LogCaptureFixture
) -> None:
    watch.add("zh", Drift(200, 22.0))
    assert abs({labels["language"]: far for far, labels in watch.distances()}["zh"]) < 4
    assert not caplog.records
    watch.add("zh", Drift(400, 360.0))
    watch.add("zh", Drift(10, 9.0))
    assert [r.getMessage() for r in caplog.records] == ["texts have stopped looking like the model's training texts"]
    ((far, labels),) = watch.distances()
    assert far > 4
    assert labels == {"language": "zh"}
    clock.now = AT + timedelta(minutes=MINUTES + 1)
    assert [far for far, _ in watch.distances()] == [0.0], "what is older than an hour is none of it"
    watch.add("zh", Drift(100, 10.0))
    assert caplog.records[-1].getMessage() == "texts look familiar again"


def test_confidence_is_held_against_what_people_said(watch: Watch) -> None:
    assert watch.calibration.distance == 0
    wrong = sum((judged(0.95, right=False) for _ in range(20)), judged(0.95, right=True))
    watch.judge(wrong)
    assert watch.calibration.distance > 4
    assert np.isfinite(watch.calibration.distance)


class Telling:
    """A model that calls every text negative but the word for fine, and shows evidence."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score_batch(self, texts: list[str], _: object) -> list[Score]:
        return [Score("zh", "positive" if t == "好" else "negative", -0.5, 0.9, 0.6, 0.3, 0.1) for t in texts]

    def explain_batch(self, texts: list[str], given: list[str]) -> list[SimpleNamespace]:
        assert given == ["zh"] * len(texts)
        self.asked += texts
        weights = (0.1, -2.0, 0.5, 1.0, 0.2)
        pieces = tuple(
            Evidence(i, i + 1, w, output) for output in ("polarity", "complaint") for i, w in enumerate(weights)
        )
        return [SimpleNamespace(evidence=pieces) for _ in texts]


async def test_the_strongest_evidence_is_shown_where_somebody_may_act_on_it(watch: Watch) -> None:
    told = Telling()
    events = [said("差"), said("好"), said("差劲", speaker="seat"), said("很差")]
    found = await Reading(told, watch)(events)  # type: ignore[arg-type]
    assert told.asked == ["差", "很差"]
    shown = [read.evidence for read in found if isinstance(read, Read)]
    assert [(e.output, e.weight) for e in shown[0]] == [
        (o, w) for o in ("polarity", "complaint") for w in (-2.0, 0.5, 1.0)
    ]
    assert shown[1] == shown[2] == ()
    assert shown[3] == shown[0]


async def test_where_hundreds_come_at_once_evidence_is_looked_for_in_some(watch: Watch) -> None:
    told = Telling()
    found = await Reading(told, watch)([said("差") for _ in range(300)])  # type: ignore[arg-type]
    assert len(told.asked) == SHOWN
    assert sum(bool(read.evidence) for read in found if isinstance(read, Read)) == SHOWN


async def test_a_call_is_shown_all_evidence_where_it_asks() -> None:
    answers = SentimentAnswers(None, Telling(), "model", lambda: AT)  # type: ignore[arg-type]
    request = sentiment_pb2.ScoreRequest(texts=["好", "差"])
    assert all(not s.evidence for s in (await answers.Score(request, None)).scores)
    request.with_evidence = True
    found = (await answers.Score(request, None)).scores
    assert [len(s.evidence) for s in found] == [10, 10]
    piece = found[0].evidence[1]
    assert (piece.start, piece.end, piece.weight, piece.output) == (1, 2, -2.0, "polarity")
