"""The policies for a day that runs faster than life: people get the same real time to answer an offer, or to follow up."""

import re
from math import ceil
from pathlib import Path

# What a call through gateway, Kafka and two pipelines takes at most on a busy machine, in real seconds.
ANSWER_S = 4.0
LONGEST_S = 3600
_POOL = re.compile(r"^\[pools\.[^\].]+\].*$", re.MULTILINE)
_TIMEOUT = re.compile(r"^offer_timeout_s\s*=.*\n?", re.MULTILINE)


FOLLOW_UPS = Path(__file__).with_name("followups.toml")
_DUE = re.compile(r"^due_minutes = (\d+)", re.MULTILINE)


def follow_ups_for_speed(policy: str, factor: float) -> str:
    """The follow-up policy's text with at least three times ANSWER_S of real time until a follow-up is due; else as it is."""
    least = ceil(3 * ANSWER_S * factor / 60)
    return _DUE.sub(lambda found: f"due_minutes = {max(least, int(found[1]))}", policy)


def for_speed(policy: str, factor: float) -> str:
    """The policy's text with offers that run out no sooner than four real seconds at that speed; as it is where none is too short.

    Everything else, rules above all, stays as written.
    """
    least = min(LONGEST_S, round(ANSWER_S * factor))
    pools = _POOL.split(policy)
    heads = _POOL.findall(policy)
    told = [float(m.group().split("=")[1].split("#")[0]) for m in _TIMEOUT.finditer(policy)]
    if least <= min([20.0, *told]):
        return policy
    return pools[0] + "".join(
        f"{head}\noffer_timeout_s = {least}{_TIMEOUT.sub('', rest)}"
        for head, rest in zip(heads, pools[1:], strict=True)
    )
