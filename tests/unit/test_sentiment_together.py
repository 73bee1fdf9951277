"""Callers at the same time are scored together, each is given their own, and nobody's end is another's."""

import asyncio
import itertools
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.together import AT_ONCE, MOST, Together

LONG = AT_ONCE + 1


class Slow:
    """A stand-in for the model: a text's score is the text; it waits in its thread until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.threads: list[int] = []

    def score_batch(self, texts: Sequence[str], languages: Sequence[Any]) -> list[Any]:
        assert len(texts) == len(languages)
        self.batches.append(list(texts))
        self.threads.append(threading.get_ident())
        assert self.go.wait(10)
        if "bad" in texts:
            raise ValueError("bad")
        return [(t, said) for t, said in zip(texts, languages, strict=True)]


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=40), min_size=1, max_size=30))
def test_each_is_given_their_own_and_most_go_together(asked: list[list[str]]) -> None:
    async def run() -> tuple[list[list[Any]], Slow]:
        slow = Slow()
        together = Together(slow)
        callers = [asyncio.create_task(together.scores(texts, ["zh"] * len(texts))) for texts in asked]
        await asyncio.sleep(0)
        slow.go.set()
        return await asyncio.gather(*callers), slow

    found, slow = asyncio.run(run())
    assert found == [[(t, "zh") for t in texts] for texts in asked]
    assert [t for batch in slow.batches for t in batch] == [t for texts in asked for t in texts]
    assert all(len(batch) <= MOST for batch in slow.batches)
    # Two batches that follow each other would not have fitted into one, but for the first, which did not wait.
    sizes = [len(batch) for batch in slow.batches[1:]]
    assert all(a + b > MOST - 40 for a, b in itertools.pairwise(sizes))


async def test_more_than_one_batch_holds_are_scored_where_one_caller_brings_them() -> None:
    slow = Slow()
    slow.go.set()
    assert len(await Together(slow).scores(["a"] * (3 * MOST), [None] * (3 * MOST))) == 3 * MOST


async def test_a_caller_who_goes_away_and_one_whose_text_fails_end_nobody_elses_call() -> None:
    slow = Slow()
    together = Together(slow)
    first, gone, later = (asyncio.create_task(together.scores([t], [None])) for t in ("a" * LONG, "gone", "c"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    slow.go.set()
    assert await first == [("a" * LONG, None)]
    assert await later == [("c", None)]
    assert gone.cancelled() and ["gone"] not in slow.batches
    with pytest.raises(ValueError, match="bad"):
        await together.scores(["bad"], [None])
    assert await together.scores(["d"], [None]) == [("d", None)]


async def test_a_few_words_are_scored_on_the_spot_and_more_of_them_beside_the_loop() -> None:
    slow = Slow()
    slow.go.set()
    together = Together(slow)
    for size in (AT_ONCE, LONG):
        await together.scores(["a" * size], [None])
    here = threading.get_ident()
    assert [thread == here for thread in slow.threads] == [True, False]
