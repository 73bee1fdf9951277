"""The policy file: the shipped one is right, a wrong one is refused with the place and the reason."""

import re
from datetime import UTC, datetime

import msgspec
import pytest

from services.router.domain.facts import BOT, Inputs
from services.router.domain.pool import Place, place_of
from services.router.policyfile import DEFAULT, BadPolicyError, load, parse

GOOD = """
version = "1"
timezone = "+08:00"
[default]
pool = "bot"
[handover]
pool = "care"
[pools.care]
[[rules]]
name = "night"
when = { hours = ["22:00", "07:00"] }
pool = "care"
"""


def test_the_shipped_policy() -> None:
    policy = load(DEFAULT)
    assert policy.version.startswith("2026-11+")
    assert policy.route(Inputs(channel="app")) == ("default", policy.default)
    assert policy.default.pool == BOT
    for more, rule, pool in (
        ({"tier": "vip", "vulnerable": True}, "vip", "care"),
        ({"vulnerable": True}, "vulnerable", "care"),
        ({"risk": 0.9, "topic": "complaint"}, "likely_to_escalate", "care"),
        ({"mood": -0.8}, "angry", "care"),
        ({"wants_human": True, "language": "en"}, "english", "english"),
        ({"wants_human": True, "language": "zh"}, "asks_for_a_human", "service"),
        ({"nps_score": 3, "touchpoint": "after_sales.repair"}, "unhappy_before", "service"),
        ({"handover": "mood", "language": "zh"}, "handover", "service"),
        ({"handover": "mood", "language": "en"}, "english_handover", "english"),
    ):
        name, route = policy.route(Inputs(channel="app", **more))  # type: ignore[arg-type]
        assert (name, route.pool) == (rule, pool)


def test_the_version_follows_the_text() -> None:
    assert parse(GOOD).version != parse(GOOD + "\n# more").version
    assert parse(GOOD) == parse(GOOD)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('version = "1"', "", "version: must be a text"),
        ('"+08:00"', '"+99:00"', "timezone: "),
        ('"+08:00"', '"Nowhere/Else"', 'timezone: "Nowhere/Else" is neither'),
        ('pool = "care"\n[pools', 'pool = "bot"\n[pools', "handover.pool: a handover never goes back"),
        ('"22:00"', '"22:60"', 'rule "night": when.hours: must be two different times'),
        (
            'hours = ["22:00", "07:00"]',
            "mood_below = 2",
            'rule "night": when.mood_below: must be a number from -1 to 1',
        ),
        ('hours = ["22:00", "07:00"]', "nps_at_most = 11", 'rule "night": when.nps_at_most'),
        ('hours = ["22:00", "07:00"]', 'tier = "vip"', 'rule "night": when.tier: must be a list'),
        ('hours = ["22:00", "07:00"]', "vulnerable = 1", 'rule "night": when.vulnerable: must be true or false'),
        ('hours = ["22:00", "07:00"]', "mod_below = 0", 'rule "night": when: mod_below: is not known'),
        ('when = { hours = ["22:00", "07:00"] }', "when = 3", 'rule "night": when: must be a table'),
        ('pool = "care"\n[pools', 'pool = "core"\n[pools', 'handover: pool "core" has no [pools.core]'),
        ("[pools.care]", "[pools.care]\nageing = -1", "pools.care.ageing: must be a number"),
        ("[pools.care]", "[pools.care]\ncapacity = 0", "pools.care.capacity: must be a whole number"),
        ("[pools.care]", "[pools.care]\nageing = 1e-300", "pools.care.ageing: must be 0 or at least 0.000001"),
        (
            "[pools.care]",
            "[pools.care]\nweights = { app = 1.5 }",
            "pools.care.weights.app: must be at most pools.care.capacity, 1: a seat that says no capacity has no room for one",
        ),
        ("[pools.care]", "[pools.bot]", "pools: at least one human pool"),
        ('name = "night"', 'name = "handover"', 'rule "handover": the name is used twice or is reserved'),
        ("[[rules]]", "[[rules", "not TOML"),
        ("[[rules]]", f"a = {'[' * 100_000}\n[[rules]]", "not TOML: is nested too deeply"),
        ("[[rules]]", f"a = {'9' * 5000}\n[[rules]]", "not TOML: "),
        ("+08:00", "+٠٨:00", 'timezone: "+٠٨:00" is neither'),
    ],
)
def test_a_wrong_policy_is_refused(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(BadPolicyError, match=r"^(line \d+: )?" + re.escape(says)):
        parse(GOOD.replace(old, new))


@pytest.mark.parametrize("terms", ["ageing = 1e-300", "weights = { app = 2 }", "[pools.care.weights]\napp = 20"])
def test_what_no_seat_could_ever_serve_is_refused_with_its_line(terms: str) -> None:
    text = GOOD.replace("[pools.care]", f"[pools.care]\n{terms}")
    wrong = next(n for n, line in enumerate(text.splitlines(), 1) if line == terms.splitlines()[-1])
    with pytest.raises(BadPolicyError, match=f"^line {wrong}: pools.care."):
        parse(text)


@pytest.mark.parametrize("ageing", ["0", "1e-6", "1000"])
def test_every_place_that_a_policy_allows_can_be_stored(ageing: str) -> None:
    terms = parse(GOOD.replace("[pools.care]", f"[pools.care]\nageing = {ageing}")).terms("care")
    for priority in (-1000, 1000):
        place = place_of(terms, priority, datetime(2200, 1, 1, tzinfo=UTC), "k")
        assert msgspec.json.decode(msgspec.json.encode(place), type=Place) == place


def test_a_weight_that_a_seat_has_room_for_is_right() -> None:
    text = GOOD.replace("[pools.care]", "[pools.care]\ncapacity = 3\nweights = { app = 3, chat = 0.5 }")
    assert parse(text).terms("care").weights == {"app": 3, "chat": 0.5}
