"""The follow-up policy: the shipped one is right, a wrong one is refused with its line and the reason."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from services.escalation.domain.risk import Ramp, Weights, assess
from services.escalation.domain.state import Contact, Customer
from services.escalation.policyfile import DEFAULT, BadPolicyError, load, parse

GOOD = """version = "1"
timezone = "+08:00"
default = "care"
[teams.care]
capacity = 10
shifts = ["08:00", "20:00"]
floors = { vip = 2 }
[teams.repair]
touchpoints = ["after_sales.repair", "install"]
due_minutes = 30
"""


def test_the_shipped_policy() -> None:
    policy = load(DEFAULT)
    assert policy.version.startswith("2026-11+")
    terms = policy.terms_of("care")
    assert (terms.capacity, terms.floors, terms.shifts) == (60, {"vulnerable": 3, "vip": 3}, (0, 480, 960))
    assert terms.holdout == 0, "nobody is held out unless a manager says so"
    assert policy.terms_of("gone").capacity == 0
    assert [h for h in range(24) if policy.quiet.has(datetime(2026, 11, 20, h, tzinfo=UTC))] == list(range(13, 24))


def test_a_case_goes_to_the_team_that_names_its_touchpoint() -> None:
    policy = parse(GOOD)
    told = {
        t: policy.team_of(t) for t in ("after_sales.repair.visit", "after_sales.repair", "after_sales", "install", "")
    }
    assert told == {
        "after_sales.repair.visit": "repair", "after_sales.repair": "repair", "after_sales": "care", "install": "repair", "": "care",
    }  # fmt: skip
    assert policy.terms_of("repair").due_in == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('version = "1"', "", "version: must be a text"),
        ('"+08:00"', '"+99:00"', 'line 2: timezone: "+99:00" is neither'),
        ('"care"\n[', '"cure"\n[', "line 3: default: there is no [teams.cure]"),
        ("capacity = 10", "capacity = -1", "line 5: teams.care.capacity: must be a whole number from 0"),
        ('"08:00"', '"8"', 'line 6: teams.care.shifts: "8" is no time of day'),
        ('"20:00"', '"08:00"', "line 6: teams.care.shifts: must be at least one time of day, none of them twice"),
        ("vip = 2", "vip = 11", "line 7: teams.care.floors: add up to 11, above the capacity of 10"),
        ("capacity", "capacitee", "line 5: teams.care.capacitee: is not known; known are capacity"),
        ('"install"', '"install", "after_sales.repair"', 'line 9: teams.repair.touchpoints: "after_sales.repair" is named'),
        ("due_minutes = 30", "holdout = 0.9", "line 10: teams.repair.holdout: must be a number from 0 to 0.5"),
        ("due_minutes = 30", "[quick_refund]\nshare = 2", "line 11: quick_refund.share: must be a number from 0 to 1"),
        ("due_minutes = 30", "[risk]\nsilence = { low = 80 }", "line 11: risk.silence: low is 80; must be below high, 72"),
        ("due_minutes = 30", "[risk]\nwaiting = { most = 0.6 }", "line 11: risk.waiting: is 0.6: alone it would reach the least, 0.6"),
        ("due_minutes = 30", "[risk]\nspoilt = -1", "line 11: risk.spoilt: must be a number from 0 to 1"),
        ("due_minutes = 30", '[outreach]\nquiet = ["21:00"]', "line 11: outreach.quiet: must be two times of day"),
        ("due_minutes = 30", '[outreach]\nquiet = ["21:00", "24:00"]', 'line 11: outreach.quiet: "24:00" is no time of day'),
        ("due_minutes = 30", "[risk]\nangry = 1", "line 11: risk.angry: is not known"),
        ("due_minutes = 30", "[risk]\nwaiting = { steep = 1 }", "risk.waiting.steep: is not known"),
        ("[teams.care]", "[teams.care", "not TOML: "),
        ("[teams.care]", f"a = {'[' * 100_000}\n[teams.care]", "not TOML: is nested too deeply"),
        ("[teams.care]", f"a = {'9' * 5000}\n[teams.care]", "not TOML: "),
        ("+08:00", "+٠٨:00", "timezone: "),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(BadPolicyError, match=re.escape(says)):
        parse(GOOD.replace(old, new, 1))


def test_what_reasons_weigh_is_set_by_the_policy_and_changes_the_risk() -> None:
    usual = parse(GOOD)
    heavier = parse(GOOD + "[risk]\nrepeat_contact = { high = 2, most = 0.5 }\nspoilt = 0.3\n")
    assert usual.weights == Weights() and usual.version != heavier.version
    assert heavier.weights.repeat_contact == Ramp(1, 2, 0.5)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    known = Customer("hu", contacts=(Contact("a", "repair", at), Contact("b", "repair", at)))
    assert assess(known, at, usual.weights).risk == pytest.approx(0.09)
    assert assess(known, at, heavier.weights).risk == pytest.approx(0.5)
