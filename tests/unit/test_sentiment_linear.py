"""Linear heads, the network and the cascade of the two; evidence that adds up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sentiment.domain import cascade
from services.sentiment.domain.cascade import OUTPUTS, Answers, LanguageModel, Mix
from services.sentiment.domain.encode import encode
from services.sentiment.domain.linear import Heads, contributions, log_odds
from services.sentiment.domain.model import SentimentModel
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import ngram_hashes
from services.sentiment.domain.units import Vocabulary, unit_numbers

RNG = np.random.default_rng(5)
TEXTS = st.lists(st.text(alphabet=st.sampled_from("不是好外卖手机壳 aéb1,?!😀ＡＢ\u200b繁體"), max_size=14), max_size=7)


def heads(columns: int, bits: int = 10) -> Heads:
    weights = RNG.integers(-127, 128, (1 << bits, columns)).astype(np.int8)
    return Heads(weights, RNG.uniform(0.01, 0.1, columns), RNG.normal(size=columns))


def a_network(channels: int = 6) -> Network:
    words = Vocabulary(["不是", "不好", "好", "外卖", "手机壳", "手机", "a", "b", "0", ",", "?", "!"])

    def random(*shape: int) -> np.ndarray:
        return RNG.normal(size=shape).astype(np.float32)

    places = tuple(np.vstack([np.zeros((1, channels), np.float32), random(len(words) - 1, channels)]) for _ in range(3))
    return Network(
        words,
        places,
        random(channels),
        random(2 * channels, 4),
        random(4),
        random(4, len(OUTPUTS)),
        random(len(OUTPUTS)),
    )


def a_mix() -> Mix:
    return Mix(*(RNG.uniform(0.3, 1.0, len(OUTPUTS)) for _ in range(3)))


MODEL = LanguageModel(3, heads(1), heads(8), a_mix(), a_network(), a_mix(), 0.5, 0.5, 0.5)


@pytest.mark.parametrize("columns", [1, 3, 8])
@given(texts=TEXTS)
@settings(max_examples=40, deadline=None)
def test_log_odds_are_the_formula(columns: int, texts: list[str]) -> None:
    table = heads(columns)
    encoded = encode(texts)
    (odds,) = log_odds((table,), encoded, 3)
    hashes, owners = ngram_hashes(encoded, 3, table.bits)
    for i in range(len(texts)):
        mine = hashes[owners == i]
        z = table.bias + table.scale * table.weights[mine].astype(int).sum(axis=0) / np.sqrt(len(mine))
        assert odds[i] == pytest.approx(z)


@given(texts=TEXTS)
@settings(max_examples=40, deadline=None)
def test_contributions_add_up_to_the_log_odds(texts: list[str]) -> None:
    table = heads(8)
    encoded = encode(texts)
    each = contributions(table, encoded, 4)
    (odds,) = log_odds((table,), encoded, 4)
    ends = np.cumsum(encoded.sizes)
    for i, (start, end) in enumerate(zip(ends - encoded.sizes, ends, strict=True)):
        assert table.bias + each[start:end].sum(axis=0) == pytest.approx(odds[i])


@given(texts=TEXTS)
@settings(max_examples=40, deadline=None)
def test_the_network_is_the_convolution_that_it_stands_for(texts: list[str]) -> None:
    network = a_network()
    found = network(encode(texts))
    for i, text in enumerate(texts):
        numbers, _ = unit_numbers(network.vocabulary, encode([text]))
        padded = [0, *numbers.tolist(), 0]
        windows = [
            sum(network.places[k][padded[at + k]] for k in range(3)) + network.bias for at in range(len(numbers))
        ]
        channels = np.maximum(np.array(windows), 0)
        pooled = np.concatenate([channels.max(axis=0), channels.mean(axis=0)])
        inner = np.maximum(pooled @ network.hidden + network.hidden_bias, 0)
        assert found[i] == pytest.approx(inner @ network.output + network.output_bias, rel=1e-4, abs=1e-4)


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="network"):
        replace(a_network(), bias=np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="heads"):
        Heads(np.zeros((10, 1), np.int8), np.ones(1), np.zeros(1))
    with pytest.raises(ValueError, match="mix"):
        Mix(np.ones(2), np.ones(2), np.ones(2))


@given(texts=TEXTS)
@settings(max_examples=40, deadline=None)
def test_only_the_doubtful_are_asked_about_again(texts: list[str]) -> None:
    encoded = encode(texts)
    alone = cascade.answer(replace(MODEL, network=None), encoded)
    assert not alone.asked.any()
    whole = cascade.answer(replace(MODEL, doubt=-1.0), encoded)
    assert whole.asked.all()
    mixed = cascade.answer(MODEL, encoded)
    assert mixed.asked.tolist() == (cascade.doubt(alone) > MODEL.doubt).tolist()
    for i in range(len(texts)):
        assert mixed.log_odds[i] == pytest.approx((whole if mixed.asked[i] else alone).log_odds[i], rel=1e-4, abs=1e-4)


def test_probabilities_of_log_odds() -> None:
    odds = np.zeros((2, len(OUTPUTS)))
    odds[0, :2] = 2.0, -3.0
    answers = Answers(odds, np.zeros(2, dtype=bool))
    e = np.exp([-1.0, -3.0, 1.0])
    assert answers.label()[0] == pytest.approx(e / e.sum())
    assert answers.label()[0, 2] / answers.label()[0, 0] == pytest.approx(np.exp(2.0))
    assert answers.emotion().sum(axis=1) == pytest.approx([1, 1])
    assert answers.strength()[1] == 0


@given(text=st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_evidence_and_rest_add_up_within_the_original(text: str) -> None:
    for model in (
        SentimentModel({"zh": MODEL, "en": MODEL}),
        SentimentModel({k: replace(MODEL, doubt=2.0) for k in ("zh", "en")}),
    ):
        explained = model.explain_batch([text])[0]
        for output, odds in explained.log_odds.items():
            mine = [e for e in explained.evidence if e.output == output]
            assert explained.rest[output] + sum(e.weight for e in mine) == pytest.approx(odds)
            assert all(0 <= e.start < e.end <= len(text) for e in mine)
        if not explained.asked:
            for output in explained.rest:
                column = OUTPUTS.index(output)
                bias = MODEL.polar.bias[0] if column == 0 else MODEL.side.bias[column - 1]
                expected = MODEL.alone.linear[column] * bias + MODEL.alone.bias[column]
                if any(e.output == output for e in explained.evidence):
                    assert explained.rest[output] == pytest.approx(expected)
