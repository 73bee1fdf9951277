"""Sentences of our own that negate: a good word turned bad, a bad one turned good, and the same words as they are.

Reviews negate what is good ("not tasty") far more often than what is bad ("not bad", "nothing to complain of"), so that a model which sees
only them takes a negation for blame. Frames and words are put together here; the word decides the split, so that what is measured is
on words whose negation was never trained on. The frames follow the kinds that CheckList (Ribeiro et al. 2020) tests.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final

from services.sentiment.domain.text import Language
from services.sentiment.training.labels import NEGATIVE, POSITIVE

_SEED: Final = 20_261_123
_EACH: Final = 12
"""Negated sentences of one word; as many say the word as it is, or it would itself seem turned."""
_WEIGHT: Final = 2.0
"""How many texts each stands for: there are few beside the reviews."""

# What may be said to be so, and the words that say it of them: bad | good.
_SAID: Final[dict[Language, Sequence[tuple[str, str, str]]]] = {
    "zh": (
        ("质量 服务 做工 效果 态度 售后 品质 手感 声音 信号 体验", "差 坏 糟糕 糟 赖", "好 出色 理想 到位 满意"),
        ("饭菜 味道 汤 面 这道菜 米饭 点心 水果", "难吃 腥 油腻 酸 苦 老 咸", "好吃 新鲜 可口 香 入味 地道"),
        ("咖啡 奶茶 果汁 饮料 豆浆", "难喝 涩 淡", "好喝 醇 香浓"),
        ("款式 颜色 外观 样子 图案 包装", "难看 丑 土气 俗气 旧", "好看 漂亮 时尚 精致 美观 大气"),
        ("物流 送货 发货 配送 回复 上菜 退款 处理速度", "慢 迟 晚 拖拉", "快 及时 准时 迅速 高效"),
        ("这个价格 价钱 运费 这家 收费 安装费", "贵 离谱 高", "便宜 划算 实惠 值 合理"),
        ("房间 店里 环境 车厢 厨房 卫生间", "脏 乱 吵 闷 挤 潮", "干净 安静 舒服 整洁 宽敞 舒适"),
        ("安装 操作 退货流程 预约 注册 使用", "麻烦 复杂 费劲 难 繁琐", "方便 简单 省事 好用 顺手 容易"),
        ("布料 床垫 鞋子 衣服 沙发 杯子", "硬 粗糙 薄 扎人 沉 劣质", "结实 柔软 耐用 合身 厚实 透气 实用"),
        ("手机 系统 页面 电脑 软件 网络 电视", "卡 烫 耗电 死板 迟钝", "流畅 清晰 稳定 灵敏 省电 智能"),
        ("师傅 客服 店员 快递员 前台 老板 司机", "粗鲁 冷漠 敷衍 凶 傲慢 啰嗦", "热情 耐心 专业 礼貌 负责 细心 友好 贴心"),
        ("我 家里人 孩子 老人 朋友 大家", "失望 后悔 生气 讨厌 反感", "喜欢 开心 放心 高兴 认可"),
    ),
    "en": (
        ("the service|the quality|the sound|the hotel|the product|the experience|the flight|your app", "bad|terrible|awful|poor|horrible|mediocre", "good|great|excellent|impressive|perfect|decent"),
        ("the soup|the meal|the cake|the coffee|the pasta|breakfast", "bland|cold|salty|greasy|stale", "tasty|fresh|delicious|yummy|hot"),
        ("delivery|the reply|the refund|the app|check-in|the repair", "slow|late|delayed|chaotic", "fast|quick|prompt|on time|smooth|efficient"),
        ("the price|this phone|the fee|the ticket|shipping", "expensive|overpriced|outrageous|high", "cheap|fair|affordable|reasonable|worth it"),
        ("the cabin|our room|the store|the seat|the lounge|the kitchen", "dirty|noisy|cramped|smelly|shabby", "clean|quiet|comfortable|spacious|tidy|cozy"),
        ("the setup|the return|booking|the menu|the form", "difficult|complicated|confusing|annoying|hard", "easy|simple|convenient|clear|straightforward"),
        ("the agent|the crew|the driver|the waiter|your staff|the technician", "rude|unhelpful|careless|arrogant|impatient|unfriendly", "helpful|friendly|polite|professional|kind|attentive"),
        ("the jacket|the sofa|the screen|the cable|the box|the mattress", "flimsy|scratched|uncomfortable|ugly|cheaply made", "sturdy|soft|pretty|durable|solid|useful"),
        ("I|we|my wife|my kids", "disappointed|unhappy|upset|annoyed|dissatisfied|angry", "happy|satisfied|pleased|impressed|thrilled|glad"),
    ),
}  # fmt: skip
_TURNS: Final[dict[Language, str]] = {
    "zh": "{S}不{W}|{S}并不{W}|{S}一点也不{W}|{S}一点都不{W}|{S}一点儿也不{W}|{S}完全不{W}|{S}不怎么{W}|{S}不算{W}|{S}没有想象的那么{W}|{S}没那么{W}|没觉得{S}{W}|不觉得{S}{W}|{S}从来不{W}|{S}根本不{W}|"
    "不{W}|一点都不{W}|并不{W}|没有说的那么{W}|{S}并没有很{W}|{S}不会{W}|其实{S}不{W}|说实话{S}不{W}|用下来{S}一点不{W}",
    "en": "{S} {be} not {W}|{S} {be}n't {W}|{S} {be} not {W} at all|{S} {be}n't {W} at all|{S} {be} not at all {W}|not {W} at all|{S} {be} never {W}|{S} {be} hardly {W}|I would not call it {W}|"
    "{S} {be} not that {W}|{S} {be}n't so {W}|{S} {be} by no means {W}|{S} {be} far from {W}|{S} {be} anything but {W}|definitely not {W}|honestly, {S} {be} not {W}|{S} {be} not {W} in the least|"
    "I can't say {S} {be} {W}|{S} {be} neither late nor {W}|not {W}",
}
"""Each turns a word's side."""
_BAD_ONLY: Final[dict[Language, str]] = {
    "zh": "{S}不太{W}|{S}不是很{W}|{S}没多{W}|{S}没什么{W}的|{S}不至于{W}|没有{W}的感觉|一次也没{W}过",
    "en": "{S} {be} not too {W}|{S} {be}n't too {W}|nothing {W} about it|there is nothing {W} here",
}
"""Of bad words alone: these turn them to the good."""
_GOOD_ONLY: Final[dict[Language, str]] = {
    "zh": "{S}不太{W}|{S}不是很{W}|{S}谈不上{W}|{S}说不上{W}|{S}算不上{W}|{S}不能算{W}|{S}称不上{W}|{S}不够{W}|{S}没多{W}|{S}没有以前{W}|{S}没有别家{W}|{S}哪里{W}了|{S}毫不{W}",
    "en": "{S} {be} not very {W}|{S} {be}n't very {W}|{S} {be} not really {W}|{S} {be} not exactly {W}|{S} {be} not {W} enough|nothing {W} about it|{S} {be} less than {W}|{S} {be} no longer {W}|{S} could not be called {W}",
}
"""Of good words alone: these turn them to the bad."""
_TWICE: Final[dict[Language, str]] = {
    "zh": "{S}不是不{W}|不能说{S}不{W}|没有一处不{W}|没有什么不{W}的|没有人不觉得{W}|{S}没有不{W}的地方",
    "en": "{S} {be} not un{W}|I can't say {S} {be}n't {W}|{S} {be} never not {W}|nobody could say {S} {be} not {W}",
}
"""A good word that is negated twice stays good."""
_PLAIN: Final[dict[Language, str]] = {
    "zh": "{S}很{W}|{S}真{W}|{S}太{W}了|{S}非常{W}|{S}特别{W}|{S}还是{W}|{S}确实{W}|{S}{W}|觉得{S}{W}|{S}又{W}|{W}|{S}有些{W}|{S}比较{W}|{S}实在{W}|说实话{S}{W}|{S}一直{W}",
    "en": "{S} {be} {W}|{S} {be} very {W}|{S} {be} so {W}|{S} {be} really {W}|honestly, {S} {be} {W}|{S} {be} quite {W}|I would call it {W}|{S} {be} {W} as always|{S} {be} {W} again|just {W}|I have to say {S} {be} {W}|{S} {be} too {W} for words",
}
_UN: Final = frozenset(["happy", "impressive", "comfortable", "reasonable", "clear", "helpful", "friendly", "kind"])
"""The English good words that "un" turns."""

# Things that are bad, or good, to have; and things that are done by, or to, what is bad, or good.
_THINGS: Final[dict[Language, tuple[str, str]]] = {
    "zh": (
        "毛病 缺点 瑕疵 质量问题 破损 差错 异味 划痕 色差 故障 噪音 怨言 遗憾 可抱怨的 不足 漏洞 麻烦 不适 污渍 破绽 可批评的 水分 套路 隐形消费",
        "优点 好处 效果 诚意 耐心 礼貌 用处 新意 香味 售后 保障 责任心 信用 质感 优惠 帮助 亮点 道理 诚信 人情味 解释 道歉 回应",
    ),
    "en": (
        "problems|issues|complaints|trouble|delays|faults|regrets|flaws|defects|hassle|errors|damage|surprises on the bill|hidden costs|downsides",
        "help|support|reply|explanation|apology|value|quality|respect|compensation|answers|information|assistance|warmth|flavour|solution",
    ),
}
_LACKS: Final[dict[Language, str]] = {
    "zh": "没有{W}|没有任何{W}|没什么{W}|一点{W}都没有|一点{W}也没有|几乎没有{W}|看不到任何{W}|完全没有{W}|至今没有{W}|收到以后没有{W}|毫无{W}|找不到{W}|没见有{W}",
    "en": "no {W}|no {W} at all|had no {W}|without any {W}|not any {W}|zero {W}|there were no {W}|absolutely no {W}|I have had no {W}|we didn't have any {W}|never any {W}|hardly any {W}",
}
_HAS: Final[dict[Language, str]] = {
    "zh": "有{W}|{W}很多|有不少{W}|{W}太明显了|全是{W}|有一点{W}|收到就有{W}|发现有{W}|还有{W}|确实有{W}",
    "en": "lots of {W}|so much {W}|plenty of {W}|full of {W}|there were {W}|we had {W}|more {W} than ever|again {W}",
}
_DONE: Final[dict[Language, tuple[str, str]]] = {
    "zh": (
        "失望 后悔 踩雷 出错 掉色 起球 卡顿 漏水 让人失望 出故障 上当 吃亏 掉链子 变形 出岔子 被坑 迟到",
        "推荐 回购 光顾 考虑 信任 购买 点第二次 支持 介绍给朋友 续费 夸",
    ),
    "en": (
        "disappoint|let us down|fail|break|complain|regret it|crash|leak|fall apart|waste our time|get lost",
        "help|work|recommend it|buy again|come back|trust them|like it|enjoy it|love this|fly with you again|use it again|care",
    ),
}
_NOT_DONE: Final[dict[Language, tuple[str, str]]] = {
    "zh": (
        "没{W}过|从没{W}过|从来没{W}|一次都没{W}|不会{W}|绝不会{W}|用了很久也没{W}|到现在没{W}过|这么久没有{W}过",
        "不{W}|不会{W}|不想{W}|不敢{W}|不打算{W}|绝不{W}|再也不{W}|没法{W}|实在没办法{W}|劝你别{W}|很难再{W}|谁也不会{W}",
    ),
    "en": (
        "it did not {W}|they never {W}|it didn't {W} once|you won't {W}|it has yet to {W}|this will not {W}|it does not {W}|I can't {W}",
        "it did not {W}|they don't {W}|would never {W}|won't {W}|could not {W}|I do not {W}|nobody would {W}|cannot {W}|didn't {W} at all|refuse to {W}",
    ),
}
_IS_DONE: Final[dict[Language, tuple[str, str]]] = {
    "zh": ("{W}了|又{W}了|居然{W}|总是{W}|用了几天就{W}|已经{W}两次了|很{W}", "会{W}|一定{W}|值得{W}|强烈{W}|肯定会{W}|愿意{W}|已经{W}了|很乐意{W}"),
    "en": ("it will {W}|they always {W}|it did {W}|they {W} every time|sure to {W}", "it did {W}|they {W}|I would {W}|I will {W}|gladly {W}|they really {W}"),
}  # fmt: skip
_ALIKE: Final[dict[Language, tuple[str, str]]] = {
    "zh": ("{S}不比{X}差|{S}不输{X}|{S}没有比{X}差|{S}不亚于{X}", "{S}比不上{X}|{S}不如{X}|{S}没有{X}好|{S}远不及{X}"),
    "en": ("{S} {be} no worse than {X}|{S} {be} second to none|{S} {be} not inferior to {X}|nobody beats {S}", "{S} {be} no better than {X}|{S} {be} not as good as {X}|{S} {be} nothing like {X}|{S} doesn't come close to {X}"),
}  # fmt: skip
_OTHERS: Final[dict[Language, str]] = {
    "zh": "别家 实体店 大牌 上次 以前 家里做的 正品 同价位的",
    "en": "the others|last time|the big brands|before|the old one|what you promise",
}
KEPT_APART: Final = frozenset(
    [
        "不好",
        "不难吃",
        "不好吃",
        "差",
        "好吃",
        "慢",
        "快",
        "失望",
        "喜欢",
        "强烈推荐",
        "not good",
        "not expensive at all",
    ]
)
"""Texts of the behaviour tests, which nothing learns from."""


def _parts(text: str, language: Language) -> list[str]:
    return text.split() if language == "zh" else text.split("|")


def sentences(language: Language) -> Iterator[tuple[str, int, str, float]]:
    """Every sentence with its class, the word that decides its split, and its weight."""
    dice = random.Random(_SEED)
    for text, label, word in dict.fromkeys([*_of_words(language, dice), *_of_things(language, dice)]):
        if text not in KEPT_APART:
            yield text, label, word, _WEIGHT


def _of_words(language: Language, dice: random.Random) -> Iterator[tuple[str, int, str]]:
    turns, twice, plain = (t[language].split("|") for t in (_TURNS, _TWICE, _PLAIN))
    for subjects, bad, good in _SAID[language]:
        said = _parts(subjects, language)
        for words, only, own in ((bad, _BAD_ONLY, NEGATIVE), (good, _GOOD_ONLY, POSITIVE)):
            turned = POSITIVE if own == NEGATIVE else NEGATIVE
            frames = turns + only[language].split("|")
            for word in _parts(words, language):
                for frame in dice.sample(frames, min(_EACH, len(frames))):
                    yield _filled(frame, dice.choice(said), word), turned, word
                for frame in dice.sample(plain, min(_EACH, len(plain))):
                    yield _filled(frame, dice.choice(said), word), own, word
                if own == POSITIVE:
                    for frame in dice.sample(twice, 2):
                        if "un{W}" not in frame or word in _UN:
                            yield _filled(frame, dice.choice(said), word), own, word
        for alike, label in zip(_ALIKE[language], (POSITIVE, NEGATIVE), strict=True):
            for frame in alike.split("|"):
                subject, other = dice.choice(said), dice.choice(_parts(_OTHERS[language], language))
                yield _filled(frame, subject, "").replace("{X}", other), label, frame


def _of_things(language: Language, dice: random.Random) -> Iterator[tuple[str, int, str]]:
    lacks, has = _LACKS[language].split("|"), _HAS[language].split("|")
    for things, own in zip(_THINGS[language], (NEGATIVE, POSITIVE), strict=True):
        turned = POSITIVE if own == NEGATIVE else NEGATIVE
        for word in _parts(things, language):
            for frame in dice.sample(lacks, 9):
                yield frame.replace("{W}", word), turned, word
            for frame in dice.sample(has, 8):
                yield frame.replace("{W}", word), own, word
    for done, nots, is_done, turned in zip(
        _DONE[language], _NOT_DONE[language], _IS_DONE[language], (POSITIVE, NEGATIVE), strict=True
    ):
        own = NEGATIVE if turned == POSITIVE else POSITIVE
        for word in _parts(done, language):
            for said, label in ((nots, turned), (is_done, own)):
                each = said.split("|")
                for frame in dice.sample(each, min(7, len(each))):
                    yield frame.replace("{W}", word), label, word


def _filled(frame: str, subject: str, word: str) -> str:
    be = "am" if subject == "I" else "are" if subject in ("we", "my kids", "your staff") else "is"
    text = frame.replace("{S}", subject).replace("{be}", be).replace("{W}", word)
    return text.replace("amn't", "am not").strip()
