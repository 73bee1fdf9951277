"""The model as shipped: what it says of shop chat, and that its numbers are sound."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sentiment.domain import cascade
from services.sentiment.domain.cascade import OUTPUTS, Kinds, LanguageModel, Mix
from services.sentiment.domain.encode import encode
from services.sentiment.domain.linear import Heads
from services.sentiment.domain.model import EMOTIONS
from services.sentiment.domain.network import Network
from services.sentiment.domain.units import Vocabulary
from services.sentiment.model import FOLDER, Kept, ModelError, load, name, save

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
    ("neutral", "请问什么时候送货"),
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


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=8))
def test_a_batch_scores_like_each_alone(texts: list[str]) -> None:
    for score, text in zip(MODEL.score_batch(texts), texts, strict=True):
        alone = MODEL.score(text)
        assert (score.label, score.language) == (alone.label, alone.language)
        assert score.polarity == pytest.approx(alone.polarity, abs=1e-5)


def test_a_given_language_is_used() -> None:
    assert MODEL.score("ok", "zh").language == "zh"
    assert MODEL.score("好", "en").language == "en"
    with pytest.raises(ValueError, match="language: no model for 'fr'"):
        MODEL.score("bon", "fr")  # type: ignore[arg-type]


def test_weights_are_small_enough_to_keep() -> None:
    assert sum(f.stat().st_size for f in FOLDER.iterdir() if f.is_file()) <= 12_000_000


def tiny() -> Kept:
    rng = np.random.default_rng(2)
    bits = rng.integers(-9, 9, (16, 8)).astype(np.int8)
    ones, none = np.ones(len(OUTPUTS)), np.zeros(len(OUTPUTS))
    words = ("好", "吃")
    layers = {
        "window": rng.normal(size=(3, 4, 5)),
        "bias": rng.normal(size=5),
        "hidden": rng.normal(size=(10, 3)),
        "hidden_bias": rng.normal(size=3),
        "output": rng.normal(size=(3, len(OUTPUTS))),
        "output_bias": rng.normal(size=len(OUTPUTS)),
    }
    halved = {k: v.astype(np.float16).astype(np.float32) for k, v in layers.items()}
    embedding = rng.integers(-127, 127, (len(words) + 3, 4)).astype(np.int8)
    steps = np.full(len(embedding), 0.01, np.float32)
    places = tuple(embedding.astype(np.float32) * 0.01 @ place for place in halved["window"])
    rest = {k: v for k, v in halved.items() if k != "window"}
    model = LanguageModel(
        longest=2,
        polar=Heads(bits[:, :1].copy(), np.full(1, 0.5), np.zeros(1)),
        side=Heads(bits, np.full(8, 0.25), np.arange(8.0)),
        alone=Mix(ones, none, none),
        network=Network(Vocabulary(words), places, **rest),
        both=Mix(ones, ones / 2, none),
        doubt=0.1,
        unsure=0.6,
        emotion_unsure=0.3,
    )
    return Kept(model, words, embedding, steps, halved)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    kept = tiny()
    save(tmp_path, {"zh": kept, "en": kept}, {})
    found, expected = load(tmp_path).of("zh"), kept.model
    encoded = encode(["好吃", "吃", "不好 really", ""])
    assert cascade.answer(found, encoded).log_odds == pytest.approx(
        cascade.answer(expected, encoded).log_odds, rel=1e-5
    )
    assert (found.unsure, found.emotion_unsure, found.doubt) == (0.6, 0.3, 0.1)
    assert name(tmp_path).startswith("cascade-")


def test_the_kinds_of_text_are_kept(tmp_path: Path) -> None:
    kept = tiny()
    rng = np.random.default_rng(4)
    told = Heads(rng.integers(-9, 9, (16, 4)).astype(np.int8), np.full(4, 0.25), np.zeros(4))
    polar = Heads(rng.integers(-9, 9, (16, 4)).astype(np.int8), np.full(4, 0.25), np.zeros(4))
    kinds = Kinds(told, np.arange(1.0, 4.0), np.arange(3.0))
    of_kinds = replace(kept, model=replace(kept.model, polar=polar, words=2, kinds=kinds))
    save(tmp_path, {"zh": of_kinds, "en": kept}, {})
    found = load(tmp_path)
    encoded = encode(["好吃", "吃 not good", ""])
    assert cascade.linear(found.of("zh"), encoded) == pytest.approx(cascade.linear(of_kinds.model, encoded))
    assert found.of("en").kinds is None


def test_a_broken_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.json"):
        load(tmp_path)
    kept = tiny()
    save(tmp_path, {"zh": kept}, {})
    with pytest.raises(ModelError, match="en"):
        load(tmp_path)
    save(tmp_path, {"zh": kept, "en": replace(kept, words=("好",))}, {})
    with pytest.raises(ModelError, match="en_embedding: has not one row per word"):
        load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ModelError, match="format 99"):
        load(tmp_path)
    (tmp_path / "model.json").write_text("[]")
    with pytest.raises(ModelError, match="format None"):
        load(tmp_path)


def test_every_output_is_given() -> None:
    score = MODEL.score("你们什么破服务，快递员态度太恶劣了，气死我了！")
    assert score.label == "negative"
    assert len(score.emotion.probability) == len(EMOTIONS)
    assert sum(score.emotion.probability) == pytest.approx(1)
    assert 0 <= score.emotion.strength <= 1
    assert score.complaint > 0.5
    assert MODEL.score("谢谢，很满意").complaint < 0.5


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_the_shipped_model_explains_itself_exactly(text: str) -> None:
    explained = MODEL.explain_batch([text])[0]
    score = MODEL.score(text)
    assert explained.score.polarity == pytest.approx(score.polarity, abs=1e-6)
    for output in ("polarity", "complaint"):
        mine = [e for e in explained.evidence if e.output == output]
        assert sum(e.weight for e in mine) + explained.rest[output] == pytest.approx(explained.log_odds[output])
    assert all(0 <= e.start < e.end <= len(text) for e in explained.evidence)
