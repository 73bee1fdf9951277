"""The model card, written with the figures of the run that made the model."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.escalation.tickets.figures import LANDMARKS, SHARES
from services.escalation.tickets.model import day
from services.escalation.training.validate import Fold, Trained

_HEAD: Final = """# Model card: who of the incident log will escalate, and who will break its service level

Written by `make train` (`python -m services.escalation.training --data ../shared/data`); change the scripts, not this page.

**What it does.** For each row (update) of an incident while it is open, from what was known at that row: the probability that the
incident is *escalated* later (its priority raised above the first row's, or reopened), and the probability that it is *breached* (its
last row says made_sla=false). Of an incident that was raised or reopened already, `escalated` is 1.
`touchline escalation evaluate --tickets FILE [--json] [--scores OUT [--why]]` walks a log in time order and tells what the scores would have been worth.

**How.** *Features*: NAMES in `services/escalation/tickets/features.py`, all numbers. Of the incident: state, priority, hand-overs,
reopenings, ages in hours of the clock, of weekdays and of office hours, silences, how far the time limit is. Of the world: how often
incidents of the same category, subcategory, symptom, group, assignee, caller and location (and some pairs) were raised or reopened, how
often late, how long they took, waves of arrivals, how much a group has been doing; each a sum that loses half its weight in an hour, a
day, a week or 60 days, learnt row by row from the log being read, and beginning with what the training log had taught by the time its last
incident was opened. resolved_at and closed_at are never read.
*Escalated*: the mean of a ridge logistic regression on the features at the incident's first row, and of a small forest on the row at
hand. *Breached*: a forest. Both are sums of log odds, calibrated by slope and shift (Platt) on what earlier models said of later incidents.
The level of breaches moves within days, so its slope and shift are set anew every 25 incidents, by the last 300 whose time to be resolved is over
(some four days after opening), resolved or not: `services/escalation/tickets/calibration.py`. `escalated` needs none of it.

**Why** (`--why`): each feature's part of the log odds, exact: the linear terms, and along each tree's path how the mean answer changes
at each split (Saabas); summed by kind of fact, times the slope of the day, its shift in the base. Parts and base add up to the score's log odds. They say what moved the score, not what caused it.

**Monotone.** More reassignments, reopenings, resolutions, groups, assignees, silences, and more incidents or escalations of the caller
never lower either score, nor do age and time over the limit that of a breach: constraints of the training, tested by property.

**What made the difference for breaches.** The limit of priority 3 is 153 weekday hours from opening to closing, and an incident is closed
five calendar days after it was last resolved: found in the log, it tells made_sla right for all but 37 of 6,661 incidents from 28 March
2016 on. So a row knows how far over the limit the incident would be if it were resolved now. Incidents of priority 1 and 2 are nearly always
late. From 5 to 16 March the closing job stood still: nearly everything opened in the week of 7 March (96 %) was "breached", whatever was
done. Those incidents (closed more than six hours later than five days after the last resolution) are learnt as what they would have been;
they are judged as the log says.
"""
_TRIED: Final = """## What was tried and did not help

On validation folds, before the choice (pooled recall of escalated at 5 / 10 / 20 %, unless said otherwise; ± 0.03 is noise):

| tried | came to |
|---|---|
| fields and target-encoded categories, gradient boosting | .14 / .17 / .30 |
| gradient boosting, each row the same weight | .10 / .18 / .36 |
| the same, each incident the same weight (rows 1/n) | .13 / .27 / .46 |
| the same without any history, the incident's own facts only | .08 / .15 / .28 |
| first row only: boosting / ridge regression | .14 / .26 / .41; .16 / .27 / .45 |
| raised and reopened as two models | .13 / .26 / .43 |
| one-hot ridge regression on 12 categories and pairs | .14 / .25 / .42 |
| first row's score plus a forest on what came after | .09 / .27 / .42 (last two folds; first row alone .14 / .28 / .44) |
| predicted number of updates, hours and hand-overs as further features | .16 / .26 / .44 (last two folds; without .16 / .26 / .43) |
| weights by recency, half-life 30 days | .15 / .25 / .44 (one-hot; without .14 / .25 / .42) |
| softmax over an incident's rows as its score (multiple instances) | area up to 25 % .336, as the even weights with smaller trees (.335) |
| second memory of 7 days beside 60 | no gain for either target |
| for breaches: labels as the log has them | area at 0 / 24 / 72 h .60 / .73 / .86 instead of .63 / .78 / .90 on the fold from 70 % |
| for breaches: without the load of groups and waves of arrivals | .58 / .73 / .87 there |
| for breaches: rows weighed evenly over 0 to 120 h | .63 / .77 / .87 there, instead of .63 / .80 / .90 by 0, 24, 72 h |

So nearly all that can be known of an escalation in this log is known at the first row: who called whom about what, and how that went
before. An incident that stays open is hardly likelier to escalate than it was (1.9 % of those open at the sixth row, 2.4 % of all).
"""
_LIVE: Final = """## The live risk of a customer

`touchline escalation evaluate` scores incidents; the running service scores *customers* (`services/escalation/domain/risk.py`), and its weights are set by
hand, in the follow-up policy (`[risk]` of `ESCALATION_POLICY`: versioned with a hash, validated, shown by reason in every answer). They are not learnt,
because nothing at hand says which live customer escalated: the complaints data label single texts (is it a complaint; up-votes), without a customer's later
course; the incident log has a course but no texts, moods, contacts, deliveries or waits, and what it shares with a customer's case (reopened, handed on,
silent for days) says little there: an incident that stays open is hardly likelier to escalate than it was, and reassignments and reopenings alone find
.04 / .12 / .21 of the escalations. Weights fitted to that would claim a knowledge of live complaints that is not there. What holds by construction instead:
each reason grows with its figure and never falls (tested by property), the reasons add up to the risk, and none of them alone reaches the least from which a
team follows up (a policy in which one would is refused). What a shop needs to learn its own: `ComplaintEscalated` beside `ComplaintFlagged` of some months
with a hold-out, so that follow-ups don't hide what they prevent.
"""
_LIMITS: Final = """## Known limits

- One service desk, ten weeks of openings in 2016: another desk's log needs a training of its own (`make train`), and its own time limit.
- The log has no texts: no mood, no words that announce. 346 escalations in all: a recall at 5 % of 120 of them has a standard error of about .035.
- The level of breaches drifts (47 % to 21 % in seven weeks). The running calibration brings the error on the last 30 % of the incidents from .028 to .020, and on
  the fold from 55 % to 70 %, whose first half it can't know yet, from .094 to .080; .02 is what is wanted, so a log's first days fall short of it.
  It moves scores against those of other days: areas at 0 / 24 / 72 h went from .621 / .794 / .922 to .617 / .790 / .924 there, recall at 20 % after 24 h
  from .605 to .599; on the fold before from .629 / .806 / .910 to .631 / .814 / .915, and from .583 to .599.
- A row's score stands until the next row; silence changes it only when a row comes. The live service scores again as time passes. So one
  score of a breach serves all hours at which its row is the last word: it is calibrated over 0, 24 and 72 h together, a little high at
  opening and low at 72 h, where a row that still stands has been silent for days.
- Callers and assignees are numbers here. A score that knows how a person's incidents went before is for order of work, not for judging people.
- The training's incidents are those opened before 20 April 2016; their ends, up to 2017, are in the labels, as a log that is handed over
  has them. What the model knows of the world as it starts ends with the last opening.
"""
_ANCHOR: Final = """Published anchor for the idea of a budget: IBM's ECrits, on 2.5 million tickets of which 10,000 (0.4 %) escalated: recall 79.9 % with the
workload cut by 80.8 % (L. Montgomery, thesis, University of Victoria 2017, arXiv:2010.06390), later 87.4 % with 88.2 % (Montgomery, Damian, Bulmer,
Quader, Requirements Engineering 23, 2018, doi:10.1007/s00766-018-0292-3). Another company's tickets with another meaning of escalation: an idea of scale, not a bar.
"""


def write(trained: Trained, size: int) -> str:
    """The whole page."""
    about = trained.model.about
    source = about["source"]
    page = [
        _HEAD,
        f"**Size** {size / 1e6:.2f} MB. **Data** {source['file']} (SHA-256 {source['sha256'][:16]}…), UCI incident event log (CC BY 4.0): "
        f"{about['incidents']} incidents opened from {day(about['trained_from'])} to {day(about['trained_until'])}. "
        "The log itself is not in this repository.\n",
        "## Figures by time\n",
        "Each fold's model learnt from the incidents opened before the fold's first one, and was calibrated on what still earlier models said; it then "
        "read the fold's rows alone, as `evaluate` does. *Plain*: gradient boosting on a row's fields and target-encoded categories, trained on the same.\n",
        *_escalated(trained.folds),
        "",
        *_breached(trained.folds),
        "",
        *_online(trained.folds),
        "",
        "Pooled: " + ", ".join(f"{k} {v:g}" for k, v in about["figures"].items()) + ".\n",
        _ANCHOR,
        _TRIED,
        _LIVE,
        _LIMITS,
    ]
    return "\n".join(page)


def _escalated(folds: Sequence[Fold]) -> list[str]:
    lines = [
        "| escalated | fold | incidents | positives | recall at 5 / 10 / 20 % | area | ece | median lead, h |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for i, fold in enumerate(folds):
        rows: list[tuple[str, Mapping[str, Any]]] = [
            ("**ours**", fold.report["escalated"]),
            ("plain", fold.plain["escalated"]),
        ]
        rows += [(name, told) for name, told in fold.report["today"].items() if told]
        for name, told in rows:
            recall = " / ".join(_two(told["recall_at"][f"{s:g}"]) for s in SHARES)
            rest = [_three(told.get(k)) for k in ("pr_auc", "ece")] + [_one(told.get("lead_time_hours_median"))]
            positives = fold.report["escalated"]["positives"]
            lines.append(
                f"| {name} | {_when(fold)} | {fold.report['incidents']} | {positives} | {recall} | "
                + " | ".join(rest)
                + " |"
            )
        if i == len(folds) - 1:
            lines.append("| sentiment alone | | | | – (the log has no texts) | | | |")
    return lines


def _breached(folds: Sequence[Fold]) -> list[str]:
    lines = [
        "| breached | fold | positives at opening | area at 0 / 24 / 72 h | recall at 20 % after 24 h | ece at 0 / 24 / 72 h | ece, all three |",
        "|---|---|---|---|---|---|---|",
    ]
    for fold in folds:
        for name, told in (("**ours**", fold.report), ("plain", fold.plain)):
            at = [told["breached_at"][str(h)] for h in LANDMARKS]
            area, ece = (" / ".join(_three(x[k]) for x in at) for k in ("pr_auc", "ece"))
            share = at[0]["positives"] / max(1, at[0]["incidents"])
            lines.append(
                f"| {name} | {_when(fold)} | {share:.1%} | {area} | {_three(at[1]['recall_at']['0.2'])} | {ece} | {_three(told['breached']['ece'])} |"
            )
    return lines


def _online(folds: Sequence[Fold]) -> list[str]:
    lines = [
        "Flags chosen online (a share of a flag comes with each new incident, a running threshold, no look ahead) beside the best list of hindsight:\n",
        "| target | fold | share | flagged | recall online | recall offline | regret in hits | regret in expected hits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for fold in folds:
        for target, by in fold.report["online"].items():
            for share, told in by.items():
                cells = [told.get(k) for k in ("recall", "offline_recall", "regret", "regret_expected")]
                lines.append(
                    f"| {target} | {_when(fold)} | {share} | {told['flagged']} | "
                    + " | ".join(map(_three, cells))
                    + " |"
                )
    return lines


def _when(fold: Fold) -> str:
    return f"{day(fold.opened[0])[:10]} – {day(fold.opened[1])[:10]}"


def _one(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
