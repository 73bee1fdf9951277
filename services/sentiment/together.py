"""Texts of several callers, scored as one batch: together they cost a fraction of what they cost one by one."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from services.sentiment.domain.remarks import Scores
from services.sentiment.domain.score import Score
from services.sentiment.domain.text import Language

MOST = 256
"""Texts in one go, unless one caller alone brings more: nobody waits for more than a tenth of a second of others' work."""


AT_ONCE = 1000
"""Characters that are scored on the spot, some 2 ms of work: to and from a thread takes longer, for both want the interpreter's lock."""


@dataclass(frozen=True, slots=True)
class _Asked:
    texts: Sequence[str]
    languages: Sequence[Language | None]
    done: "asyncio.Future[list[Score]]"


class Together:
    """Scores what is asked in the same moment as one batch: a little on the spot, much in one thread beside the loop. While that is at
    work, whoever asks waits, and is scored with the others after it.

    A thread for each caller would do no more: they compute in turns.
    """

    def __init__(self, model: Scores) -> None:
        self._model = model
        self._asked: deque[_Asked] = deque()
        self._working: asyncio.Task[None] | None = None

    async def scores(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Score]:
        """The texts' scores, in their order; the language of each, where it is known. Raises what scoring raises."""
        asked = _Asked(texts, languages, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await asked.done

    async def _work(self) -> None:
        while batch := self._taken():
            texts = [t for a in batch for t in a.texts]
            languages = [said for a in batch for said in a.languages]
            try:
                if sum(map(len, texts)) <= AT_ONCE:
                    found = self._model.score_batch(texts, languages)
                else:
                    found = await asyncio.to_thread(self._model.score_batch, texts, languages)
            except Exception as error:
                for a in batch:
                    if not a.done.done():
                        a.done.set_exception(error)
                continue
            at = 0
            for a in batch:
                if not a.done.done():
                    a.done.set_result(found[at : at + len(a.texts)])
                at += len(a.texts)

    def _taken(self) -> list[_Asked]:
        """The next batch: whoever has waited longest, and as many behind them as fit. Callers who went away are left out."""
        batch: list[_Asked] = []
        size = 0
        while self._asked and (not batch or size + len(self._asked[0].texts) <= MOST):
            asked = self._asked.popleft()
            if not asked.done.done():
                batch.append(asked)
                size += len(asked.texts)
        return batch
