"""Linear heads, the network and the cascade of the two; evidence that adds up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sentiment.domain import cascade
from services.sentiment.domain.cascade import OUTPUTS, Answers, Kinds, LanguageModel, Mix
from services.sentiment.domain.encode import encode
from services.sentiment.domain.linear import Heads, contributions, grams, log_odds
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
OF_KINDS = replace(
    MODEL,
    polar=heads(4),
    words=2,
    kinds=Kinds(heads(4, 6), np.array([1.0, 0.5, 2.0]), np.array([0.1, -0.2, 0.3])),
)


@pytest.mark.parametrize("columns", [1, 3, 4, 8])
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


@pytest.mark.parametrize("columns", [1, 4, 8])
def test_long_texts_do_not_run_over(columns: int) -> None:
    most = Heads(np.full((16, columns), 127, np.int8), np.ones(columns), np.zeros(columns))
    least = replace(most, weights=np.full((16, columns), -127, np.int8))
    sizes = [0, 1, 253, 254, 255, 256, 257, 600, 4096, 3]
    encoded = encode(["ab" * (n // 2) + "c" * (n % 2) for n in sizes])
    for table, sign in ((most, 1), (least, -1)):
        (odds,) = log_odds((table,), encoded, 4)
        for n, row in zip(sizes, odds, strict=True):
            count = sum(max(n + 2 - k, 0) for k in range(4))
            assert row == pytest.approx(np.full(columns, sign * 127 * count**0.5))


def test_words_count_as_well_as_characters() -> None:
    table = heads(8)
    encoded = encode(["not good, at all", "good", "", "not  GOOD", "7 days", "9 days"])
    (letters,) = log_odds((table,), encoded, 1)
    found = list(grams(encoded, 1, 2))
    assert [g.counts.tolist() for g in found[1:]] == [[5, 1, 0, 2, 2, 2], [4, 0, 0, 1, 1, 1]]
    (both,) = log_odds((table,), encoded, 1, 2)
    assert not np.allclose(both[0], letters[0])
    pairs = found[2]
    assert pairs.hashes[pairs.starts[0]] == pairs.hashes[pairs.starts[3]]
    assert pairs.hashes[pairs.starts[4]] == pairs.hashes[pairs.starts[5]], "digits count alike"


@pytest.mark.parametrize("words", [0, 2])
@given(texts=TEXTS)
@settings(max_examples=40, deadline=None)
def test_contributions_add_up_to_the_log_odds(words: int, texts: list[str]) -> None:
    table = heads(8)
    encoded = encode(texts)
    each = contributions(table, encoded, 4, words)
    (odds,) = log_odds((table,), encoded, 4, words)
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
@settings(max_examples=30, deadline=None)
def test_a_text_is_read_as_the_kinds_that_it_is_likely_of(texts: list[str]) -> None:
    encoded = encode(texts)
    kinds = OF_KINDS.kinds
    assert kinds is not None
    polar, odds = log_odds((OF_KINDS.polar, kinds.heads), encoded, 3, 2)
    found = cascade.linear(OF_KINDS, encoded)[:, 0]
    answers = cascade.answer(replace(OF_KINDS, network=None), encoded)
    each = cascade.parts(OF_KINDS, encoded, answers)[:, 0]
    ends = np.cumsum(encoded.sizes)
    for i in range(len(texts)):
        e = np.exp([0.0, *odds[i, :2]])
        share = e / e.sum()
        assert found[i] == pytest.approx((share * (kinds.slope * polar[i, :3] + kinds.bias)).sum())
        rest = (share * (kinds.slope * OF_KINDS.polar.bias[:3] + kinds.bias)).sum()
        shown = each[ends[i] - encoded.sizes[i] : ends[i]].sum() / OF_KINDS.alone.linear[0]
        assert shown == pytest.approx(found[i] - rest)


def test_kinds_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one per kind"):
        Kinds(heads(2), np.ones(4), np.ones(4))


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
        SentimentModel({"zh": OF_KINDS, "en": OF_KINDS}),
    ):
        explained = model.explain_batch([text])[0]
        for output, odds in explained.log_odds.items():
            mine = [e for e in explained.evidence if e.output == output]
            assert explained.rest[output] + sum(e.weight for e in mine) == pytest.approx(odds)
            assert all(0 <= e.start < e.end <= len(text) for e in mine)
        if not explained.asked and model.of("zh").kinds is None:
            for output in explained.rest:
                column = OUTPUTS.index(output)
                bias = MODEL.polar.bias[0] if column == 0 else MODEL.side.bias[column - 1]
                expected = MODEL.alone.linear[column] * bias + MODEL.alone.bias[column]
                if any(e.output == output for e in explained.evidence):
                    assert explained.rest[output] == pytest.approx(expected)
