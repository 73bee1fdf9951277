"""Sentences of our own for what the sets don't hold apart: anger without a fault, a fault without anger, and negation that praises.

Reviews are angry about faults, and posts that are angry name none of a shop's: a model that sees only those takes one for the other.
"""

from collections.abc import Iterator
from typing import Final, Literal

from services.sentiment.domain.score import EmotionLabel
from services.sentiment.domain.text import Language
from services.sentiment.training.labels import NEGATIVE, POSITIVE

Kind = Literal["anger", "fault", "praise", "blame"]

_SAYS: Final[dict[Kind, tuple[int, EmotionLabel | None, bool]]] = {
    "anger": (NEGATIVE, "angry", False),
    "fault": (NEGATIVE, "neutral", True),
    "praise": (POSITIVE, "happy", False),
    "blame": (NEGATIVE, None, True),
}
"""Class, emotion, whether it complains of a fault."""

_TEXTS: Final[dict[Language, dict[Kind, str]]] = {
    "zh": {
        "anger": "你们这帮蠢货|给我滚远点|真是一肚子火|气得我发抖|你脑子进水了吧|不要脸的东西|你算什么东西|我快被气炸了|别跟我废话|老子不干了|你们这些骗子畜生|烦死了别吵|滚蛋吧你|王八蛋|白痴|火冒三丈|太气人了|简直欺人太甚|恨死你们了|真想揍人|你给我等着|少来这套|神经病|狗东西|气得睡不着|我现在非常愤怒",
        "fault": "订单里缺一盒牛奶|收到的尺码跟下单的不同|冰箱不制冷|快递箱子被压扁了|屏幕右下角不亮|耳机左边没声音|还没有收到退款|预约的安装没有人来|菜里有一根头发|饮料漏了一半|送来的是另一款|说明书没有放在盒子里|遥控器没反应|收货地址送错了|牛奶已经过了保质期|页面打不开|付款成功但订单显示未支付|空调有异响|衣服袖口有个洞|少送了一双筷子|灯泡装上不亮|账号登录不上|优惠券没有抵扣|水龙头在滴水|发票金额开错了|包裹显示已签收但我没拿到",
        "praise": "一点毛病都没有|没得挑|无可挑剔|找不出缺点|从没让我失望|不得不说很好|没有比这更好的了|不输大牌|一点也不失望|味道不赖|绝对不亏|不虚此行|没让人后悔|质量没话说|服务没的说|并不贵，值得|一次都没出过问题|不止好看还好用|不慢，挺准时|没有异味，很满意|毫无瑕疵|没白买|不会让你失望的|价格不高质量不低",
        "blame": "算不上好用|没有以前好|并不好吃|不怎么满意|说不上喜欢|不像宣传的那么好|一点都不舒服|毫无诚意|没有一样能用|完全不值|谈不上划算|不够新鲜|没见过这么差的|不会考虑第二次|没啥用|不如不买|不建议大家买|服务不到位|没有达到预期|不太干净",
    },
    "en": {
        "anger": "you are all morons|get lost|I am boiling with rage|what a bunch of jerks|you make my blood boil|drop dead|I hate you people|so mad I could scream|get out of my face|stop wasting my breath you fool|you disgust me|I'm raging|absolutely livid|what is wrong with you idiots|bite me|I've had it with you clowns|don't talk to me|seething right now|you pathetic liars|I am beyond angry",
        "fault": "two forks are missing from the set|the size is not the one I ordered|the fridge does not cool|the box was crushed when it came|the left earphone has no sound|I have not received the refund yet|nobody came for the installation appointment|there is a hair in the soup|half of the drink leaked|a different model was delivered|the manual was not included|the remote does not respond|it was delivered to the wrong address|the milk is past its date|the page does not load|payment went through but the order says unpaid|the heater makes a strange noise|there is a hole in the sleeve|I cannot log in to my account|the coupon was not applied|the tap is dripping|the invoice shows the wrong amount|tracking says delivered, nothing here|my luggage is not on the belt|the seat does not recline",
        "praise": "can't complain|nothing wrong with it at all|couldn't be happier|couldn't ask for more|it never lets me down|no problems whatsoever, great|I don't regret buying it|not disappointed at all|you can't go wrong with this|not a bad word to say|it doesn't get better than this|wasn't expecting it to be this good|never been disappointed|hardly any wait, lovely|isn't slow, it flies|no fault found, works nicely|not too expensive and really good|nobody does it better",
        "blame": "not what I would call clean|wasn't helpful|isn't worth it|I don't recommend this|not impressed|couldn't get any help|wouldn't buy again|never works when I need it|not as described|no help at all|far from good|hardly edible|doesn't fit and doesn't last|no apology, nothing|nothing like the picture|can't rely on it|not fresh|don't bother|didn't do what it says|not comfortable in the least|lovely, cancelled again|thanks for ruining our holiday|thank you for wasting my whole day|fantastic, stopped working after an hour|wonderful, the wrong colour once more|well done, you lost it twice|so glad I paid for a seat that is broken|nothing to thank you for",
    },
}
_WEIGHT: Final = 12.0
"""How many texts each stands for: there are few."""


def sentences(language: Language) -> Iterator[tuple[str, int, EmotionLabel | None, bool, str, float]]:
    """Every sentence with its class, emotion (None: not told), whether it complains of a fault, its pattern (itself), and its weight."""
    for kind, texts in _TEXTS[language].items():
        for text in texts.split("|"):
            yield text, *_SAYS[kind], text, _WEIGHT
