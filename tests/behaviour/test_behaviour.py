"""What the shipped model keeps of the behaviour tests: no capability's pass rate falls below its floor.

A floor is what a shipped model has reached (`python -m services.sentiment.training.behaviour --floors`); it is
raised with a better model, and lowered only by somebody who says why in the commit.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.sentiment import model
from services.sentiment.domain.score import Emotion, Score
from services.sentiment.domain.text import normalise
from services.sentiment.training import apart, asking, behaviour, emoji, phrases
from services.sentiment.training.behaviour_cases import all_cases

FLOORS = tomllib.loads(Path(__file__).with_name("floors.toml").read_text(encoding="utf-8"))
CASES = all_cases()
KEYS = list(dict.fromkeys(f"{c.capability}.{c.language}" for c in CASES))


@pytest.fixture(scope="module")
def rates() -> dict[str, behaviour.Rate]:
    return {rate.key: rate for rate in behaviour.run(model.load().score_batch, CASES)}


@pytest.mark.parametrize("key", KEYS)
def test_the_shipped_model_keeps_its_floor(rates: dict[str, behaviour.Rate], key: str) -> None:
    rate = rates[key]
    assert rate.share >= FLOORS[key], f"{rate.passed} of {rate.total} passed; for example {rate.failures}"


def test_each_capability_has_a_floor_and_each_floor_its_capability() -> None:
    assert list(FLOORS) == KEYS


def scorer(
    negative: float, neutral: float, positive: float, emotion: int = 5, complaint: float = 0.0
) -> behaviour.Scorer:
    feeling = Emotion("unsure", tuple(float(i == emotion) for i in range(6)), 0.0)

    def score(texts: Sequence[str]) -> list[Score]:
        one = Score("zh", "unsure", positive - negative, 0.0, negative, neutral, positive, feeling, complaint)
        return [one] * len(texts)

    return score


def test_a_model_that_says_the_same_of_everything_fails_what_it_must() -> None:
    blind = {r.key: r.share for r in behaviour.run(scorer(0.0, 0.2, 0.8), CASES)}
    assert blind["vocabulary.zh"] == blind["vocabulary.en"] == 0.5
    assert blind["neutral.zh"] == blind["sarcasm.en"] == blind["fault without anger.zh"] == 0
    assert blind["names.en"] == blind["traditional.zh"] == 1
    angry = {r.key: r.share for r in behaviour.run(scorer(0.8, 0.2, 0.0, emotion=1, complaint=0.9), CASES)}
    assert angry["fault without anger.zh"] == angry["anger without fault.zh"] == 0
    assert angry["vocabulary.en"] == 0.5


def test_a_broken_probability_is_seen() -> None:
    broken = {r.key: r.share for r in behaviour.run(scorer(0.5, 0.5, 0.5), CASES)}
    assert broken["very short.zh"] == broken["very short.en"] == 0


def test_the_table_has_a_row_for_each_capability() -> None:
    rates = behaviour.run(scorer(0.0, 0.2, 0.8), CASES)
    assert len(behaviour.table(rates)) == 2 + len(KEYS)
    assert set(behaviour.as_figures(rates)) == set(KEYS)


def test_what_is_tested_was_not_trained_on() -> None:
    trained = {
        normalise(text)
        for source in (phrases.sentences, emoji.sentences, apart.sentences, asking.sentences)
        for language in ("zh", "en")
        for text, *_ in source(language)
    }
    told = {normalise(t) for c in CASES if c.kind == "minimum" and c.capability != "emoji" for t in c.texts}
    assert {t for t in told & trained if len(t) > 2} == set()


@pytest.mark.parametrize(
    "question",
    [
        "请问几点送货",
        "请问今天几点能送到",
        "这个冰箱能换成白色的吗",
        "发票可以寄到公司吗",
        "门店周日开门吗",
        "what time will my order be delivered?",
        "can I pick it up on Sunday?",
        "does the price include installation?",
        "which of the two is larger?",
        "can you send the invoice to my office?",
    ],
)
def test_who_merely_asks_is_not_called_negative(question: str) -> None:
    score = model.load().score(question)
    assert score.label != "negative"
    assert score.negative < max(score.neutral, score.positive)
