"""The second opinion: a convolution over a text's units, pooled, and one dense layer, in plain numpy.

A convolution of width k over embeddings is a sum of k matrix products, one per place. Each place's product is
worked out once for every word of the vocabulary, so that a text costs k table look-ups per unit and no product
with the embeddings at all. What is pooled over the text (the largest and the mean of each channel) goes through
the dense layers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import Encoded
from services.sentiment.domain.units import PAD, Vocabulary, unit_numbers

Floats = NDArray[np.float32]

_BLOCK: Final = 1024
"""Units worked on at a time: their channels stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Network:
    """`places[k][word]` is what a word at place k of the window adds to each channel; then two dense layers.

    With h = relu(pooled · hidden + hidden_bias), the outputs are h · output + output_bias.
    """

    vocabulary: Vocabulary
    places: tuple[Floats, ...]
    bias: Floats
    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats

    def __post_init__(self) -> None:
        words, channels = self.places[0].shape
        fits = (
            len(self.places) % 2 == 1
            and all(p.shape == (words, channels) for p in self.places)
            and words == len(self.vocabulary)
            and self.bias.shape == (channels,)
            and self.hidden.shape == (2 * channels, len(self.hidden_bias))
            and self.output.shape == (len(self.hidden_bias), len(self.output_bias))
        )
        if not fits:
            raise ValueError("network: the shapes of its tables don't fit each other")

    def __call__(self, texts: Encoded) -> Floats:
        """The outputs for each text: an array of len(texts) × outputs, not yet probabilities."""
        if not len(texts):
            return np.zeros((0, len(self.output_bias)), dtype=np.float32)
        numbers, bounds = unit_numbers(self.vocabulary, texts)
        pooled = np.concatenate([self._pooled(*block) for block in _blocks(numbers, bounds, len(self.places) // 2)])
        inner = np.maximum(pooled @ self.hidden + self.hidden_bias, 0)
        return np.asarray(inner @ self.output + self.output_bias, dtype=np.float32)

    def _pooled(self, padded: NDArray[np.int64], centre: NDArray[np.int64], starts: NDArray[np.int64]) -> Floats:
        """Largest and mean of each channel, per text."""
        reach = len(self.places) // 2
        channels = self.places[0].take(padded.take(centre - reach), axis=0)
        for k in range(1, len(self.places)):
            channels += self.places[k].take(padded.take(centre - reach + k), axis=0)
        channels += self.bias
        np.maximum(channels, 0, out=channels)
        lengths = np.diff(np.append(starts, len(centre))).astype(np.float32)
        mean = np.add.reduceat(channels, starts, axis=0) / lengths[:, None]
        return np.concatenate([np.maximum.reduceat(channels, starts, axis=0), mean], axis=1)


def _blocks(
    numbers: NDArray[np.uint16], bounds: NDArray[np.int64], reach: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Some texts at a time: their numbers with `reach` pads around each, where the units are, where texts begin."""
    first = 0
    while first < len(bounds) - 1:
        last = int(np.searchsorted(bounds, bounds[first] + _BLOCK, side="right")) - 1
        last = min(max(last, first + 1), len(bounds) - 1)
        own = bounds[first : last + 1] - bounds[first]
        lengths = np.diff(own)
        centre = np.arange(own[-1]) + np.repeat(reach * np.arange(1, len(lengths) + 1), lengths)
        padded = np.full(int(own[-1]) + reach * (len(lengths) + 1), PAD, dtype=np.int64)
        padded[centre] = numbers[bounds[first] : bounds[last]]
        yield padded, centre, own[:-1]
        first = last
