"""A pool as it is stored: each seat, each contact that waits, each offer is a row of its own, beside a head for the rest.

A batch changes a few of them, and what it doesn't change is the same object as before: only the rest is encoded and
written. With 20,000 waiting that is some kilobytes a batch instead of the pool's twelve megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from services.router.domain.copying import changed
from services.router.domain.draft import MAPS
from services.router.domain.persistent import differing
from services.router.domain.pool import Pool
from services.runtime.checkpoint import Saved
from services.runtime.pipeline import InParts

_NONE: dict[str, Any] = {}
_encode = msgspec.json.Encoder().encode
_pool = msgspec.json.Decoder(Pool)
_entry = {name: msgspec.json.Decoder(get_type_hints(Pool)[name].__args__[1]) for name in MAPS}


def head(pool: Pool) -> Pool:
    """Return the pool without what is kept in parts, and without its index."""
    return changed(pool, index=None, closed=tuple(pool.closed), **dict.fromkeys(MAPS, _NONE))


def parts(before: Pool | None, after: Pool) -> dict[str, bytes | None]:
    """Return what changed, "waiting/k1" → its JSON, None where it is gone; with no before, all of after."""
    return {
        f"{name}/{key}": None if value is None else _encode(value)
        for name in MAPS
        for key, value in differing(getattr(before, name) if before is not None else _NONE, getattr(after, name))
    }


def join(pool: Pool, kept: Mapping[str, bytes]) -> Pool:
    """Return a head with its parts; a pool that was stored whole, from before there were parts, as it is."""
    if not kept:
        return pool
    maps: dict[str, dict[str, Any]] = {name: {} for name in MAPS}
    for part, body in kept.items():
        name, _, key = part.partition("/")
        maps[name][key] = _entry[name].decode(body)
    return changed(pool, **maps)


def whole(saved: Saved) -> Pool:
    """Return a pool as the database has it."""
    return join(_pool.decode(saved.body), saved.parts)


IN_PARTS = InParts[Pool](head, parts, join)
