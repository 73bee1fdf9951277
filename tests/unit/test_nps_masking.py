"""Masking: whatever stands around them, the numbers, names and addresses that are put in don't come out."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nps.domain.masking import LONGEST, WORDS, Language, mask

MARKS = [mark for marks in WORDS.values() for mark in marks.values()]
AROUND = st.text(alphabet="好不吃的快递 ，。！ok very slow\n", max_size=20)
GAP = st.sampled_from(["", " ", "-", "  ", "—", "."])
LANGUAGES: st.SearchStrategy[Language] = st.sampled_from(["zh", "en"])
WIDE = {ord(str(i)): chr(0xFF10 + i) for i in range(10)}
HAN = dict(zip(map(ord, "0123456789"), "零一二三四五六七八九", strict=True))
FAMILY = st.sampled_from(["王", "李", "张", "欧阳", "司马", "陈", "赵"])
GIVEN = st.text(alphabet="伟芳娜敏静丽强磊军洋勇艳杰", min_size=1, max_size=2)


def digits(text: str) -> str:
    """The digits of the text in their plain form."""
    plain = text.translate({**{v: k for k, v in ((k, ord(v)) for k, v in HAN.items())}})
    return "".join(str(int(c)) if c.isdecimal() else c if c in "0123456789" else "" for c in plain)


@st.composite
def phones(draw: st.DrawFn) -> str:
    """A Chinese mobile number, written in one of the ways that people write it."""
    number = (
        "1"
        + draw(st.sampled_from("3456789"))
        + "".join(draw(st.lists(st.sampled_from("0123456789"), min_size=9, max_size=9)))
    )
    gap = draw(GAP)
    written = number[:3] + gap + number[3:7] + gap + number[7:]
    return written.translate(draw(st.sampled_from([{}, WIDE, HAN])))  # type: ignore[arg-type]


@settings(deadline=None)
@given(AROUND, phones(), AROUND, LANGUAGES)
def test_a_phone_number_never_comes_out(before: str, number: str, after: str, language: Language) -> None:
    found = mask(f"{before}{number}{after}", language)
    assert digits(found) == ""


@settings(deadline=None)
@given(AROUND, st.from_regex(r"(JD|SF|DD|YT|order-)?\d{8,20}", fullmatch=True), AROUND, LANGUAGES)
def test_an_order_number_never_comes_out(before: str, number: str, after: str, language: Language) -> None:
    assert digits(mask(f"{before}{number}{after}", language)) == ""


@settings(deadline=None)
@given(AROUND, FAMILY, GIVEN, st.sampled_from(["我叫{}", "收货人：{}", "联系人{}", "，{}先生", "。{}女士"]), LANGUAGES)
def test_a_name_that_says_it_is_one_never_comes_out(
    before: str, family: str, given_: str, around: str, language: Language
) -> None:
    name = family + given_
    assert name not in mask(f"{before}{around.format(name)}，很生气", language)


@settings(deadline=None)
@given(
    AROUND,
    st.sampled_from(["上海市浦东新区", "杭州市西湖区", "四川省成都市武侯区", ""]),
    st.sampled_from(["张江路", "文三路", "人民大道", "幸福小区"]),
    st.integers(1, 999),
    st.integers(1, 40),
    st.integers(101, 2999),
    LANGUAGES,
)
def test_an_address_never_comes_out(
    before: str, city: str, road: str, house: int, block: int, room: int, language: Language
) -> None:
    found = mask(f"{before}，{city}{road}{house}号{block}栋{room}室，送错了", language)
    assert str(room) not in found
    assert road not in found
    assert found.endswith("送错了")


@settings(deadline=None)
@given(st.text(max_size=200), LANGUAGES)
def test_any_text_can_be_masked_and_what_is_masked_stays(text: str, language: Language) -> None:
    once = mask(text, language)
    assert mask(once, language) == once
    assert not re.search(r"\d{5}", once)


@settings(deadline=None)
@given(st.text(alphabet="好吃不贵快慢服务态度差坏了漏水味道，。！ ", max_size=80), LANGUAGES)
def test_what_has_nothing_to_hide_stays_as_it_is(text: str, language: Language) -> None:
    assert mask(text, language) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我叫张伟，电话13812345678，住在上海市浦东新区张江路123弄4号502室", "我叫〔姓名〕，电话〔电话〕，〔地址〕"),
        ("王师傅态度很好，前台的朱经理也是", "〔姓名〕师傅态度很好，前台的〔姓名〕经理也是"),
        ("京A12345停在门口", "〔车牌〕停在门口"),
        ("加我微信号abc_12345，QQ123456", "加我微信号〔账号〕，QQ〔账号〕"),
        ("138,1234,5678 或 ①③⑧①②③④⑤⑥⑦⑧", "〔电话〕 或 〔电话〕"),
        ("1\ufe0f\u20e33\ufe0f\u20e38~1234|5678、138\n1234\n5678", "〔电话〕、〔电话〕"),
        ("我叫做王小明，我的名字是王小明，加我微信 wang-xm", "我叫〔姓名〕，我的名字是〔姓名〕，加我微信〔账号〕"),
        ("等到12:30，13:40才来，买了1、2、3号", "等到12:30，13:40才来，买了1、2、3号"),
        ("a.b@c.com http://x.y/z，谢谢", "〔邮箱〕 〔链接〕，谢谢"),
        ("买了5斤，便宜20块，2026年11月3日下的单，等了3小时", "买了5斤，便宜20块，2026年11月3日下的单，等了3小时"),
        ("快递放在3号楼2单元", "快递放在〔地址〕"),
        ("这位小姐总是很忙，我和先生去过", "这位小姐总是很忙，我和先生去过"),
    ],
)
def test_chinese_by_example(text: str, masked: str) -> None:
    assert mask(text, "zh") == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("My name is John Smith, call me on +44 7700 900123", "[name], call me on [phone]"),
        ("at 12 Baker Street, SW1A 1AA", "at [address], [address]"),
        ("Mr. O'Neil (order AB-1234-5678) waited 45 minutes", "[name] (order [number]) waited 45 minutes"),
        ("@shop_help my account is jane77x, (555) 123-4567", "[account] my account [account], [phone]"),
        ("flight 1234 was late by 3 hours for $250", "flight 1234 was late by 3 hours for $250"),
    ],
)
def test_english_by_example(text: str, masked: str) -> None:
    assert mask(text, "en") == masked


def test_long_texts_are_cut_and_marks_of_either_language_are_kept() -> None:
    assert len(mask("好" * 9000, "zh")) == LONGEST
    assert mask("".join(MARKS), "zh") == "".join(MARKS)


@pytest.mark.parametrize("piece", ["市", "市路", "1号", "省市区路", "一", "a-", "1-", "王先", "www.", "12 A ", "@"])
def test_no_text_takes_long(piece: str) -> None:
    # An expression that tries all ways of parting such a text would not come back before the tests' limit.
    assert len(mask(piece * LONGEST, "zh")) <= LONGEST * 4
