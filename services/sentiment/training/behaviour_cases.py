"""The cases of the behaviour tests, written for this purpose, none of them used in training."""

import random
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from services.sentiment.domain.characters import SIMPLIFIED, TRADITIONAL
from services.sentiment.domain.text import MAX_CHARS, Language
from services.sentiment.training import behaviour_wants as b
from services.sentiment.training.behaviour_wants import Case

_SEED: Final = 20_261_122

_TEXTS: Final[dict[str, dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("behaviour.toml").read_text(encoding="utf-8")
)
_NARROW: Final = str.maketrans("，：！？", ",:!?")
_LANGUAGES: Final[tuple[Language, Language]] = ("zh", "en")


def all_cases() -> list[Case]:
    """Every case, the same each time."""
    return [case for family in _FAMILIES for language in _LANGUAGES for case in family(language)]


def _signed(capability: str, language: Language, texts: Iterable[tuple[str, int]]) -> Iterator[Case]:
    for text, way in texts:
        passes, wants = (b.is_positive, "positive") if way > 0 else (b.is_negative, "negative")
        yield Case(capability, language, "minimum", (text,), passes, wants)


def _vocabulary(language: Language) -> Iterator[Case]:
    yield from _signed(
        "vocabulary",
        language,
        [(t, 1) for t in _TEXTS[language]["positive"]] + [(t, -1) for t in _TEXTS[language]["negative"]],
    )
    for text in _TEXTS[language]["neutral"]:
        yield Case("neutral", language, "minimum", (text,), b.is_neutral, "neutral")


def _negation(language: Language) -> Iterator[Case]:
    good, bad = _TEXTS[language]["negated_to_good"], _TEXTS[language]["negated_to_bad"]
    yield from _signed("negation", language, [(t, 1) for t in good] + [(t, -1) for t in bad])


def _intensifiers(language: Language) -> Iterator[Case]:
    for weak, strong, way in _TEXTS[language]["intensified"]:
        passes, wants = (b.is_raised, "raised") if way > 0 else (b.is_lowered, "lowered")
        yield Case("intensifiers", language, "direction", (weak, strong), passes, wants)


def _swapped(language: Language) -> Iterator[Case]:
    for pattern, first, *others in _TEXTS[language]["slotted"]:
        numbers = first.isdigit()
        for other in others:
            texts = (pattern.format(first), pattern.format(other))
            yield Case("numbers" if numbers else "names", language, "invariance", texts, b.is_unmoved, "the same")


def _typos(language: Language) -> Iterator[Case]:
    if language == "zh":
        pairs = [(right, wrong) for right, wrong in _TEXTS["zh"]["typos"]]
    else:
        dice = random.Random(_SEED)
        pairs = [
            (t, _swap_letters(t, dice))
            for t in (*_TEXTS["en"]["positive"], *_TEXTS["en"]["negative"])
            for _ in range(2)
        ]
    for texts in pairs:
        yield Case("typos", language, "invariance", texts, b.is_unmoved, "the same")


def _swap_letters(text: str, dice: random.Random) -> str:
    """Two neighbouring letters within a word change places."""
    places = [i for i in range(1, len(text) - 2) if text[i - 1 : i + 3].isalpha() and text[i] != text[i + 1]]
    i = dice.choice(places)
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def _emoji(language: Language) -> Iterator[Case]:
    for text in _TEXTS[language]["neutral"][:6]:
        for symbol, way in _TEXTS["any"]["emoji"]:
            passes, wants = (b.is_raised, "raised") if way > 0 else (b.is_lowered, "lowered")
            yield Case("emoji", language, "direction", (text, text + symbol), passes, wants)
    yield from _signed("emoji", language, [(symbol * 2, way) for symbol, way in _TEXTS["any"]["emoji"]])
    for text in _TEXTS[language]["positive"][:4]:
        for one, other in _TEXTS["any"]["emoji_alike"]:
            yield Case("emoji", language, "invariance", (text + one, text + other), b.is_equal, "equal")


def _forms(language: Language) -> Iterator[Case]:
    plain = (*_TEXTS[language]["positive"], *_TEXTS[language]["negative"], *_TEXTS[language]["neutral"])
    for text in plain:
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u3000" if c == " " else c for c in text)
        other = text.translate(_NARROW) if language == "zh" else wide
        if other != text:
            yield Case("width", language, "invariance", (text, other), b.is_equal, "equal")
        hidden = text[:2] + "\u200b" + text[2:]
        yield Case("hidden characters", language, "invariance", (text, hidden), b.is_equal, "equal")
        if language == "zh":
            yield Case("traditional", language, "invariance", (text, _traditional(text)), b.is_equal, "equal")
        else:
            yield Case("capitals", language, "invariance", (text, text.upper()), b.is_equal, "equal")


def _traditional(text: str) -> str:
    """The text with each simplified character as a traditional one (whichever: all must come out the same)."""
    back = dict(zip(SIMPLIFIED, TRADITIONAL, strict=True))
    return "".join(back.get(c, c) for c in text)


def _switching(language: Language) -> Iterator[Case]:
    if language == "zh":
        yield from _signed("code-switching", language, _TEXTS["zh"]["switched"])


def _length(language: Language) -> Iterator[Case]:
    for text in ("", " ", "\u200b", "…", "?", "1", "😀" * 3):
        yield Case("very short", language, "minimum", (text,), b.is_sound, "probabilities")
    for sign, way in (("positive", 1), ("negative", -1)):
        for text in _TEXTS[language][sign]:
            joined = ("，" if language == "zh" else ", ").join([text] * 12)
            yield from _signed("very long", language, [(joined, way), ((joined * 40)[: MAX_CHARS + 500], way)])


def _prompts(language: Language) -> Iterator[Case]:
    for text in _TEXTS[language]["negative"]:
        for prompt in _TEXTS[language]["prompts"]:
            yield Case(
                "prompt-like", language, "invariance", (text, f"{text} {prompt}"), b.is_not_lifted, "still negative"
            )


def _politeness(language: Language) -> Iterator[Case]:
    for text in _TEXTS[language]["polite"]:
        yield Case("politeness", language, "minimum", (text,), lambda s: s[0].complaint >= 0.5, "a complaint")
        yield Case("politeness", language, "minimum", (text,), lambda s: s[0].polarity < 0.3, "not positive")
    before, after = ("您好，请问", "，谢谢") if language == "zh" else ("Hello, ", ", thank you")
    for text in _TEXTS[language]["negative"]:
        yield Case(
            "politeness", language, "invariance", (text, f"{before}{text}{after}"), b.is_not_lifted, "still negative"
        )


def _fault_or_anger(language: Language) -> Iterator[Case]:
    for text in _TEXTS[language]["faults"]:
        yield Case("fault without anger", language, "minimum", (text,), b.is_calm_fault, "complaint, not angry")
    for text in _TEXTS[language]["insults"]:
        yield Case("anger without fault", language, "minimum", (text,), b.is_bare_anger, "angry, no complaint")


def _asking(language: Language) -> Iterator[Case]:
    for text in _TEXTS[language]["asked"]:
        yield Case("asking", language, "minimum", (text,), b.is_merely_asked, "not negative")
    yield from _signed("asking in anger", language, [(t, -1) for t in _TEXTS[language]["asked_in_anger"]])


def _sarcasm(language: Language) -> Iterator[Case]:
    yield from _signed("sarcasm", language, [(t, -1) for t in _TEXTS[language]["sarcasm"]])


def _turns(language: Language) -> Iterator[Case]:
    yield from _signed("turning sentences", language, _TEXTS[language]["turned"])


def _additions(language: Language) -> Iterator[Case]:
    for text in (*_TEXTS[language]["positive"], *_TEXTS[language]["negative"]):
        for added in _TEXTS[language]["added"]:
            yield Case("additions", language, "invariance", (text, text + added), b.is_unmoved, "the same")


_FAMILIES: Final = (
    _vocabulary,
    _negation,
    _intensifiers,
    _swapped,
    _typos,
    _emoji,
    _forms,
    _switching,
    _length,
    _prompts,
    _politeness,
    _fault_or_anger,
    _turns,
    _additions,
    _sarcasm,
    _asking,
)
