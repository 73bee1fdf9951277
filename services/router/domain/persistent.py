"""Maps and ordered sequences that share what they have in common with the version before them.

A pool with 20,000 waiting changes a few entries with each event, and the state before stays what it was: a change
copies one small part and the list of parts, never the whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from itertools import chain, islice
from typing import Any, Generic, TypeVar

V = TypeVar("V")
T = TypeVar("T", bound=tuple[Any, ...])

_WIDTH = 32
"""Rows of a map, and buckets of a row: a change copies one row and one bucket of 20 entries, where 20,000 are in the map."""
_SHIFT = 5
_MASK = _WIDTH - 1
_CHUNK = 256
_PIECE = 64
_NOTHING: dict[str, Any] = {}
_EMPTY = [_NOTHING] * _WIDTH


class PMap(Mapping[str, V]):
    """A persistent map from texts. Its order of iteration means nothing: whoever decides by it sorts first."""

    __slots__ = ("_rows", "_size")

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        """Take the entries of another map."""
        self._rows: list[list[dict[str, V]]] = [_EMPTY] * _WIDTH
        self._size = 0
        for key, value in (items or {}).items():
            code = hash(key)
            i, j = code & _MASK, code >> _SHIFT & _MASK
            if self._rows[i] is _EMPTY:
                self._rows[i] = _EMPTY.copy()
            if self._rows[i][j] is _NOTHING:
                self._rows[i][j] = {}
            self._rows[i][j][key] = value
            self._size += 1

    def __getitem__(self, key: str) -> V:
        code = hash(key)
        return self._rows[code & _MASK][code >> _SHIFT & _MASK][key]

    def __contains__(self, key: object) -> bool:
        code = hash(key)
        return key in self._rows[code & _MASK][code >> _SHIFT & _MASK]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or the default."""
        code = hash(key)
        return self._rows[code & _MASK][code >> _SHIFT & _MASK].get(key, default)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(chain.from_iterable(self._rows))

    def values(self) -> ValuesView[V]:
        """Return the values, as those of a plain map."""
        return dict(self.items()).values()

    def items(self) -> ItemsView[str, V]:
        """Return the entries, as those of a plain map."""
        full = (bucket.items() for row in self._rows if row is not _EMPTY for bucket in row if bucket)
        return dict(chain.from_iterable(full)).items()

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return len(self) == len(other) and all(other.get(key) == value for key, value in self.items())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PMap({dict(self)!r})"

    def put(self, key: str, value: V) -> PMap[V]:
        """Return the map with this entry."""
        code = hash(key)
        i, j = code & _MASK, code >> _SHIFT & _MASK
        new: PMap[V] = object.__new__(PMap)
        new._rows = rows = self._rows.copy()
        rows[i] = row = rows[i].copy()
        row[j] = bucket = row[j].copy()
        new._size = self._size + (key not in bucket)
        bucket[key] = value
        return new

    def drop(self, key: str) -> PMap[V]:
        """Return the map without this key; itself where it has none."""
        code = hash(key)
        i, j = code & _MASK, code >> _SHIFT & _MASK
        if key not in self._rows[i][j]:
            return self
        new: PMap[V] = object.__new__(PMap)
        new._rows = rows = self._rows.copy()
        rows[i] = row = rows[i].copy()
        left = row[j].copy()
        del left[key]
        row[j] = left or _NOTHING
        new._size = self._size - 1
        return new


class Latest:
    """The last so many texts in their order, and whether one is among them."""

    __slots__ = ("_full", "_last", "_most", "_skip")

    def __init__(self, items: Iterable[str] = (), *, most: int) -> None:
        """Take the last of some texts."""
        every = tuple(items)[-most:]
        ends = range(_PIECE, len(every) + 1, _PIECE)
        self._full = tuple(_piece(every[end - _PIECE : end]) for end in ends)
        self._last = every[len(ends) * _PIECE :]
        self._most = most
        self._skip = 0
        """So many of the first piece are no longer among them."""

    def __len__(self) -> int:
        return len(self._full) * _PIECE - self._skip + len(self._last)

    def __iter__(self) -> Iterator[str]:
        return islice(chain(*(texts for texts, _ in self._full), self._last), self._skip, None)

    def __contains__(self, text: object) -> bool:
        if text in (self._last if self._full else self._last[self._skip :]):
            return True
        for texts, places in self._full:
            if text in places:
                return texts is not self._full[0][0] or places[text] >= self._skip or self._later(text)
        return False

    def _later(self, text: object) -> bool:
        return any(text in places for _, places in self._full[1:])

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Latest | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Latest({tuple(self)!r})"

    def add(self, text: str) -> Latest:
        """Return them with this one behind, and without the first where they are too many."""
        new: Latest = object.__new__(Latest)
        full, last, skip = self._full, (*self._last, text), self._skip
        if len(last) == _PIECE:
            full, last = (*full, _piece(last)), ()
        if len(full) * _PIECE - skip + len(last) > self._most:
            skip += 1
            if skip == _PIECE:
                full, skip = full[1:], 0
        new._full, new._last, new._skip, new._most = full, last, skip, self._most
        return new


def _piece(texts: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, int]]:
    return texts, {text: i for i, text in enumerate(texts)}


def differing(before: Mapping[str, V], after: Mapping[str, V]) -> Iterator[tuple[str, V | None]]:
    """Yield what is not in `after` as it was: key and value, None where it is gone. Values are never None."""
    if isinstance(before, PMap) and isinstance(after, PMap):
        for row, row_now in zip(before._rows, after._rows, strict=True):
            if row is row_now:
                continue
            for was, now in zip(row, row_now, strict=True):
                if was is not now:
                    yield from _differing(was, now)
    else:
        yield from _differing(before, after)


def _differing(was: Mapping[str, V], now: Mapping[str, V]) -> Iterator[tuple[str, V | None]]:
    for key, value in now.items():
        before = was.get(key)
        if before is not value and before != value:
            yield key, value
    for key in was:
        if key not in now:
            yield key, None


class Ordered(Generic[T]):
    """Tuples in their order, each once, in chunks."""

    __slots__ = ("_chunks", "_lasts", "_size")

    def __init__(self, items: Iterable[T] = ()) -> None:
        """Take items in any order."""
        every = sorted(items)
        half = _CHUNK // 2
        self._chunks = [every[i : i + half] for i in range(0, len(every), half)]
        self._lasts = [chunk[-1] for chunk in self._chunks]
        """Of each chunk its last. No list is ever changed once it is here."""
        self._size = len(every)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._chunks)

    def __contains__(self, item: T) -> bool:
        i = self._chunk(item)
        if i == len(self._chunks):
            return False
        chunk = self._chunks[i]
        j = bisect_left(chunk, item)
        return j < len(chunk) and chunk[j] == item

    @property
    def first(self) -> T:
        """The smallest. Raises IndexError where there is none."""
        return self._chunks[0][0]

    def head(self, n: int) -> list[T]:
        """Return the n smallest."""
        return list(islice(self, n))

    def _chunk(self, item: T) -> int:
        """Which chunk the item belongs to: the first whose last is not smaller."""
        return bisect_left(self._lasts, item)

    def rank(self, item: T) -> int:
        """Return how many are smaller."""
        i = self._chunk(item)
        before = sum(map(len, self._chunks[:i]))
        return before + (bisect_left(self._chunks[i], item) if i < len(self._chunks) else 0)

    def add(self, item: T) -> Ordered[T]:
        """Return the sequence with this item."""
        chunks, lasts = self._chunks, self._lasts
        if not chunks:
            return _ordered([[item]], [item], 1)
        i = min(bisect_left(lasts, item), len(chunks) - 1)
        chunk = chunks[i]
        j = bisect_left(chunk, item)
        if j < len(chunk) and chunk[j] == item:
            return self
        grown = chunk.copy()
        grown.insert(j, item)
        chunks = chunks.copy()
        if len(grown) > _CHUNK:
            half = _CHUNK // 2
            chunks[i : i + 1] = grown[:half], grown[half:]
            lasts = lasts.copy()
            lasts[i : i + 1] = grown[half - 1], grown[-1]
        else:
            chunks[i] = grown
            if j == len(chunk):
                lasts = lasts.copy()
                lasts[i] = item
        return _ordered(chunks, lasts, self._size + 1)

    def remove(self, item: T) -> Ordered[T]:
        """Return the sequence without this item; itself where it has none."""
        chunks, lasts = self._chunks, self._lasts
        i = bisect_left(lasts, item)
        if i == len(chunks):
            return self
        chunk = chunks[i]
        j = bisect_left(chunk, item)
        if chunk[j] != item:
            return self
        left = chunk.copy()
        del left[j]
        chunks = chunks.copy()
        if not left:
            del chunks[i]
            lasts = lasts.copy()
            del lasts[i]
        else:
            chunks[i] = left
            if j == len(left):
                lasts = lasts.copy()
                lasts[i] = left[-1]
        return _ordered(chunks, lasts, self._size - 1)


def _ordered(chunks: list[list[T]], lasts: list[T], size: int) -> Ordered[T]:
    new: Ordered[T] = object.__new__(Ordered)
    new._chunks = chunks
    new._lasts = lasts
    new._size = size
    return new
