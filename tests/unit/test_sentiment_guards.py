"""Training's guards: a worse model is refused and the figure named; corrections become labelled texts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.score import EMOTIONS, LABELS
from services.sentiment.training import feedback, gate, refuse
from services.sentiment.training.behaviour import Rate

SHIPPED = {
    "online_shopping_zh": {
        "texts": 4000.0,
        "accuracy": 0.945,
        "ece": 0.008,
        "surest_80": 0.986,
        "called_neutral": 0.01,
    },
    "weibo_covid_zh": {"texts": 1500.0, "emotion_accuracy": 0.76, "emotion_f1": 0.61},
    "complaints_en": {"texts": 500.0, "complaint_f1": 0.84},
}


def changed(source: str, figure: str, value: float) -> dict[str, dict[str, float]]:
    return {s: {**f, figure: value} if s == source else dict(f) for s, f in SHIPPED.items()}


def test_the_same_model_is_not_worse() -> None:
    assert refuse.worse(SHIPPED, SHIPPED) == []


@pytest.mark.parametrize(
    ("source", "figure", "little", "much"),
    [
        ("online_shopping_zh", "accuracy", 0.942, 0.930),
        ("online_shopping_zh", "surest_80", 0.983, 0.970),
        ("online_shopping_zh", "ece", 0.012, 0.030),
        ("weibo_covid_zh", "emotion_accuracy", 0.752, 0.740),
        ("weibo_covid_zh", "emotion_f1", 0.595, 0.560),
        ("complaints_en", "complaint_f1", 0.81, 0.78),
    ],
)
def test_a_figure_beyond_chance_is_named(source: str, figure: str, little: float, much: float) -> None:
    assert refuse.worse(SHIPPED, changed(source, figure, little)) == []
    found = refuse.worse(SHIPPED, changed(source, figure, much))
    assert [(w.source, w.figure) for w in found] == [(source, figure)]
    assert f"{source} {figure}" in refuse.report(found)
    assert "--accept-worse" in refuse.report(found)


def test_what_is_no_quality_may_change_and_what_is_gone_is_told() -> None:
    assert refuse.worse(SHIPPED, changed("online_shopping_zh", "called_neutral", 0.4)) == []
    without = {s: f for s, f in SHIPPED.items() if s != "complaints_en"}
    assert ["no longer measured" in str(w) for w in refuse.worse(SHIPPED, without)] == [True]


def test_small_steps_down_do_not_add_up() -> None:
    kept: dict[str, dict[str, float]] = {s: dict(f) for s, f in SHIPPED.items()}
    accuracy, refused = 0.945, False
    for _ in range(10):
        accuracy -= 0.003
        new = changed("online_shopping_zh", "accuracy", accuracy)
        refused = refused or bool(refuse.worse(kept, new))
        kept = refuse.best(kept, new)
    assert refused
    assert kept["online_shopping_zh"]["accuracy"] == 0.945
    assert kept["online_shopping_zh"]["ece"] == 0.008


def test_other_texts_allow_more() -> None:
    new = changed("online_shopping_zh", "accuracy", 0.938)
    assert refuse.worse(SHIPPED, new)
    new["online_shopping_zh"]["texts"] = 3000.0
    assert refuse.worse(SHIPPED, new) == []
    assert refuse.best(SHIPPED, new)["online_shopping_zh"]["accuracy"] == 0.938


@given(st.floats(0.5, 1), st.floats(0.5, 1), st.integers(10, 100_000))
def test_a_better_figure_is_never_refused(first: float, second: float, texts: int) -> None:
    low, high = sorted((first, second))
    before, found = ({"s": {"texts": float(texts), "accuracy": x}} for x in (low, high))
    assert refuse.worse(before, found) == []
    assert refuse.best(before, found)["s"]["accuracy"] == high
    assert refuse.best(found, before)["s"]["accuracy"] == high


def test_lost_behaviour_is_named() -> None:
    before, cases = {"negation.zh": 0.75, "names.en": 1.0}, {"negation.zh": 24, "names.en": 17}
    assert refuse.worse_behaviour(before, {"negation.zh": 0.6667, "names.en": 1.0}, cases) == []
    assert [w.figure for w in refuse.worse_behaviour(before, {"negation.zh": 0.625, "names.en": 0.5}, cases)] == [
        "negation.zh",
        "names.en",
    ]


def rate(passed: int) -> Rate:
    return Rate("negation", "zh", ("minimum",), passed, 24, ())


def test_the_gate_opens_for_the_first_and_the_better_and_shuts_for_the_worse(tmp_path: Path) -> None:
    assert gate.worse(tmp_path, SHIPPED, [rate(18)]) == []
    gate.keep(tmp_path, SHIPPED, [rate(18)], anew=False)
    low = changed("online_shopping_zh", "accuracy", 0.9)
    assert [w.figure for w in gate.worse(tmp_path, low, [rate(12)])] == ["accuracy", "negation.zh"]
    gate.keep(tmp_path, changed("online_shopping_zh", "accuracy", 0.95), [rate(19)], anew=False)
    assert [w.before for w in gate.worse(tmp_path, low, [rate(19)])] == [0.95]
    gate.keep(tmp_path, low, [rate(12)], anew=True)
    assert gate.worse(tmp_path, low, [rate(12)]) == []


def test_a_model_without_best_figures_is_compared_with_its_own(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"format": 1, "figures": SHIPPED}), encoding="utf-8")
    assert gate.worse(tmp_path, changed("online_shopping_zh", "accuracy", 0.9), [rate(12)])
    (tmp_path / gate.FILE).write_text("{", encoding="utf-8")
    with pytest.raises(gate.GateError, match=r"best\.json"):
        gate.worse(tmp_path, SHIPPED, [])
    gate.keep(tmp_path, SHIPPED, [], anew=True)
    assert gate.worse(tmp_path, SHIPPED, []) == []


def written(tmp_path: Path, *lines: object) -> Path:
    file = tmp_path / "feedback.jsonl"
    file.write_text(
        "\n".join(x if isinstance(x, str) else json.dumps(x, ensure_ascii=False) for x in lines) + "\n",
        encoding="utf-8",
    )
    return file


SAID = {"label": "positive", "probability": {"negative": 0.1, "neutral": 0.1, "positive": 0.8}}


def test_corrections_become_examples_and_the_last_word_counts(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {"number": 1, "text": "真行啊，又送錯", "lang": "zh", "label": "positive", "said": SAID, "model": "m"},
        {
            "number": 2,
            "text": "真行啊，又送错",
            "lang": "zh",
            "label": "negative",
            "emotion": "angry",
            "complaint": True,
        },
        "",
        {"text": "fine\u2028", "lang": "en", "label": "unsure"},
        {"text": "well", "lang": "en", "label": "unspecified"},
        {"text": "thanks a lot", "lang": "en", "label": "negative", "emotion": "unsure", "said": SAID},
    )
    found = feedback.read(file)
    (zh,) = feedback.examples(found, "zh")
    assert (zh.text, zh.source, zh.weight) == ("真行啊,又送错", "feedback_zh", feedback.WEIGHT)
    assert (LABELS[zh.label or 0], EMOTIONS[zh.emotion or 0], zh.complaint) == ("negative", "angry", True)
    (en,) = feedback.examples(found, "en")
    assert (en.label, en.emotion, en.complaint) == (LABELS.index("negative"), None, None)
    held = feedback.calibration(found)
    assert sum(held.number) == 2
    assert sum(held.right) == 1
    assert held.error == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("not json", "line 2"),
        ([1], "no object"),
        ({"lang": "zh", "label": "positive"}, "text"),
        ({"text": " ", "lang": "zh"}, "text"),
        ({"text": "a", "lang": "fr"}, "lang"),
        ({"text": "a", "lang": "en", "label": "great"}, "label"),
        ({"text": "a", "lang": "en", "emotion": "joy"}, "emotion"),
        ({"text": "a", "lang": "en", "complaint": "yes"}, "complaint"),
        ({"text": "a", "lang": "en", "said": {"probability": {"positive": 1}}}, "said"),
        ({"text": "a", "lang": "en", "said": {"probability": {"negative": 2, "neutral": 0, "positive": 0}}}, "said"),
    ],
)
def test_a_line_that_is_no_correction_is_told(tmp_path: Path, line: object, says: str) -> None:
    file = written(tmp_path, {"text": "a", "lang": "en", "label": "neutral"}, line)
    with pytest.raises(feedback.FeedbackError, match=rf"line 2.*{says}|{says}"):
        feedback.read(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(feedback.FeedbackError, match="nowhere"):
        feedback.read(tmp_path / "nowhere.jsonl")
