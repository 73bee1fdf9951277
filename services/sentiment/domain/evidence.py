"""Where it shows: what each stretch of the original adds to an output's log odds.

Exact for what the linear model contributes: the stretches and the rest (bias, and the network's part where it was asked)
add up to the log odds.
"""

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.score import Evidence
from services.sentiment.domain.text import Normalised

Floats = NDArray[np.float64]


def spans(plain: Normalised, parts: Floats, output: str) -> tuple[Evidence, ...]:
    """The stretches of one text. `parts` has a number per code point, the spaces before and after included.

    Neighbours that speak for the same side are one stretch. What the two spaces add goes to the first and the last
    character. No stretch for an empty text.
    """
    own = parts[1:-1].copy()
    if not len(own):
        return ()
    own[0] += parts[0]
    own[-1] += parts[-1]
    side = own > 0
    starts = np.concatenate([[0], np.flatnonzero(side[1:] != side[:-1]) + 1])
    sums = np.add.reduceat(own, starts).tolist()
    ends = [*starts[1:].tolist(), len(own)]
    found = []
    for start, end, weight in zip(starts.tolist(), ends, sums, strict=True):
        first, last = plain.span(start, end)
        found.append(Evidence(first, last, weight, output))
    return tuple(found)
