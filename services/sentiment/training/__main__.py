"""Trains the sentiment models, measures them, and writes the model card.

python -m services.sentiment.training --data ../shared/data [--teacher FILE]
"""

import argparse
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment import model as shipped
from services.sentiment.domain import cascade
from services.sentiment.domain.cascade import Answers, LanguageModel, Mix
from services.sentiment.domain.linear import Heads
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import Language
from services.sentiment.domain.units import Vocabulary
from services.sentiment.model import Kept, familiarity
from services.sentiment.training import (
    behaviour,
    build,
    card,
    familiar,
    feedback,
    figures,
    gate,
    mixing,
    peers,
    refuse,
    report,
    second,
    student,
    words,
)
from services.sentiment.training.behaviour_cases import all_cases
from services.sentiment.training.data import TRAIN, VALIDATE, DataError, Example, read
from services.sentiment.training.notes import Notes
from services.sentiment.training.teacher import TeacherError

Floats = NDArray[np.float64]

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
DOUBT: Final[dict[Language, float]] = {"zh": 0.02, "en": 0.02}
"""Above this chance of a wrong label or emotion the network is asked: read off the model card's curve."""
TILT: Final = 0.3
"""How far the emotions' chances are evened out: what it costs and gains is in the model card."""
RIGHT: Final[dict[Language, float]] = {"zh": 0.95, "en": 0.88}
"""Share of the labels given that must be right on the validation texts; below that confidence: "unsure"."""
EMOTION_RIGHT: Final = 0.8
_JUDGED: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("online_shopping_zh", "waimai_zh", "weibo_covid_zh", "shop_chat_zh"),
    "en": ("airline_en",),
}
_CURVES: Final[dict[Language, tuple[str, ...]]] = {"zh": ("online_shopping_zh", "waimai_zh"), "en": ("airline_en",)}


@dataclass(frozen=True, slots=True)
class Trained:
    """A language's model, what was measured of it on the validation texts, and its parts of the model card."""

    kept: Kept
    measured: dict[str, figures.Figures]
    alone: dict[str, figures.Figures]
    curves: dict[str, list[dict[str, float]]]
    parts: dict[str, list[str]]
    errors: list[str]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is trained of a language; no network: the linear heads answer alone."""

    heads: tuple[Heads, Heads]
    vocabulary: Vocabulary | None = None
    network: Network | None = None
    params: student.Params | None = None


def fit_parts(language: Language, examples: Sequence[Example], vocabulary: Vocabulary, notes: Notes) -> Parts:
    """Everything of a language that is trained, on all of the examples."""
    heads = build.linear_heads(examples, language)
    network, params = second.train(language, examples, vocabulary, notes.answers, notes.vectors)
    return Parts(heads, vocabulary, network, params)


def train(language: Language, examples: Sequence[Example], notes: Notes, *, whole: bool) -> Trained:
    """Trains on the training split, mixes and measures on the validation split, then (`whole`) trains on all of it."""
    mine = [e for e in examples if e.split == TRAIN]
    vocabulary = Vocabulary(notes.words[language] or words.words([e.text for e in mine], language))
    judged = judge(language, [e for e in examples if e.split == VALIDATE], fit_parts(language, mine, vocabulary, notes))
    if not whole:
        return judged
    final = fit_parts(language, examples, vocabulary, notes)
    return replace(judged, kept=_kept(judged.kept.model, final))


def judge(language: Language, held: Sequence[Example], parts: Parts) -> Trained:
    """Mixes the parts on the validation texts, and measures them: each half by the other half's mix."""
    texts = [e.text for e in held]
    linear = build.linear_odds(parts.heads, texts, language)
    opinion = build.network_odds(parts.network, texts) if parts.network else np.zeros_like(linear)
    target, weight = mixing.targets(held)
    counts = mixing.importance(held, weight)
    limit = DOUBT[language] if parts.network else 1.0

    def mixes(some: NDArray[np.bool_]) -> tuple[Mix, Mix]:
        alone = mixing.fit(linear[some], None, target[some], counts[some], TILT)
        return alone, mixing.fit(linear[some], opinion[some], target[some], counts[some], TILT)

    half = np.array([zlib.crc32(t.encode("utf-8", "surrogatepass"), 9) % 2 == 1 for t in texts])
    first, mixed = np.zeros_like(linear), np.zeros_like(linear)
    asked = np.zeros(len(held), dtype=np.bool_)
    for own in (half, ~half):
        alone, both = mixes(~own)
        first[own] = linear[own] * alone.linear + alone.bias
        asked[own] = cascade.doubt(Answers(first[own], asked[own])) > limit
        again = linear[own] * both.linear + opinion[own] * both.network + both.bias
        mixed[own] = np.where(asked[own][:, None], again, first[own])
    answers = Answers(mixed, asked)
    alone, both = mixes(np.ones(len(held), dtype=np.bool_))
    longest = build.LINEAR[language].longest
    whole = LanguageModel(longest, *parts.heads, alone, parts.network, both, limit, 0.0, 0.0)
    model = _limited(whole, language, held, answers)
    return Trained(
        _kept(model, parts),
        _with_unsure(figures.measure(held, answers), held, answers, model),
        figures.measure(held, Answers(first, np.zeros(len(held), dtype=np.bool_))),
        {s: report.curve(model, held, linear, opinion, s) for s in _CURVES[language] if parts.network},
        {s: report.parts(held, answers, s) for s in _CURVES[language]},
        report.errors(held, answers, _CURVES[language]),
    )


def _limited(model: LanguageModel, language: Language, held: Sequence[Example], answers: Answers) -> LanguageModel:
    """The model with the confidences below which it is unsure."""
    judged = np.array([e.source in _JUDGED[language] and e.label is not None for e in held])
    truth = np.array([-1 if e.label is None else e.label for e in held])
    p = answers.label()
    unsure = figures.threshold(p.max(axis=1)[judged], (p.argmax(axis=1) == truth)[judged], RIGHT[language])
    felt = np.array([e.emotion is not None and e.source in ("weibo_covid_zh", "airline_en") for e in held])
    feels = np.array([-1 if e.emotion is None else e.emotion for e in held])
    q = answers.emotion()
    emotion_unsure = figures.threshold(q.max(axis=1)[felt], (q.argmax(axis=1) == feels)[felt], EMOTION_RIGHT)
    return replace(model, unsure=unsure, emotion_unsure=emotion_unsure)


def _with_unsure(
    measured: dict[str, figures.Figures], held: Sequence[Example], answers: Answers, model: LanguageModel
) -> dict[str, figures.Figures]:
    sure = answers.label().max(axis=1)
    for source, own in measured.items():
        rows = np.array([e.source == source for e in held])
        own["unsure"] = round(float((sure[rows] < model.unsure).mean()), 4)
        own["second_opinion"] = round(float(answers.asked[rows].mean()), 4)
    return measured


def _kept(model: LanguageModel, parts: Parts) -> Kept:
    served = replace(model, polar=parts.heads[0], side=parts.heads[1], network=parts.network)
    if parts.params is None or parts.vocabulary is None:
        return Kept(served)
    rows, steps = second.packed(np.asarray(parts.params["embedding"]))
    layers = {k: np.asarray(v, dtype=np.float32) for k, v in parts.params.items() if k != "embedding"}
    return Kept(served, parts.vocabulary.words, rows, steps, layers)


def main() -> int:
    """Runs the training; 1 where the data can't be read."""
    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with sentiment/, emotion/, complaints/, questions/"
    )
    parser.add_argument("--out", type=Path, default=shipped.FOLDER, help="where the weights go")
    parser.add_argument("--card", type=Path, default=Path("docs/models/sentiment.md"), help="the model card")
    parser.add_argument("--teacher", type=Path, help="the teacher's notes; made first where the file is missing (slow)")
    parser.add_argument(
        "--held-back", action="store_true", help="leave the validation texts out of the final training too"
    )
    parser.add_argument("--feedback", type=Path, help="corrections: lines of `touchline sentiment feedback export`")
    parser.add_argument("--accept-worse", action="store_true", help="replace the shipped model even by a worse one")
    args = parser.parse_args()
    begun = time.monotonic()
    try:
        corrections = feedback.read(args.feedback) if args.feedback else []
        examples = {k: read(args.data, k, feedback.examples(corrections, k)) for k in LANGUAGES}
        notes = Notes.of(args.teacher, examples)
        trained = {k: train(k, examples[k], notes, whole=not args.held_back) for k in LANGUAGES}
        told = feedback.calibration(corrections).error if corrections else None
        listed = ship(args.out, args.card, examples, trained, notes.taught, told, accept_worse=args.accept_worse)
    except (DataError, feedback.FeedbackError, TeacherError, gate.GateError) as e:
        print(e, file=sys.stderr)
        return 1
    if listed:
        print(refuse.report(listed), file=sys.stderr)
        return 1
    print(f"{time.monotonic() - begun:.0f} s")
    return 0


def ship(
    out: Path,
    page: Path,
    examples: Mapping[Language, Sequence[Example]],
    trained: Mapping[Language, Trained],
    taught: bool,
    told: float | None,
    *,
    accept_worse: bool,
) -> list[refuse.Worse]:
    """Writes model and card, unless the model is worse than the best so far: then in what, and nothing is written."""
    measured = {k: v for one in trained.values() for k, v in one.measured.items()}
    print("\n".join(figures.as_table(measured)))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shipped.save(folder, {language: one.kept for language, one in trained.items()}, measured)
        rates = behaviour.run(shipped.load(folder).score_batch, all_cases())
        listed = [] if accept_worse else gate.worse(out, measured, rates)
        if listed:
            return listed
        out.mkdir(parents=True, exist_ok=True)
        for name in ("weights.npz", "model.json"):
            shutil.copyfile(folder / name, out / name)
    gate.keep(out, measured, rates, anew=accept_worse)
    known = {
        k: familiar.learn(k, *([e.text for e in own if e.split == split] for split in (TRAIN, VALIDATE)))
        for k, own in examples.items()
    }
    familiarity.save(known, out / "familiarity.npz")
    size = sum((out / name).stat().st_size for name in ("weights.npz", "model.json"))
    print(f"{size / 1e6:.2f} MB")
    page.parent.mkdir(parents=True, exist_ok=True)
    more = [*behaviour.table(rates), "", *peers.table(peers.load())]
    page.write_text(card.write(trained, _sizes(examples), size, taught, more, told), encoding="utf-8")
    return []


def _sizes(examples: Mapping[Language, Sequence[Example]]) -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, int]] = {}
    for own in examples.values():
        for e in own:
            sizes.setdefault(e.source, {TRAIN: 0, VALIDATE: 0})[e.split] += 1
    return sizes


if __name__ == "__main__":
    sys.exit(main())
