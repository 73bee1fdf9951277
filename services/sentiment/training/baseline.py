"""The baseline to beat: words that most people would put on a list, with negation before them."""

from typing import Final

from services.sentiment.domain.text import Language
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE

_GOOD: Final[dict[Language, str]] = {
    "zh": (
        "好 喜欢 满意 不错 棒 赞 快 方便 推荐 便宜 实惠 舒服 漂亮 值得 感谢 谢谢 开心 高兴 "
        "新鲜 好吃 美味 优秀 完美 精彩 清晰 干净 热情 给力 物美价廉 很值"
    ),
    "en": (
        "good great love thank thanks best awesome amazing excellent nice happy perfect helpful "
        "friendly fantastic appreciate wonderful glad enjoy kind quick fast easy"
    ),
}
_BAD: Final[dict[Language, str]] = {
    "zh": (
        "差 坏 烂 慢 贵 假 破 失望 垃圾 难吃 退货 退款 投诉 问题 后悔 骗 恶心 生气 愤怒 "
        "糟糕 脏 臭 麻烦 无语 死机 故障 少了 凉了 没法 不能"
    ),
    "en": (
        "bad worst hate terrible awful delay delayed cancelled lost late rude never broken problem "
        "issue fail wait waiting hold refund poor horrible disappointed ridiculous stuck"
    ),
}
_NOT: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("不", "没", "别", "不太", "不是"),
    "en": ("not ", "no ", "n't ", "never "),
}


def word_list(text: str, language: Language) -> tuple[int, int]:
    """The class of a normalised text, and its balance: good words less bad ones (negated ones turn)."""
    balance = 0
    for words, worth in ((_GOOD[language], 1), (_BAD[language], -1)):
        for word in words.split():
            start = text.find(word)
            while start >= 0:
                negated = text[:start].endswith(_NOT[language])
                balance += -worth if negated else worth
                start = text.find(word, start + len(word))
    return (POSITIVE if balance > 0 else NEGATIVE if balance < 0 else NEUTRAL), balance
