"""A forest of small regression trees whose answers add up to log odds, and what each feature adds to an answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
LEAF = -1


@dataclass(frozen=True, slots=True)
class Forest:
    """All trees' nodes in a row. A row of features goes left where its feature is at most the threshold."""

    roots: Ints
    """Where each tree begins."""
    feature: Ints
    """LEAF at a leaf."""
    threshold: NDArray[np.float32]
    left: Ints
    right: Ints
    value: NDArray[np.float32]
    """A leaf's answer; at other nodes the mean answer of the training rows that came by."""
    depth: int
    """The longest way from a root to a leaf."""

    def __call__(self, rows: NDArray[np.float32]) -> Floats:
        """The sum of the trees' answers for each row of features."""
        total = np.zeros(len(rows))
        each = np.arange(len(rows))
        for root in self.roots:
            node = np.full(len(rows), root, dtype=np.int32)
            for _ in range(self.depth):
                node = self._next(rows, each, node)
            total += self.value[node]
        return total

    def shares(self, rows: NDArray[np.float32]) -> Floats:
        """Row × feature, the last column the base: they add up to the row's answer.

        On the way from the root to the leaf the mean answer changes at each split; the change is put down to the split's feature.
        """
        found = np.zeros((len(rows), rows.shape[1] + 1))
        found[:, -1] = self.value[self.roots].astype(np.float64).sum()
        each = np.arange(len(rows))
        for root in self.roots:
            node = np.full(len(rows), root, dtype=np.int32)
            for _ in range(self.depth):
                after = self._next(rows, each, node)
                moved = after != node
                change = self.value[after].astype(np.float64) - self.value[node]
                found[each[moved], self.feature[node[moved]]] += change[moved]
                node = after
        return found

    def _next(self, rows: NDArray[np.float32], each: NDArray[np.intp], node: Ints) -> Ints:
        feature = self.feature[node]
        down = np.where(rows[each, feature] <= self.threshold[node], self.left[node], self.right[node])
        return np.where(feature == LEAF, node, down).astype(np.int32)


def joined(forests: Sequence[Forest], scale: float) -> Forest:
    """One forest that answers the sum of the others' answers times `scale`."""
    starts = np.cumsum([0, *(len(f.feature) for f in forests)])
    pairs = list(zip(forests, starts, strict=False))
    return Forest(
        np.concatenate([f.roots + s for f, s in pairs]).astype(np.int32),
        np.concatenate([f.feature for f in forests]),
        np.concatenate([f.threshold for f in forests]),
        np.concatenate([np.where(f.feature == LEAF, 0, f.left + s) for f, s in pairs]).astype(np.int32),
        np.concatenate([np.where(f.feature == LEAF, 0, f.right + s) for f, s in pairs]).astype(np.int32),
        np.concatenate([f.value * np.float32(scale) for f in forests]),
        max(f.depth for f in forests),
    )
