"""What scores are worth: each incident's highest score before it turned, beside what became of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.escalation.tickets import figures
from services.escalation.tickets.budget import Budget
from services.escalation.tickets.figures import LANDMARKS, SHARES, Bools, Floats
from services.escalation.tickets.log import Row
from services.escalation.tickets.model import TARGETS, Model
from services.escalation.tickets.scoring import Scored

_LEAD_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Story:
    """An incident's rows in time order, as places in the log, and what became of it."""

    number: str
    opened: int
    places: Sequence[int]
    turn: int | None
    """Which of its rows is the first in which it stands raised or reopened."""
    breached: bool

    @property
    def before_turn(self) -> Sequence[int]:
        """The rows on which a flag for `escalated` counts, as long as it is open on them."""
        return self.places if self.turn is None else self.places[: self.turn]

    @property
    def before_end(self) -> Sequence[int]:
        """The same for `breached`."""
        return self.places[:-1]


def stories(rows: Sequence[Row]) -> list[Story]:
    """The incidents of a log in time order, by their first rows."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.number, []).append(place)
    return [_story(number, own, [rows[p] for p in own]) for number, own in places.items()]


def _story(number: str, places: Sequence[int], rows: Sequence[Row]) -> Story:
    first = rows[0]
    turn = next((i for i, r in enumerate(rows) if r.priority < first.priority or r.reopened > 0), None)
    return Story(number, first.opened, places, turn, not rows[-1].made_sla)


@dataclass(frozen=True, slots=True)
class Judged:
    """A log's incidents beside their scores."""

    rows: Sequence[Row]
    stories: Sequence[Story]
    scored: Sequence[Scored]
    """Open rows, in time order."""


def judge(rows: Sequence[Row], scored: Iterable[Scored]) -> Judged:
    """Puts scores beside what became of the incidents."""
    return Judged(rows, stories(rows), list(scored))


def report(judged: Judged, model: Model) -> dict[str, Any]:
    """The figures of `touchline escalation evaluate`."""
    answer: dict[str, Any] = {"incidents": len(judged.stories)}
    for target in TARGETS:
        answer[target] = _target(judged, target)
    answer["breached_at"] = {str(h): _landmark(judged, h) for h in LANDMARKS}
    answer["online"] = {t: online(judged, t, model) for t in TARGETS}
    answer["today"] = today(judged)
    found: dict[str, Any] = figures.rounded(answer)
    return found


def _scores(judged: Judged, target: str) -> dict[int, float]:
    return {s.place: getattr(s, target) for s in judged.scored}


def _hits(judged: Judged, target: str) -> Bools:
    return np.array(
        [s.turn is not None if target == "escalated" else s.breached for s in judged.stories], dtype=np.bool_
    )


def _counting(story: Story, target: str) -> Sequence[int]:
    return story.before_turn if target == "escalated" else story.before_end


def highest(judged: Judged, target: str, score: Callable[[int], float | None]) -> Floats:
    """Each incident's highest score on a row on which a flag counts; −1 without one."""
    best = []
    for story in judged.stories:
        own = [s for p in _counting(story, target) if (s := score(p)) is not None]
        best.append(max(own, default=-1.0))
    return np.array(best, dtype=np.float64)


def _target(judged: Judged, target: str) -> dict[str, Any]:
    scores, hit = _scores(judged, target), _hits(judged, target)
    best = highest(judged, target, scores.get)
    chances, came, weight = _rows(judged, target, scores)
    return {
        "positives": int(hit.sum()),
        **figures.at_shares(best, hit),
        "pr_auc": figures.average_precision(best, hit),
        "brier": figures.brier(chances, came, weight),
        "ece": figures.calibration_error(chances, came, weight),
        "lead_time_hours_median": _lead(judged, target, scores, best, hit),
    }


def _rows(judged: Judged, target: str, scores: dict[int, float]) -> tuple[Floats, Bools, Floats]:
    """The probabilities that calibration is judged by, what came, and their weights.

    escalated: of the open rows before the turn, each incident's weighing one together. breached: of the rows that stand at LANDMARKS, each
    landmark's weighing one.
    """
    chances, came, weight = [], [], []
    for story, hit in zip(judged.stories, _hits(judged, target), strict=True):
        places = story.before_turn if target == "escalated" else [_standing(judged, story, h) for h in LANDMARKS]
        own = [scores[p] for p in places if p in scores]
        chances += own
        came += [hit] * len(own)
        weight += [1.0 if target == "breached" else 1 / len(own)] * len(own)
    return np.array(chances), np.array(came, dtype=np.bool_), np.array(weight)


def _lead(judged: Judged, target: str, scores: dict[int, float], best: Floats, hit: Bools) -> float | None:
    """Of those rightly flagged among the 20 % with the highest scores: hours from the flag to the row that it foresaw."""
    chosen = figures.top(best, _LEAD_SHARE)
    if not len(chosen):
        return None
    limit = best[chosen].min()
    hours = []
    for i in chosen:
        if hit[i]:
            story = judged.stories[i]
            flagged = next(p for p in _counting(story, target) if scores.get(p, -1.0) >= limit)
            end = story.places[story.turn if target == "escalated" and story.turn is not None else -1]
            hours.append((judged.rows[end].at - judged.rows[flagged].at) / 60)
    return figures.median(hours)


def _landmark(judged: Judged, hours: int) -> dict[str, Any]:
    """The breach as foreseen so many hours after opening, by the last row until then of the incidents still open."""
    scores = _scores(judged, "breached")
    standing = [(scores[p], s.breached) for s in judged.stories if (p := _standing(judged, s, hours)) in scores]
    chances = np.array([c for c, _ in standing])
    hit = np.array([b for _, b in standing], dtype=np.bool_)
    even = np.ones(len(hit))
    return {
        "incidents": len(hit),
        "positives": int(hit.sum()),
        **figures.at_shares(chances, hit),
        "pr_auc": figures.average_precision(chances, hit),
        "brier": figures.brier(chances, hit, even),
        "ece": figures.calibration_error(chances, hit, even),
    }


def _standing(judged: Judged, story: Story, hours: int) -> int:
    """The row that stands so long after opening; the first one at 0. −1: there is none yet."""
    if hours == 0:
        return story.places[0]
    return max((p for p in story.places if judged.rows[p].at - story.opened <= 60 * hours), default=-1)


def online(judged: Judged, target: str, model: Model) -> dict[str, Any]:
    """Flags chosen as the rows come, by a budget of a share of the incidents, beside the list that one would choose afterwards.

    regret: the share of hindsight's hits that is missed (below 0 where luck was with the flags); regret_expected: the same of the sum of
    scores, which hangs less on a few hits.
    """
    answer: dict[str, Any] = {}
    scores, hit = _scores(judged, target), _hits(judged, target)
    best = highest(judged, target, scores.get)
    for share in SHARES:
        budget = Budget(share, model.known[target].tolist())
        for s in judged.scored:
            if not (target == "escalated" and s.turned):
                budget.see(s.place, s.row.at, s.row.number, getattr(s, target))
        flagged = [budget.flags.get(s.number) for s in judged.stories]
        right = [
            place is not None and came and place in set(_counting(story, target))
            for place, came, story in zip(flagged, hit, judged.stories, strict=True)
        ]
        caught, chosen = sum(right), len(budget.flags)
        hindsight = figures.top(best, share)
        offline = int(hit[hindsight].sum())
        could = float(best[hindsight].sum())
        took = float(sum(b for b, place in zip(best, flagged, strict=True) if place is not None))
        answer[f"{share:g}"] = {
            "flagged": chosen,
            "recall": caught / hit.sum() if hit.any() else None,
            "precision": caught / chosen if chosen else None,
            "offline_recall": offline / hit.sum() if hit.any() else None,
            "regret": (offline - caught) / offline if offline else None,
            "regret_expected": (could - took) / could if could > 0 else None,
            "threshold": _spread(budget.thresholds),
        }
    return answer


def _spread(thresholds: Sequence[float]) -> dict[str, float] | None:
    """What the threshold has been: at the first flag, its least, median and greatest."""
    if not thresholds:
        return None
    return {
        "first": thresholds[0],
        "least": min(thresholds),
        "median": float(np.median(thresholds)),
        "greatest": max(thresholds),
    }


def today(judged: Judged) -> dict[str, Any]:
    """What teams go by today, by the same measure: recall and precision for `escalated` at each share."""
    rules: dict[str, Callable[[Row], float]] = {
        "reassignments and reopenings": lambda r: r.reassigned + r.reopened,
        "newest first": lambda r: r.opened,
        "longest open first": lambda r: r.at - r.opened,
    }
    hit = _hits(judged, "escalated")
    answer: dict[str, Any] = {}
    for name, rule in rules.items():
        answer[name] = figures.at_shares(highest(judged, "escalated", _asked(judged.rows, rule)), hit)
    answer["sentiment alone"] = None
    """An incident log has no texts."""
    return answer


def _asked(rows: Sequence[Row], rule: Callable[[Row], float]) -> Callable[[int], float | None]:
    return lambda place: float(rule(rows[place])) if rows[place].is_open else None
