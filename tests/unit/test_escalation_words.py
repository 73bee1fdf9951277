"""Words that announce a complaint, in both languages, and those that only look like it."""

import pytest

from services.escalation.domain.words import CAP, Kind, announced


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("我要投诉你们！", ("complaint",)),
        ("不给赔偿我就打１２３１５", ("threat", "complaint")),
        ("我会找媒体曝光，还要请律师", ("threat",)),
        ("要么换新机，要么退款", ("remedy",)),
        ("师傅态度很差，还是不制冷", ("failed",)),
        ("I want to file a COMPLAINT and I demand compensation.", ("complaint",)),
        ("My lawyer will hear of this; I'll report you to Trading Standards", ("threat",)),
        ("It is still not working and nobody answers", ("failed",)),
        ("Please cancel it, I want my money back", ("remedy",)),
    ],
)
def test_found(text: str, kinds: tuple[Kind, ...]) -> None:
    assert announced(text).kinds == kinds
    assert 0 < announced(text).weight <= CAP


@pytest.mark.parametrize(
    "text",
    [
        "你好，想买一台空调，哪一款合适？",
        "周六可能有变，到时候能改吗？",
        "师傅很专业，很满意，谢谢",
        "我不投诉，只想问一下",
        "No complaints, all good",
        "We met in the courtyard to pursue this issue",
        "",
    ],
)
def test_not_found(text: str) -> None:
    assert announced(text).kinds == ()
    assert announced(text).weight == 0


def test_a_message_is_bounded() -> None:
    assert announced("投诉 赔偿 12315 律师 退款 没修好 态度差 曝光").weight == CAP
