"""The alert rules on the running system: a few of their faults, and every metric that they read. `make drill` causes all of them."""

import re

import pytest

from tests.drill.__main__ import drill
from tests.drill.cases import CASES
from tests.drill.watch import Watch, rules
from tests.live import Live

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

# Ten minutes of a rule pass in six seconds: what is tried here is said in counts and in `up`, not in rates of long spans.
PACE = 100.0
TRIED = ("TouchlineDeadLetters", "TouchlineServiceDown")
# Told only once something was away.
ONLY_IN_TROUBLE = {"touchline_retries_total"}


async def test_faults_raise_their_alerts_which_end_with_them(live_stack: Live) -> None:
    cases = tuple(case for case in CASES if set(case.alerts) & set(TRIED))
    assert len(cases) == 2
    results = await drill(live_stack, cases, PACE)
    assert [(alert, why) for alert, _, why in results if why] == []
    assert set(TRIED) <= {alert for alert, _, _ in results}


async def test_every_metric_that_a_rule_reads_is_there(live_stack: Live) -> None:
    watch = Watch.of(live_stack, PACE)
    await watch.once()
    read = {name for rule in rules() for name in re.findall(r"\b(?:touchline|process)_\w+|\bup\b", rule.expression)}
    assert len(read) > 8
    assert read - watch.names() <= ONLY_IN_TROUBLE


def test_every_alert_has_its_fault() -> None:
    assert {rule.name for rule in rules()} == {alert for case in CASES for alert in case.alerts}
