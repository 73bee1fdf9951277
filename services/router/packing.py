"""A pool as it is stored, where only what changed since the last time is written anew.

Most of a pool stays what it was from one batch to the next, and what stays is the same object: its JSON is kept beside
it. A pool with 20,000 waiting is then joined from pieces instead of encoded field by field.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from services.router.domain.copying import changed
from services.router.domain.draft import MAPS
from services.router.domain.pool import Pool

POOLS_KEPT = 64
"""Pools whose pieces are kept; one that wasn't stored for longest is forgotten first, and encoded as a whole next time."""

_Pieces = dict[str, dict[str, tuple[object, msgspec.Raw]]]


class Packing:
    """One for a pipeline: its `pack`."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._pools: OrderedDict[str, _Pieces] = OrderedDict()
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, pool: Pool) -> Pool:
        """Return the pool with plain maps of JSON, and no index: the same text as `stored` gives."""
        before = self._pools.pop(pool.pool, {})
        pieces: _Pieces = {}
        plain: dict[str, Any] = {"index": None}
        for name in MAPS:
            known, kept = before.get(name, {}), {}
            for key, value in getattr(pool, name).items():
                piece = known.get(key)
                if piece is None or piece[0] is not value:
                    piece = (value, msgspec.Raw(self._encode(value)))
                kept[key] = piece
            pieces[name] = kept
            plain[name] = {key: piece[1] for key, piece in kept.items()}
        self._pools[pool.pool] = pieces
        if len(self._pools) > POOLS_KEPT:
            self._pools.popitem(last=False)
        return changed(pool, **plain)
