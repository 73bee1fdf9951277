"""Words that announce a complaint, in Chinese and English, each with its weight.

Four kinds, from the gravest: "threat" (authorities, press, court), "complaint" (says so, or wants to be compensated),
"remedy" (wants the money or to be rid of it), "failed" (it was tried, and it is still wrong; the people were bad).
A weight is what the word adds to the risk, 0 to 1. Kinds count once a message; a negated word does not count.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["threat", "complaint", "remedy", "failed"]

WEIGHTS: Final[dict[Kind, float]] = {"threat": 0.40, "complaint": 0.30, "remedy": 0.05, "failed": 0.15}
"""What one kind adds, however many of its words are said."""
CAP: Final = 0.50
"""The most that the words of one message add together."""

CHINESE: Final[dict[Kind, tuple[str, ...]]] = {
    "threat": (
        "12315", "12345", "消费者协会", "消协", "工商局", "市场监管", "监管部门", "曝光", "媒体", "记者",
        "律师", "起诉", "法院", "法律途径", "报警", "举报", "维权", "总部", "发到网上", "发微博", "黑猫",
    ),
    "complaint": ("投诉", "赔偿", "赔钱", "索赔", "补偿", "假一赔", "退一赔", "给个说法", "给我个说法", "讨个说法"),
    "remedy": ("退款", "退货", "退钱", "差评", "取消订单", "再也不", "拉黑"),
    "failed": (
        "没修好", "没有修好", "修不好", "又坏", "还是坏", "还是不", "还没解决", "没解决", "没有解决", "没人管", "没人处理",
        "态度差", "态度很差", "态度恶劣", "不负责", "推卸", "推诿", "踢皮球", "敷衍", "不耐烦", "白跑", "骗人", "欺骗", "太差劲",
    ),
}  # fmt: skip

ENGLISH: Final[dict[Kind, tuple[str, ...]]] = {
    "threat": (
        r"lawyers?", r"attorneys?", r"solicitors?", r"su(?:e|ing)", r"legal action", r"small claims", r"court",
        r"regulators?", r"ombudsman", r"trading standards", r"consumer (?:council|association|protection)",
        r"report(?:ing)? (?:you|this|it) to", r"report you", r"media", r"journalists?", r"newspapers?",
        r"go(?:ing)? public", r"post(?:ing)? (?:this|it) online", r"head ?quarters", r"better business bureau",
    ),
    "complaint": (r"complain(?:t|ts|ed|ing)?", r"compensat(?:e|ed|ion)", r"make (?:this|it) right", r"damages"),
    "remedy": (r"refund(?:s|ed)?", r"money back", r"cancel(?:l?ed|l?ing|lation)?", r"return (?:it|them)", r"never (?:buy|shop|order|again)"),
    "failed": (
        r"still (?:not|no|broken|waiting|doesn'?t|does not|isn'?t|leak\w*)", r"not (?:been )?(?:fixed|solved|resolved|repaired)",
        r"(?:broken|broke|failed) again", r"again and again", r"nobody (?:cares?|answers?|helps?|calls?)", r"no one (?:cares?|answers?|helps?|calls?)",
        r"rude", r"careless", r"incompetent", r"unacceptable", r"ignor(?:ed|ing) me", r"waste of (?:time|money)", r"lied", r"scam",
    ),
}  # fmt: skip

# A complaint that the customer says there is none of: "不投诉", "没有要投诉", "no complaints", "won't complain".
_NOT_ZH = r"(?<!不)(?<!不想)(?<!不会)(?<!不要)(?<!不用)(?<!没有)(?<!无需)(?<!不打算)(?<!没想)"
_NOT_EN = r"(?<!no )(?<!not )(?<!n't )(?<!n’t )(?<!never )(?<!nothing to )(?<!without )(?<!no need to )(?<!not going to )(?<!don't want to )(?<!don’t want to )"
_NEGATABLE: Final[frozenset[Kind]] = frozenset({"threat", "complaint", "remedy"})


def _pattern(kind: Kind) -> re.Pattern[str]:
    zh = "|".join(map(re.escape, CHINESE[kind]))
    en = "|".join(ENGLISH[kind])
    not_zh, not_en = (_NOT_ZH, _NOT_EN) if kind in _NEGATABLE else ("", "")
    return re.compile(rf"{not_zh}(?:{zh})|\b{not_en}(?:{en})\b")


_PATTERNS: Final[dict[Kind, re.Pattern[str]]] = {kind: _pattern(kind) for kind in WEIGHTS}
# Most messages announce nothing: a look for any word of the language, negated or not, spares the patterns above.
_ANY_ZH: Final = re.compile("|".join(re.escape(word) for words in CHINESE.values() for word in words))
_ANY_EN: Final = re.compile(rf"\b(?:{'|'.join(word for words in ENGLISH.values() for word in words)})\b")
_LETTER: Final = re.compile("[a-z]")


@dataclass(frozen=True, slots=True)
class Announced:
    """What a message announces: the kinds of words that were found, and what they add to the risk (0 to CAP)."""

    kinds: tuple[Kind, ...]
    weight: float


NOTHING: Final = Announced((), 0.0)


def announced(text: str) -> Announced:
    """The kinds of complaint words in a message. Width and case of letters make no difference (１２３１５ is 12315)."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    if not _ANY_ZH.search(plain) and not (_LETTER.search(plain) and _ANY_EN.search(plain)):
        return NOTHING
    kinds = tuple(kind for kind, pattern in _PATTERNS.items() if pattern.search(plain))
    return Announced(kinds, min(CAP, sum(WEIGHTS[kind] for kind in kinds)))
