"""What the training rests on: splits that never meet, figures that are right, errors that say what is missing."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment import model as shipped
from services.sentiment.domain.encode import encode
from services.sentiment.domain.linear import log_odds
from services.sentiment.domain.score import EMOTIONS
from services.sentiment.domain.text import Language, normalise
from services.sentiment.training import asking, blends, data, former, negation, phrases
from services.sentiment.training.baseline import word_list
from services.sentiment.training.behaviour_cases import all_cases
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE
from services.sentiment.training.trained import trained_before


def a_data_folder(folder: Path) -> Path:
    files = {
        "sentiment/online_shopping_zh.csv": "cat,label,review\n水果,1,很甜\n水果,0,很酸！\n水果,1,很酸!\n",
        "sentiment/waimai_zh.csv": "label,review\n1,好吃\n0,很 甜\n1,很甜\n",
        "emotion/weibo_covid_zh.csv": "content,label\n开心,happy\n生气,angry\n啊,surprise\n今天,neural\n",
        "complaints/citizen_votes_zh.csv": "留言主题,留言详情\n路灯不亮,路灯坏了很久\n",
        "questions/atec_zh.csv": "a,b,same\n花呗怎么改号码,x,0\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_equal_texts_are_kept_once_and_classes_are_mapped(tmp_path: Path) -> None:
    examples = data.read(a_data_folder(tmp_path), "zh")
    real = {
        e.text: (e.label, e.emotion, e.complaint)
        for e in examples
        if not e.source.startswith(("shop_chat", "asking", "apart", "negation"))
    }
    happy, angry, surprise, neutral = (EMOTIONS.index(e) for e in ("happy", "angry", "surprise", "neutral"))
    assert real == {
        "很甜": (POSITIVE, None, False),
        "很酸!": (NEGATIVE, None, None),
        "好吃": (POSITIVE, None, False),
        "很 甜": (NEGATIVE, None, None),
        "开心": (POSITIVE, happy, False),
        "生气": (NEGATIVE, angry, False),
        "啊": (None, surprise, False),
        "今天": (NEUTRAL, neutral, False),
        "路灯不亮": (None, None, True),
        "路灯坏了很久": (None, None, True),
        "怎么改号码": (NEUTRAL, neutral, False),
    }
    assert len({e.text for e in examples}) == len(examples)


def test_a_pattern_of_shop_chat_is_in_one_split(tmp_path: Path) -> None:
    split = {e.text: e.split for e in data.read(a_data_folder(tmp_path), "zh")}
    by_pattern: dict[str, set[str]] = {}
    for text, _, pattern, _ in phrases.sentences("zh"):
        plain = data.normalise(text)
        by_pattern.setdefault(pattern, set()).add(split[plain])
    alone = [p for p, splits in by_pattern.items() if len(splits) == 1]
    assert len(alone) == len(by_pattern)
    assert {s for splits in by_pattern.values() for s in splits} == {"train", "tune", "validate"}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_questions_of_one_form_come_in_peace_and_in_anger(language: Language) -> None:
    made = list(asking.sentences(language))
    assert made == list(asking.sentences(language))
    labels = [label for _, label, _, _ in made]
    assert labels.count(NEUTRAL) > 200 and labels.count(NEGATIVE) > 80
    assert all(main in text for text, _, main, _ in made)
    peaceful, angry = ({main for _, label, main, _ in made if label == side} for side in (NEUTRAL, NEGATIVE))
    assert not peaceful & angry


def test_blends_are_made_of_training_texts_of_one_set_alone() -> None:
    texts = [f"word{i} alpha, beta{i} gamma" for i in range(40)]
    splits = [data.TRAIN if i % 2 else data.VALIDATE for i in range(40)]
    examples = [data.Example(t, "airline_en", s) for t, s in zip(texts, splits, strict=True)]
    examples.append(data.Example("review review review review", "shop_chat_en", data.TRAIN))
    made = blends.blended(examples, "en")
    assert made and made == blends.blended(examples, "en")
    allowed = {w for e in examples[:-1] if e.split == data.TRAIN for w in e.text.split()}
    assert {w for t in made for w in t.split()} <= allowed
    assert not set(made) & set(texts)


@given(st.text(alphabet="abcdefgh @:/", max_size=40))
def test_a_typing_error_swaps_two_letters_of_one_word(text: str) -> None:
    from services.sentiment.training.noise import mistyped

    found = mistyped(text)
    assert found == mistyped(text)
    changed = [i for i, (a, b) in enumerate(zip(text, found, strict=True)) if a != b]
    assert len(changed) in {0, 2}
    if changed:
        first, second = changed
        assert second == first + 1
        assert found[first] + found[second] == text[second] + text[first]
    assert mistyped("ok, it is") == "ok, it is"


def test_mistyped_texts_come_from_training_texts_alone(tmp_path: Path) -> None:
    folder = tmp_path
    rows = "\n".join(f"flight number {i} was delayed,negative,United" for i in range(60))
    for name, text in {
        "sentiment/airline_en.csv": f"text,airline_sentiment,airline\n{rows}\n",
        "complaints/tweets_en.csv": "text,complaint,domain\nbroken again,1,apple\n",
        "questions/banking77_en.csv": "text,category\nwhere is my card,card\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    examples = data.read(folder, "en")
    mistyped = [e for e in examples if e.source == "mistyped_en"]
    assert any("flight" in e.text or "number" in e.text for e in mistyped)
    assert {e.split for e in mistyped} == {"train"}
    assert len({e.text for e in examples}) == len(examples)


def test_missing_data_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match="--data: there is no folder"):
        data.read(tmp_path / "nowhere", "zh")
    with pytest.raises(data.DataError, match=r"tweets_en\.csv"):
        data.read(tmp_path, "en")
    folder = a_data_folder(tmp_path)
    (folder / "sentiment/waimai_zh.csv").write_text("label,text\n1,x\n")
    with pytest.raises(data.DataError, match="column review is missing"):
        data.read(folder, "zh")


@given(st.text(), st.sampled_from(["online_shopping_zh", "airline_en"]))
def test_every_text_has_a_split(text: str, source: str) -> None:
    assert data.split_of(text, source) in {"train", "tune", "validate"}


def test_the_word_list_knows_negation() -> None:
    assert word_list("很满意", "zh")[0] == POSITIVE
    assert word_list("不满意", "zh")[0] == NEGATIVE
    assert word_list("请问几点送货", "zh")[0] == NEUTRAL
    assert word_list("not good", "en")[0] == NEGATIVE


def test_figures() -> None:
    figures = pytest.importorskip("services.sentiment.training.figures")
    truth, guess = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
    assert figures.macro_f1(truth, guess, (0, 1, 2)) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    sure = np.array([0.95, 0.95, 0.55, 1.0])
    right = np.array([True, False, True, True])
    assert figures.ece(sure, right) == pytest.approx((abs(2.9 - 2) + abs(0.55 - 1)) / 4)
    sure = np.array([0.9, 0.5, 0.6])
    assert figures.threshold(sure, np.array([True, False, True]), 1.0) == 0.51
    assert figures.threshold(sure, np.array([True, True, True]), 1.0) == 0.34
    curve = figures.risk_coverage(sure, np.array([True, False, True]), (1.0, 2 / 3))
    assert curve == [(1.0, pytest.approx(1 / 3)), (2 / 3, 0.0)]


def test_a_head_learns_in_eight_bits() -> None:
    pytest.importorskip("sklearn")
    from services.sentiment.training import fit

    texts = [f"{word}{i}" for i in range(40) for word in ("很好", "太差")]
    truth = np.array([t.startswith("很好") for t in texts])
    learnt = fit.fit(fit.table(texts, 2, 12), truth, np.ones(len(texts)), fit.HeadSpec(10.0))
    heads = fit.heads([learnt, learnt], 8)
    assert heads.weights.dtype == np.int8
    assert heads.weights.shape == (4096, 8)
    (odds,) = log_odds((heads,), encode(["很好", "太差"]), 2)
    assert odds[0, 1] > 1
    assert odds[1, 1] < -1
    assert not odds[:, 2:].any()


def test_the_mix_finds_slope_and_bias_and_trusts_who_knows() -> None:
    pytest.importorskip("scipy")
    from services.sentiment.domain.cascade import OUTPUTS
    from services.sentiment.training import mixing

    rng = np.random.default_rng(3)
    linear, network = rng.normal(size=(4000, len(OUTPUTS))) * 3, rng.normal(size=(4000, len(OUTPUTS))) * 3
    target = np.zeros_like(linear)
    chance = 1 / (1 + np.exp(-(0.5 * linear[:, 0] - 1)))
    target[:, 0] = rng.random(4000) < chance
    weight = np.zeros_like(linear)
    weight[:, 0] = 1
    both = mixing.fit(linear, network, target, weight, 0.0)
    assert both.linear[0] == pytest.approx(0.5, abs=0.06)
    assert both.network[0] == pytest.approx(0.0, abs=0.06)
    assert both.bias[0] == pytest.approx(-1.0, abs=0.15)
    assert mixing.fit(linear, None, target, weight, 0.0).network[0] == 0


def test_words_are_what_stands_together() -> None:
    from services.sentiment.training import words

    texts = (
        [f"外卖{'好坏快慢'[i % 4]}的很 i like 2 of it" for i in range(60)]
        + ["外地 卖花"] * 9
        + ["今天天气不错的样子"] * 200
    )
    found = words.words(texts, "zh")
    assert {"外卖", "好", "like", "0"} <= set(found)
    assert "卖好" not in found
    assert words.words(["ab cd", "ab"], "en", ["\u2581ab"])[:2] == ["ab", "cd"]


def test_the_student_serves_what_it_learnt() -> None:
    jax = pytest.importorskip("jax")
    from services.sentiment.domain.units import MAX_UNITS, Vocabulary
    from services.sentiment.training import student

    vocabulary = Vocabulary(["好", "坏", "不"])
    texts = ["好", "坏", "不好", "不坏", "好好", "坏坏"] * 12
    good = np.array([[1.0], [0.0], [0.0], [1.0], [1.0], [0.0]] * 12, dtype=np.float32)
    spec = student.StudentSpec(channels=8, hidden=8, epochs=60, batch=16, rate=1e-2, word_dropout=0.0, dropout=0.0)
    rng = np.random.default_rng(1)
    begun = student.start(rng.normal(0, 0.3, (len(vocabulary), 6)).astype(np.float32), 1, spec)
    data_ = student.lessons(vocabulary, texts, good, np.ones_like(good))
    params = student.train(begun, data_, spec)
    served = student.network(vocabulary, params)(encode(texts[:6]))
    assert ((served[:, 0] > 0) == (good[:6, 0] > 0.5)).all()
    padded = student.padded(data_, np.arange(6), MAX_UNITS)
    assert served == pytest.approx(
        np.asarray(jax.jit(student.forward, static_argnums=2)(params, padded, spec)[0]), abs=1e-4
    )


def test_the_script_refuses_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("jax")
    from services.sentiment.training.__main__ import main

    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["training", "--data", str(tmp_path / "none"), "--out", str(out)])
    assert main() == 1
    assert "--data: there is no folder" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_word_is_negated_to_its_other_side_in_one_split(language: Language) -> None:
    made = list(negation.sentences(language))
    sides = {word: {label for text, label, of, _ in made if of == word} for *_, word, _ in made}
    assert all(sides.values())
    both = sum(len(s) == 2 for s in sides.values())
    assert both > len(sides) / 2  # a word as it is, and negated
    known = {text: label for text, label, _, _ in made}
    assert len(known) == len({(text, label) for text, label, _, _ in made}), "a sentence has two classes"
    bad, good, negators = {
        "zh": ("瑕疵", "诚意", re.compile("没|无|不到")),
        "en": ("defects", "explanation", re.compile(r"\b(?:no|not|without|zero|never|hardly)\b|n't")),
    }[language]
    for word, own, other in ((bad, NEGATIVE, POSITIVE), (good, POSITIVE, NEGATIVE)):
        of = [(text, label) for text, label, said, _ in made if said == word]
        assert len(of) >= 10
        assert [label for _, label in of] == [other if negators.search(text) else own for text, _ in of]


def test_negation_learns_from_no_behaviour_test(tmp_path: Path) -> None:
    for language in ("zh", "en"):
        told = {normalise(t) for c in all_cases() for t in c.texts}
        learnt = {normalise(text) for text, *_ in negation.sentences(language)}
        assert not told & learnt


def test_a_model_is_read_back_as_it_was_kept() -> None:
    again = shipped.kept()
    served = shipped.load()
    texts = encode(["味道真不错", "the box was empty", "等了两个小时"])
    for language, one in again.items():
        kept, loaded = (m.network for m in (one.model, served.of(language)))
        assert kept is not None and loaded is not None
        np.testing.assert_array_equal(kept(texts), loaded(texts))
    for one in former.read(shipped.FOLDER).values():
        assert len(one.params["embedding"]) == len(one.network.vocabulary)


def test_training_goes_on_from_what_was_measured_and_not_from_what_has_seen_all(tmp_path: Path) -> None:
    for name in ("model.json", "weights.npz"):
        shutil.copyfile(shipped.FOLDER / name, tmp_path / name)
    of_all = shipped.kept(tmp_path)
    assert {k: one.learnt_all for k, one in former.read(tmp_path).items()} == {k: k in of_all for k in ("zh", "en")}
    layers = {name: 2 * part for name, part in (of_all["zh"].layers or {}).items()}
    former.keep(tmp_path, {"zh": replace(of_all["zh"], layers=layers, learnt_all=False)})
    former.keep(tmp_path, {})
    again = former.read(tmp_path)
    assert {k: one.learnt_all for k, one in again.items()} == {"zh": False, "en": True}
    np.testing.assert_allclose(again["zh"].params["window"], layers["window"], rtol=1e-3)
    (tmp_path / former.FILE).write_bytes(b"no archive")
    with pytest.raises(shipped.ModelError, match=former.FILE):
        former.read(tmp_path)


def test_where_no_model_is_there_is_no_former_network(tmp_path: Path) -> None:
    assert former.read(tmp_path) == {}


def test_what_the_card_tells_is_of_the_shipped_model() -> None:
    about = json.loads((shipped.FOLDER / "model.json").read_text(encoding="utf-8"))
    told = trained_before(shipped.FOLDER, ["zh", "en"])
    assert {k: v for one in told.values() for k, v in one.measured.items()} == about["figures"]
    assert all(one.errors and one.curves and one.parts for one in told.values())
