"""`touchline sentiment score`: one answer a line, in order, bad lines in their place."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli.sentiment import sentiment
from services.sentiment.model import targets


def asked(text: str | bytes) -> tuple[Result, list[dict[str, Any]]]:
    done = CliRunner().invoke(sentiment, ["score"], input=text)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def test_answers_in_order() -> None:
    done, out = asked('{"id":"a","text":"谢谢，很满意"}\n{"id":7,"text":"worst service ever","lang":"en"}\n')
    assert done.exit_code == 0
    assert [o["id"] for o in out] == ["a", 7]
    assert [o["lang"] for o in out] == ["zh", "en"]
    assert [o["label"] for o in out] == ["positive", "negative"]
    for o in out:
        assert abs(sum(o["probability"].values()) - 1) < 1e-5
        assert abs(o["polarity"] - o["probability"]["positive"] + o["probability"]["negative"]) < 1e-5


def test_bad_lines_are_answered_in_their_place() -> None:
    bad = ['{"id":"a","text":"好吃"}', "not json", '{"id":"c"}', '{"id":"d","text":""}', "[1]"]
    bad += ['{"text":"x"}', '{"id":"g","text":5}', '{"id":"h","text":"x","lang":"fr"}', "[" * 100_000]
    bad += ['{"id":"j","text":"x","lang":["zh"]}', '{"id":"\\ud800","text":"\\ud800 好"}']
    done, out = asked("\n".join(bad))
    assert done.exit_code == 1
    assert len(out) == len(bad)
    assert out[0]["id"] == "a"
    assert out[-1]["id"] == "\ud800"
    errors = {o["line"]: o["error"] for o in out if "error" in o}
    assert errors == {
        2: "not JSON",
        3: "text: missing",
        4: "text: empty",
        5: "not a JSON object",
        6: "id: missing",
        7: "text: not a string",
        8: "lang: neither zh nor en",
        9: "not JSON",
        10: "lang: neither zh nor en",
    }


def test_an_id_is_a_string_a_finite_number_a_truth_or_nothing() -> None:
    good = ['"a"', "7", "1.5", "true", "null"]
    wrong = ["[" * 900 + "]" * 900, "{}", "NaN", "1e999", "-Infinity"]
    done, out = asked("\n".join(f'{{"text":"谢谢","id":{one}}}' for one in good + wrong))
    assert done.exit_code == 1
    assert [o["id"] for o in out[:5]] == ["a", 7, 1.5, True, None]
    why = "id: neither a string, a finite number, true, false nor null"
    assert out[5:] == [{"line": n, "error": why} for n in range(6, 11)]


def test_bytes_that_are_no_utf8_are_a_bad_line() -> None:
    done, out = asked(b'{"id":"a","text":"\xff\xfe"}\n{"id":"b","text":"ok"}\n')
    assert done.exit_code == 1
    assert out[0] == {"line": 1, "error": "not JSON"}
    assert out[1]["id"] == "b"


def test_evidence_names_a_place_once_for_each_output_and_a_targets_adds_up_to_its_odds() -> None:
    _, (told,) = asked('{"id":"1","text":"味道好，送得太慢"}\n')
    places = [(e["start"], e["end"], e["for"]) for e in told["evidence"]]
    assert len(places) == len(set(places))
    assert (0, 2, "target:goods.taste") in places
    bias = targets.load().bias("zh")
    for target in told["targets"]:
        weight = sum(e["weight"] for e in told["evidence"] if e["for"] == f"target:{target['stage']}")
        assert abs(1 / (1 + math.exp(-bias - weight)) - target["probability"]) < 1e-5


def test_the_readmes_example_is_sure_and_its_answer_is_the_real_one() -> None:
    page = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    [question] = re.findall(r"^echo '(.*?)' \| touchline sentiment score", page, re.MULTILINE)
    [told] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if '"evidence"' in block]
    _, (real,) = asked(question + "\n")
    assert real["label"] != "unsure" and real["emotion"]["label"] != "unsure"
    names = ("id", "lang", "label")
    assert [told[n] for n in names] == [real[n] for n in names]
    assert list(told) == list(real)
    assert [(e["start"], e["end"], e["for"]) for e in told["evidence"]] == [
        (e["start"], e["end"], e["for"]) for e in real["evidence"]
    ]
    assert told["log_odds"] == pytest.approx(real["log_odds"], abs=1e-3)
    assert told["probability"] == pytest.approx(real["probability"], abs=1e-3)


def test_nothing_in_nothing_out() -> None:
    done, out = asked("")
    assert (done.exit_code, out) == (0, [])
