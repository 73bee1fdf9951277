"""In which language a comment is written, as far as it matters: Chinese, English, or one that isn't read.

Chinese by its characters; the others by the small words that every sentence has. A text without any ("Super!", "RAS") goes with
what most of the other texts are.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

Tongue = Literal["zh", "en", "unread"]

_HAN: Final = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ENGLISH: Final = _set(
    "the a an and or but of to in is are was were be been it its it's i i'm i've my me we our you your they their he she this that these those "
    "not no don't didn't can't couldn't won't for on with at by from as have has had do does did so very too more most what when how why "
    "who which would could should will can all any some just only never always again there here because than then good bad great nice "
    "service please thanks thank staff store shop price quality delivery friendly slow fast happy"
)
# French, German, Spanish, Italian, Portuguese, Dutch: their small words that are no English ones.
_OTHERS: Final = _set(
    "le la les un une des du de et ou mais je j'ai tu il elle nous vous ils est sont était pas plus très trop peu avec pour dans sur par que qui "
    "ce cette ces mon ma mes son sa ses votre vos leur c'est n'est d'un d'une l'accueil qu'il qu'on aucun aucune rien bien bon bonne toujours jamais aussi "
    "au aux ne se si y en tout tous magasin prix choix produits produit personnel caisse merci "
    "der die das ein eine und oder aber ich du er sie es wir ihr ist sind war nicht kein keine mit für von zu auf bei sehr auch nur noch immer wie "
    "el los las una y o pero yo tú él ella es son era muy con para por que del al lo mi su sus más menos también siempre nunca "
    "gli uno ma io lui lei è sono non molto con per che di da nel nella mio suo anche sempre mai "
    "os um uma e mas eu ele ela é são não muito com por meu seu também sempre nunca "
    "het een en maar ik hij zij wij niet geen met voor van op bij zeer ook nog altijd"
)
_SIGNS: Final = re.compile(r"[àâäáãåçéèêëíìîïñóòôöõœúùûüýÿßæøłżźśćąęőűșțğşčřšžđ¿¡]")


def tongue(text: str) -> Tongue | None:
    """The text's language, or None where nothing tells."""
    if _HAN.search(text):
        return "zh"
    if not any(c.isalpha() for c in text):
        return None
    words = [w.lower().replace("’", "'") for w in _WORD.findall(text)]
    if not any(c.isascii() and c.isalpha() for c in text):
        return "unread"  # a script that is neither
    english = sum(w in _ENGLISH for w in words)
    others = sum(w in _OTHERS or ("'" in w and w not in _ENGLISH and w.split("'")[0] in _ELIDED) for w in words)
    others += len(_SIGNS.findall(text.lower()))
    if english == others:
        return None
    return "en" if english > others else "unread"


def tongues(texts: Iterable[str]) -> list[Tongue]:
    """The language of each text; one that doesn't tell has that of most Latin ones (English where there are none)."""
    found = [tongue(t) for t in texts]
    told = Counter(t for t in found if t in ("en", "unread"))
    most: Tongue = "unread" if told["unread"] > told["en"] else "en"
    return [t or most for t in found]


_ELIDED: Final = frozenset({"l", "d", "j", "n", "s", "c", "m", "t", "qu", "jusqu", "lorsqu"})
