"""The model as shipped: what it says of shop chat, and that its numbers are sound."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sentiment.domain.model import Head, LinearModel, SentimentModel
from services.sentiment.model import FOLDER, ModelError, load, save

MODEL = load()

SAID = [
    ("negative", "空调修了两次还是坏的，师傅态度很差"),
    ("negative", "等了三个小时没人来"),
    ("negative", "怎么还没发货，都一个星期了"),
    ("negative", "你们这是欺骗消费者"),
    ("negative", "安装师傅迟到两个小时，还乱收费"),
    ("negative", "The repairman was rude and the air conditioner is still broken"),
    ("negative", "I have been waiting for two hours, this is unacceptable"),
    ("negative", "worst service ever"),
    ("positive", "谢谢，很满意"),
    ("positive", "师傅很专业，安装得又快又好"),
    ("positive", "物流很快，东西很好"),
    ("positive", "Thank you, very helpful!"),
    ("positive", "great service, love it"),
    ("neutral", "请问几点送货"),
    ("neutral", "订单号是12345"),
    ("neutral", "一匹和一匹半有什么区别"),
    ("neutral", "可以改到下午三点吗"),
    ("neutral", "What time will it be delivered?"),
    ("neutral", "My order number is 12345"),
]


@pytest.mark.parametrize(("label", "text"), SAID)
def test_shop_chat(label: str, text: str) -> None:
    assert MODEL.score(text).label == label


@given(st.text(max_size=80))
def test_probabilities_add_up_and_agree_with_label_and_polarity(text: str) -> None:
    score = MODEL.score(text)
    row = {"negative": score.negative, "neutral": score.neutral, "positive": score.positive}
    assert sum(row.values()) == pytest.approx(1)
    assert score.confidence == max(row.values())
    assert score.polarity == pytest.approx(score.positive - score.negative)
    assert score.label == "unsure" or row[score.label] == score.confidence


@settings(max_examples=30)
@given(st.lists(st.text(max_size=40), max_size=8))
def test_a_batch_scores_like_each_alone(texts: list[str]) -> None:
    for score, text in zip(MODEL.score_batch(texts), texts, strict=True):
        alone = MODEL.score(text)
        assert (score.label, score.language) == (alone.label, alone.language)
        assert score.polarity == pytest.approx(alone.polarity, abs=1e-9)


def test_a_given_language_is_used() -> None:
    assert MODEL.score("ok", "zh").language == "zh"
    assert MODEL.score("好", "en").language == "en"
    with pytest.raises(ValueError, match="language: no model for 'fr'"):
        MODEL.score("bon", "fr")  # type: ignore[arg-type]


def test_weights_are_small_enough_to_keep() -> None:
    assert sum(f.stat().st_size for f in FOLDER.iterdir() if f.is_file()) <= 4_000_000


def test_one_message_is_scored_fast_enough() -> None:
    text = "空调修了两次还是坏的，师傅态度很差，打了好几次电话都没有人接，等了一个下午，请问什么时候能来修"
    taken = []
    for _ in range(200):
        begun = time.perf_counter()
        MODEL.score(text)
        taken.append(time.perf_counter() - begun)
    assert np.quantile(taken, 0.1) < 500e-6


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    table = np.zeros(16, np.int8)
    table[3] = -5
    tiny = LinearModel(Head(table, 0.5, 0.25, 2.0), Head(table, 1.0, -1.0, 1.0), 2, 0.6)
    save(tmp_path, {"zh": tiny, "en": tiny}, {})
    assert load(tmp_path).score("好吃") == SentimentModel({"zh": tiny}).score("好吃")


def test_a_broken_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.json"):
        load(tmp_path)
    tiny = LinearModel(Head(np.zeros(4, np.int8), 1, 0, 1), Head(np.zeros(4, np.int8), 1, 0, 1), 2, 0.6)
    save(tmp_path, {"zh": tiny}, {})
    with pytest.raises(ModelError, match="en"):
        load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ModelError, match="format 99"):
        load(tmp_path)
