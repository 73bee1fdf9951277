"""Opening words for whoever calls the customer: what is known to have gone wrong is said first, by us and not by the customer.

An apology, the matter, and one open question; no promise, for nobody knows yet what can be kept.
"""

from collections.abc import Sequence
from typing import Final

from services.escalation.domain.events import Reason

_MATTER: Final[dict[str, tuple[str, str]]] = {
    "reopened_ticket": ("您的问题处理后又出现了", "what we had called solved came back"),
    "broken_promise": ("我们答应您的事没有按时做到", "we did not keep what we had promised you"),
    "delivery_failed": ("您的订单没有按约定送好", "your order did not reach you as agreed"),
    "repeat_contact": ("同一件事让您联系了我们好几次", "you had to contact us again and again about this"),
    "reassigned": ("您被转了好几手", "you were handed from one of us to the next"),
    "abandoned_contact": ("您打进来却一直没有等到人", "you tried to reach us and nobody was there"),
    "waiting": ("您还在等我们的答复", "you are still waiting for our answer"),
    "complaint_words": ("您对我们的处理很不满意", "you are unhappy with how we handled this"),
    "hot_cause": ("这次的问题影响到了您", "the trouble we are having has reached you"),
    "mood_falling": ("最近的沟通让您不愉快", "the last conversations were not good ones"),
    "turned_sour": ("最近的沟通让您不愉快", "the last conversations were not good ones"),
    "mood_low": ("最近的沟通让您不愉快", "the last conversations were not good ones"),
}
_NOTHING: Final = ("我们想了解一下您这边的情况", "we would like to hear how things are on your side")
MOST: Final = 2
"""Matters that are named: more would be a list of our own faults."""


def opening(reasons: Sequence[Reason]) -> tuple[str, str]:
    """The words, in Chinese and English, from the reasons of the risk. What happened is named before how it felt."""
    order = list(_MATTER)
    known = sorted((r for r in reasons if r.code in _MATTER and r.weight > 0), key=lambda r: order.index(r.code))
    told = list(dict.fromkeys(_MATTER[r.code] for r in known))[:MOST]
    if not told:
        zh, en = _NOTHING
        return f"您好，{zh}，方便说两句吗？", f"Hello, {en}. Do you have a moment?"
    zh = "，".join(z for z, _ in told)
    en = ", and ".join(e for _, e in told)
    return (
        f"您好，{zh}，很抱歉。我来负责跟进，您最希望先解决哪一点？",
        f"Hello. I am calling because {en}. I am sorry. I look after this now: what should be put right first?",
    )
