"""Emoji in families, and the bracket codes of Chinese chat that mean the same.

A family shares one symbol, so that a rare emoji (🤬) speaks with what was learnt from a common one (😡), and a code such
as [怒], which Chinese apps send in an emoji's place, with both. Families keep apart what people use apart: 🙂 is seldom a smile.
"""

from typing import Final

_FAMILIES: Final = """
😊 😀😃😄😁😆☺😇😋😉😜😝😛😌🙃😎🤗
😂 🤣😹
❤ ♥💕💖💗💓💞💘💝💙💚💛🧡💜🖤🤎🤍❣💌🩷🩵
😍 🥰😘😻😗😙😚🤩
👍 👏🙌💯🎉🥳🏆👌🤙🌹💐
👎 💩
😡 😠🤬👿😤💢🖕😾👺😈
😢 😿😥😪☹🙁😞😔😟💔😣😖🥲
😫 😩😓
😱 😨😰🙀😧😦
😮 😯😲🤯😳
🙄 😒😑😐🤨😕
🤮 🤢
"""

_CODES: Final = """
😭 泪 大哭 流泪
😢 悲伤 伤心 难过 失望
❤ 心 爱心 给你小心心
😍 爱你 亲亲 好爱哦 好喜欢 色
🙂 微笑
😡 怒 怒骂 发怒 生气
👍 good 赞 赞啊 中国赞 顶 给力 威武 强 鼓掌 鲜花 ok 玫瑰
👎 弱
🙏 作揖 合十
💪 加油 拳头
😊 嘻嘻 哈哈 太开心 可爱 笑哈哈 偷笑 haha 愉快 呲牙 抱抱 酷
😂 允悲 笑cry 破涕为笑 捂脸
🤮 吐 恶心
🙄 白眼 鄙视
🤔 思考
🤷 摊手
😮 吃惊 惊讶
😱 害怕 惊恐
🥺 委屈 可怜
🐶 doge
😫 汗 抓狂
😷 生病 感冒
🕯 蜡烛
"""


def _pairs(lines: str) -> list[tuple[str, str]]:
    return [(line[0], line[2:]) for line in lines.strip().splitlines()]


EMOJI: Final[dict[str, str]] = {emoji: symbol for symbol, family in _pairs(_FAMILIES) for emoji in family}
"""Emoji to its family's symbol; no symbol is a key."""

CODES: Final[dict[str, str]] = {f"[{code}]": symbol for symbol, codes in _pairs(_CODES) for code in codes.split()}
"""Bracket code, simplified and in lower case, to the symbol."""
