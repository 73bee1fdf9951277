"""The teacher's encoder: it learns what it is taught, and padding changes no answer."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="only `make train TEACHER=1` needs PyTorch")

from services.sentiment.training import encoder
from services.sentiment.training.teacher import _BLOCK_TYPE, Teacher, Tokeniser

SIZE, LAYERS = 32, 2
PIECES = {
    piece: number for number, piece in enumerate(("<s>", "</s>", "<unk>", "\u2581query:", "\u2581好", "\u2581坏"))
}


def a_teacher() -> Teacher:
    """A tiny encoder with random weights that knows six pieces."""
    rng = np.random.default_rng(3)

    def some(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.2, shape).astype(np.float32)

    tensors = {"emb.pos": some(16, SIZE), "emb.type": some(SIZE), "emb.ln.w": np.ones(SIZE), "emb.ln.b": some(SIZE)}
    for n in range(LAYERS):
        shapes = {"q": (SIZE, SIZE), "k": (SIZE, SIZE), "v": (SIZE, SIZE), "ao": (SIZE, SIZE)}
        shapes |= {"fi": (SIZE, 4 * SIZE), "fo": (4 * SIZE, SIZE)}
        for name, shape in shapes.items():
            tensors |= {f"l{n}.{name}.w": some(*shape), f"l{n}.{name}.b": some(shape[1])}
        for name in ("aln", "oln"):
            tensors |= {f"l{n}.{name}.w": np.ones(SIZE, np.float32), f"l{n}.{name}.b": some(SIZE)}
    words = np.zeros((len(PIECES), SIZE // 32), _BLOCK_TYPE)
    words["scale"], words["nibbles"] = 0.1, rng.integers(0, 256, words["nibbles"].shape)
    tokeniser = Tokeniser(PIECES, np.full(len(PIECES), -1.0, np.float32), {}, 0, 1, 2, 8)
    return Teacher(tensors, tokeniser, LAYERS, 4, words)


def test_it_learns_and_padding_changes_no_answer() -> None:
    teacher, texts = a_teacher(), ["好", "坏", "坏 好 好", "好 坏 坏 坏"] * 40
    last = np.array([[t[-1] == "好", t[-1] != "好", "坏" in t] for t in texts], np.float32)
    data = encoder.tokens(teacher, texts, 16)
    assert data.rows[0].tolist() == [0, 3, 4, 1]
    spec = encoder.TuneSpec(group=(0, 1), frozen=1, tokens=128, rate=3e-3, rounds=12, seconds=60)
    model = encoder.tune(teacher, data, last, np.ones_like(last), spec)
    found, vectors = encoder.answers(teacher, model, data)
    assert ((found[:, 0] > found[:, 1]) == (last[:, 0] > 0)).all()
    assert ((found[:, 2] > 0) == (last[:, 2] > 0)).all()
    assert vectors.shape == (160, SIZE)
    alone, _ = encoder.answers(teacher, model, encoder.Tokens((data.rows[3],)))
    assert alone[0] == pytest.approx(found[3], abs=0.1)  # in halves
