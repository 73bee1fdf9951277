"""Watches whether the model still fits what comes in, and tells it as metrics: familiarity of words, confidence against corrections."""

import logging
from collections.abc import Iterator, Mapping
from typing import Final

from services.runtime import signals
from services.runtime.clock import Clock
from services.runtime.telemetry import meters
from services.sentiment.domain.shift import Calibration, Drift, Familiarity, Window
from services.sentiment.domain.text import Language

log = logging.getLogger(__name__)

MINUTES: Final = 60
"""How far back familiarity is looked at."""


class Watch:
    """What this process has seen. familiar: what the model was trained on, by language."""

    def __init__(self, familiar: Mapping[Language, Familiarity], clock: Clock) -> None:
        self.familiar = familiar
        self._clock = clock
        self._windows = dict.fromkeys(familiar, Window(MINUTES))
        self._shifted: dict[Language, bool] = {}
        self.calibration = Calibration()
        meters().watch(signals.UNFAMILIAR, self.distances)
        meters().watch(signals.OVERCONFIDENT, lambda: [(self.calibration.distance, {})])

    def add(self, language: Language, drift: Drift) -> None:
        """Takes a batch's familiarity in, and says once where a language has shifted, or is as before again."""
        if not drift.texts:
            return
        self._windows[language] = self._windows[language].add(self._minute(), drift)
        total = self._windows[language].total()
        shifted = total.shifted(self.familiar[language])
        if shifted != self._shifted.get(language, False):
            self._shifted[language] = shifted
            log.warning(
                "texts have stopped looking like the model's training texts"
                if shifted
                else "texts look familiar again",
                extra={"fields": {"language": language, "unseen_share": round(total.mean, 3), "texts": total.texts}},
            )

    def distances(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """By language, how many standard errors less familiar the last hour's texts are than the training's."""
        now = self._minute()
        for language, window in self._windows.items():
            lately = window.add(now, Drift()).total()  # what is older than an hour by now is none of it
            yield lately.distance(self.familiar[language]), {"language": language}

    def judge(self, calibration: Calibration) -> None:
        """Takes over how often people found the model right."""
        self.calibration = calibration

    def _minute(self) -> int:
        return int(self._clock().timestamp() // 60)
