"""The measuring of other packages' models: what their numbers count as, and which texts they get."""

from pathlib import Path

import pytest

from services.sentiment.domain.text import normalise
from services.sentiment.training import peers
from services.sentiment.training.data import VALIDATE, split_of
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE


def polarity(text: str) -> float:
    return float(text)


def test_zero_is_neutral_where_there_is_a_neutral_and_else_negative() -> None:
    three = peers.measure(polarity, ["1", "-2", "0", "0"], [POSITIVE, NEGATIVE, NEUTRAL, POSITIVE])
    assert three["accuracy"] == 0.75
    two = peers.measure(polarity, ["1", "-2", "0", "0"], [POSITIVE, NEGATIVE, NEGATIVE, POSITIVE])
    assert two["accuracy"] == 0.75
    assert two["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2, abs=1e-4)


def test_peers_get_the_raw_validation_texts_once(tmp_path: Path) -> None:
    texts = [f"第{i}次買，很滿意！" for i in range(200)]
    rows = [f"1,{t}" for t in texts] + [f"0,{t}" for t in texts]
    (tmp_path / "sentiment").mkdir()
    (tmp_path / "sentiment/waimai_zh.csv").write_text("label,review\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found, classes = peers.held_back(tmp_path, "waimai_zh", "review", "label", {"0": NEGATIVE, "1": POSITIVE}, 1000)
    assert found == [t for t in texts if split_of(normalise(t), "waimai_zh") == VALIDATE]
    assert 0 < len(found) < 100
    assert set(classes) == {POSITIVE}
    few, _ = peers.held_back(tmp_path, "waimai_zh", "review", "label", {"0": NEGATIVE, "1": POSITIVE}, 5)
    assert len(few) == 5
    assert few[0] == found[0]
    assert set(few) < set(found)


def test_what_was_measured_is_in_the_table() -> None:
    found = peers.load()
    assert len(peers.table(found)) == 2 + sum(len(about["figures"]) for about in found.values())
    assert peers.load(Path("nowhere.json")) == {}
    assert {p.language for p in peers.PEERS} == {"zh", "en"}
