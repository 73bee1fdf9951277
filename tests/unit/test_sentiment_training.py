"""What the training rests on: splits that never meet, figures that are right, errors that say what is missing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.training import data, phrases
from services.sentiment.training.baseline import word_list
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE


def a_data_folder(folder: Path) -> Path:
    files = {
        "sentiment/online_shopping_zh.csv": "cat,label,review\n水果,1,很甜\n水果,0,很酸！\n水果,1,很酸!\n",
        "sentiment/waimai_zh.csv": "label,review\n1,好吃\n0,很 甜\n1,很甜\n",
        "emotion/weibo_covid_zh.csv": "content,label\n开心,happy\n生气,angry\n啊,surprise\n今天,neural\n",
        "questions/atec_zh.csv": "a,b,same\n花呗怎么改号码,x,0\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_equal_texts_are_kept_once_and_classes_are_mapped(tmp_path: Path) -> None:
    examples = data.read(a_data_folder(tmp_path), "zh")
    real = {e.text: e.label for e in examples if e.source != "shop_chat_zh"}
    assert real == {
        "很甜": POSITIVE,
        "很酸!": NEGATIVE,
        "好吃": POSITIVE,
        "很 甜": NEGATIVE,
        "开心": POSITIVE,
        "生气": NEGATIVE,
        "今天": NEUTRAL,
        "怎么改号码": NEUTRAL,
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
    assert {s for splits in by_pattern.values() for s in splits} == {"train", "calibrate", "validate"}


def test_missing_data_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match="--data: there is no folder"):
        data.read(tmp_path / "nowhere", "zh")
    with pytest.raises(data.DataError, match=r"airline_en\.csv"):
        data.read(tmp_path, "en")
    folder = a_data_folder(tmp_path)
    (folder / "sentiment/waimai_zh.csv").write_text("label,text\n1,x\n")
    with pytest.raises(data.DataError, match="column review is missing"):
        data.read(folder, "zh")


@given(st.text())
def test_every_text_has_a_split(text: str) -> None:
    assert data.split_of(text) in {"train", "calibrate", "validate"}


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
    p = np.array([[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.6, 0.2, 0.2]])
    assert figures.threshold(p, np.array([0, 1, 0]), 1.0) == 0.51
    assert figures.threshold(p, np.array([0, 0, 0]), 1.0) == 0.34


def test_a_head_learns_keeps_eight_bits_and_is_calibrated() -> None:
    pytest.importorskip("sklearn")
    from services.sentiment.training.fit import HeadSpec, calibrate, fit_head, probability

    spec = HeadSpec(bits=12, longest=2, strength=10.0)
    texts = [f"{word}{i}" for i in range(40) for word in ("很好", "太差")]
    truth = np.array([t.startswith("很好") for t in texts])
    head = fit_head(texts[:60], truth[:60], np.ones(60), spec)
    head = calibrate(head, texts[60:], truth[60:], spec.longest)
    assert head.weights.dtype == np.int8
    p = probability(head, ["很好", "太差"], spec.longest)
    assert p[0] > 0.9
    assert p[1] < 0.1


def test_the_script_refuses_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    from services.sentiment.training.__main__ import main

    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["training", "--data", str(tmp_path / "none"), "--out", str(out)])
    assert main() == 1
    assert "--data: there is no folder" in capsys.readouterr().err
    assert not out.exists()
