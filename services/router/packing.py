"""A pool as it is stored, where only what changed since the last time is written anew.

Most of a pool stays what it was from one batch to the next, and what stays is the same object: its JSON is kept beside
it. A pool with 20,000 waiting is then joined from pieces instead of encoded field by field.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from services.router.domain.copying import changed
from services.router.domain.draft import MAPS
from services.router.domain.pool import Pool

POOLS_KEPT = 64
"""Pools whose pieces are kept; one that wasn't stored for longest is forgotten first, and encoded as a whole next time."""

_Pieces = dict[str, tuple[object, bytes]]
"""Key → the value as it was, and its entry in JSON."""


class Packing:
    """One for a pipeline: its `pack`."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._pools: OrderedDict[str, dict[str, _Pieces]] = OrderedDict()
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, pool: Pool) -> Pool:
        """Return the pool with maps of JSON, and no index: the same text as `stored` gives."""
        pieces = self._pools.pop(pool.pool, None) or {name: {} for name in MAPS}
        self._pools[pool.pool] = pieces
        if len(self._pools) > POOLS_KEPT:
            self._pools.popitem(last=False)
        return changed(pool, index=None, **{name: self._joined(pieces[name], getattr(pool, name)) for name in MAPS})

    def _joined(self, pieces: _Pieces, now: Mapping[str, object]) -> msgspec.Raw:
        encode, known, items = self._encode, pieces.get, now.items()
        for key, value in items:
            piece = known(key)
            if piece is None or piece[0] is not value:
                pieces[key] = (value, b"%b:%b" % (encode(key), encode(value)))
        if len(pieces) > len(items):
            for key in pieces.keys() - now.keys():
                del pieces[key]
        return msgspec.Raw(b"{%b}" % b",".join([text for _, text in pieces.values()]))
