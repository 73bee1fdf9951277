"""What emoji say: sentences of our own with one, because the Chinese shop sets hold next to none.

Each is made from a short neutral or plain part and an emoji's symbol (services/sentiment/domain/symbols.py). Symbols that people use both
ways (🙂 😂 🤔 🤷 🐶 😭 over a good thing) are left to the data.
"""

from collections.abc import Iterator
from typing import Final

from services.sentiment.domain.text import Language
from services.sentiment.training.labels import NEGATIVE, POSITIVE

_SYMBOLS: Final[dict[int, str]] = {POSITIVE: "😊❤😍👍💪", NEGATIVE: "👎😡😢😫🤮🙄😱"}

_PLAIN: Final[dict[Language, str]] = {
    "zh": "|收到了|今天送到的|第一次买|已经用了几天|刚拿到|师傅来过了|客服回复了|快递到了|这次的|你们家|又买了一次|就这样吧|安装好了|看到了|打开看了|吃了|用了",
    "en": "|got it|arrived today|first time|just opened it|used it for a few days|the driver came|you replied|your app|this time|again|my order|the delivery|the new one|tried it|your store",
}
_TIMES: Final = (1, 2)
"""How often the symbol stands there; the normal form keeps two."""
_WEIGHT: Final = 2.0


def sentences(language: Language) -> Iterator[tuple[str, int, str, float]]:
    """Every sentence with its class, the pattern it was made from (its symbol with its length), and its weight."""
    for label, symbols in _SYMBOLS.items():
        for symbol in symbols:
            for i, part in enumerate(_PLAIN[language].split("|")):
                for times in _TIMES:
                    yield f"{part}{symbol * times}", label, f"{symbol}{i % 5}", _WEIGHT
