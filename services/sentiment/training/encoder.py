"""The teacher's encoder in PyTorch, and its fine-tuning on the labelled texts of all tasks at once.

PyTorch and not JAX, as the student: its products of halves use the processor's matrix unit, which is six times as fast.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from services.sentiment.training.teacher import Teacher

Floats = NDArray[np.float32]

_EPSILON: Final = 1e-12
_WIDTHS: Final = (16, 24, 32, 40, 48, 64, 96)
_AT_ONCE: Final = 4096
"""Tokens that are answered for in one go."""
PREFIX: Final = "query: "
"""What the encoder was trained to see before a text that is no passage."""


@dataclass(frozen=True, slots=True)
class TuneSpec:
    """How the teacher is fine-tuned. `group` are the columns that exclude each other (one softmax)."""

    group: tuple[int, ...] = ()
    frozen: int = 4
    """So many of the lowest layers stay as they are."""
    longest: int = 64
    tokens: int = 1536
    """A batch's size."""
    rate: float = 1e-4
    head_rate: float = 10.0
    """Of `rate`, for the new outputs."""
    rounds: float = 2.2
    """How often each text is seen, unless the time is over before."""
    dropout: float = 0.1
    seconds: float = 1200.0
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Tokens:
    """Texts as token numbers, one array each."""

    rows: tuple[NDArray[np.int32], ...]

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.array([len(r) for r in self.rows])


def tokens(teacher: Teacher, texts: Sequence[str], longest: int) -> Tokens:
    """The texts' tokens, marks of begin and end included."""
    return Tokens(tuple(np.array(teacher.tokeniser(PREFIX + t, longest), dtype=np.int32) for t in texts))


class Encoder(torch.nn.Module):  # type: ignore[misc,unused-ignore]
    """The teacher's layers with fresh outputs on top; token embeddings come from outside, and stay as they are."""

    def __init__(self, teacher: Teacher, outputs: int, spec: TuneSpec) -> None:
        super().__init__()
        torch.manual_seed(spec.seed)
        given = teacher.tensors
        self.heads, self.layers, self.dropout = teacher.heads, teacher.layers, spec.dropout
        size = given["emb.ln.w"].size
        self.inner = torch.nn.ParameterDict(
            {
                k.replace(".", "_"): _parameter(v)
                for k, v in given.items()
                if k.startswith("l") or k.startswith("emb.ln")
            }
        )
        for name, tensor in self.inner.items():
            tensor.requires_grad_(name[0] == "l" and int(name[1 : name.index("_")]) >= spec.frozen)
        self.register_buffer("places", torch.from_numpy(given["emb.pos"] + given["emb.type"][:size]))
        self.head = torch.nn.Linear(size, outputs)
        torch.nn.init.normal_(self.head.weight, 0, 0.02)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, words: torch.Tensor, there: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The outputs, and the mean of the last layer over a text's tokens, from token embeddings (texts × tokens × size)."""
        x = self._norm(words + self.places[: words.shape[1]], "emb_ln")
        hidden = torch.where(there, 0.0, -1e9)[:, None, None, :]
        for number in range(self.layers):
            x = self._layer(x, hidden, f"l{number}_")
        mask = there[:, :, None].float()
        pooled = (x * mask).sum(1) / mask.sum(1)
        return self.head(functional.dropout(pooled, self.dropout, self.training)), pooled

    def _layer(self, x: torch.Tensor, hidden: torch.Tensor, name: str) -> torch.Tensor:
        batch, length, size = x.shape
        q, k, v = (self._product(x, name + part).view(batch, length, self.heads, -1).transpose(1, 2) for part in "qkv")
        # Written out: the fused one takes ten times as long on its way back, on a processor.
        looks = torch.softmax((q @ k.transpose(2, 3)) * (size / self.heads) ** -0.5 + hidden, dim=-1)
        mixed = (looks.to(v.dtype) @ v).transpose(1, 2).reshape(batch, length, size)
        x = self._norm(x + self._product(mixed, name + "ao"), name + "aln")
        inner = functional.gelu(self._product(x, name + "fi"))
        return self._norm(x + self._product(inner, name + "fo"), name + "oln")

    def _product(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(x, self.inner[name + "_w"].t(), self.inner[name + "_b"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(
            x.float(), x.shape[-1:], self.inner[name + "_w"], self.inner[name + "_b"], _EPSILON
        )


def _parameter(tensor: NDArray[np.float32]) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.from_numpy(np.array(tensor, dtype=np.float32)))


def _loss(out: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, group: Sequence[int]) -> torch.Tensor:
    single = [c for c in range(out.shape[1]) if c not in group]
    entropy = functional.binary_cross_entropy_with_logits(out[:, single], target[:, single], reduction="none")
    total = (entropy * weight[:, single]).sum()
    if group:
        own = list(group)
        total = total - ((functional.log_softmax(out[:, own], 1) * target[:, own]).sum(1) * weight[:, own[0]]).sum()
    return total / out.shape[0]


def tune(teacher: Teacher, data: Tokens, target: Floats, weight: Floats, spec: TuneSpec, say: str = "") -> Encoder:
    """The encoder after `spec.rounds` over the texts, or as many as fit into `spec.seconds`: then it is another each time."""
    model = Encoder(teacher, target.shape[1], spec)
    head = list(model.head.parameters())
    learning = [p for p in model.inner.parameters() if p.requires_grad]
    groups = [{"params": learning}, {"params": head, "lr": spec.rate * spec.head_rate}]
    optimiser = torch.optim.AdamW(groups, lr=spec.rate, betas=(0.9, 0.98), weight_decay=0.01, foreach=True)
    rates = [g["lr"] for g in optimiser.param_groups]
    rng = np.random.default_rng(spec.seed)
    plan = [one for _ in range(int(np.ceil(spec.rounds))) for one in _plan(data, spec, rng)]
    plan = plan[: int(len(plan) * spec.rounds / np.ceil(spec.rounds))]
    begun, recent = time.monotonic(), []
    model.train()
    for at, (rows, width) in enumerate(plan):
        done = max((time.monotonic() - begun) / spec.seconds, at / len(plan))
        if done >= 1:
            break
        # The rate rises over the first twentieth, then falls in a line to nothing at the end.
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, 20 * max(done, 0.002)) * (1 - done)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out, _ = model(*rectangle(teacher, data, rows, width))
        loss = _loss(out.float(), torch.from_numpy(target[rows]), torch.from_numpy(weight[rows]), spec.group)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        recent.append(loss.item())
        if (at + 1) % 100 == 0:
            spent, mean = time.monotonic() - begun, np.mean(recent)
            print(f"{say}: step {at + 1} of {len(plan)}, loss {mean:.4f}, {spent:.0f} s", flush=True)
            recent = []
    model.eval()
    return model


def _plan(data: Tokens, spec: TuneSpec, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.int64], int]]:
    """All texts once, in a random order, those of like length together."""
    lengths = data.lengths()
    order = rng.permutation(len(lengths))
    which = np.searchsorted(_WIDTHS, lengths)
    plan = []
    for bucket, width in enumerate(_WIDTHS):
        mine = order[which[order] == bucket]
        size = spec.tokens // width
        plan += [(mine[i : i + size], width) for i in range(0, len(mine), size)]
    for i in rng.permutation(len(plan)):
        yield plan[i]


def rectangle(teacher: Teacher, data: Tokens, rows: NDArray[np.int64], width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token embeddings of some texts, padded to `width`, and where a token is."""
    there = np.zeros((len(rows), width), dtype=bool)
    numbers = np.zeros((len(rows), width), dtype=np.int64)
    for i, row in enumerate(rows):
        own = data.rows[row][:width]
        numbers[i, : len(own)], there[i, : len(own)] = own, True
    return torch.from_numpy(teacher.rows(numbers)), torch.from_numpy(there)


def answers(teacher: Teacher, model: Encoder, data: Tokens) -> tuple[Floats, Floats]:
    """For each text the encoder's outputs, and its vector."""
    lengths = data.lengths()
    which = np.searchsorted(_WIDTHS, lengths)
    found: list[Any] = [None] * len(lengths)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for bucket, width in enumerate(_WIDTHS):
            mine = np.flatnonzero(which == bucket)
            size = _AT_ONCE // width
            for i in range(0, len(mine), size):
                rows = mine[i : i + size]
                out, pooled = model(*rectangle(teacher, data, rows, width))
                for row, one, two in zip(rows, out.float().numpy(), pooled.float().numpy(), strict=True):
                    found[row] = (one, two)
    return np.stack([f[0] for f in found]), np.stack([f[1] for f in found])
