"""Trains the sentiment models, measures them, and writes the model card.

python -m services.sentiment.training --data ../shared/data [--teacher FILE]
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment import model as shipped
from services.sentiment.domain import cascade
from services.sentiment.domain.cascade import OUTPUTS, Answers, LanguageModel
from services.sentiment.domain.encode import encode_normalised
from services.sentiment.domain.model import BATCH
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
    former,
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
from services.sentiment.training.data import TRAIN, TUNE, VALIDATE, DataError, Example, read
from services.sentiment.training.notes import Notes
from services.sentiment.training.teacher import TeacherError
from services.sentiment.training.trained import Trained, trained_before, write_told

Floats = NDArray[np.float64]

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
DOUBT: Final[dict[Language, float]] = {"zh": 0.1, "en": 0.1}
"""Above this chance of a wrong label or emotion the network is asked: read off the model card's curve."""
TILT: Final = 0.15
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
class Parts:
    """What is trained of a language; no network: the linear heads answer alone."""

    linear: build.Linear
    vocabulary: Vocabulary | None = None
    network: Network | None = None
    params: student.Params | None = None


def fit_parts(
    language: Language,
    examples: Sequence[Example],
    vocabulary: Vocabulary,
    notes: Notes,
    before: former.Former | None = None,
) -> Parts:
    """Everything of a language that is trained, on all of the examples; the network goes on from the one before, if any."""
    linear = build.linear_heads(examples, language)
    network, params = second.train(language, examples, vocabulary, notes, before)
    return Parts(linear, vocabulary, network, params)


def train(
    language: Language,
    examples: Sequence[Example],
    notes: Notes,
    before: former.Former | None = None,
    *,
    refit: bool = True,
) -> Trained:
    """Trains on the training split, fits the mix on the tuning split, measures on the validation split; then trains on all.

    before: the network measured before, from which the new one goes on where no teacher has left notes.
    """
    mine = [e for e in examples if e.split == TRAIN]
    known = list(before.network.vocabulary.words) if before is not None else notes.words[language]
    vocabulary = Vocabulary(known or words.words([e.text for e in mine], language))
    parts = fit_parts(language, mine, vocabulary, notes, before)
    measured = judge(language, examples, parts)
    if not refit:
        return replace(measured, clean=measured.kept)
    whole = refitted(measured, fit_parts(language, examples, vocabulary, notes, before), learnt_all=True)
    return replace(whole, clean=measured.kept)


def gone_on(
    language: Language, examples: Sequence[Example], before: former.Former, told: Trained
) -> tuple[Trained, list[refuse.Worse]]:
    """A model that goes on from one that has learnt from all texts, under its mix and limits. Nothing is left to measure it on: what was told
    of the one before is told of it. Returns in what it is worse than that even on texts that it has learnt from."""
    nothing = Notes({}, {}, {language: []}, {language: []})
    parts = fit_parts(language, examples, Vocabulary(before.network.vocabulary.words), nothing, before)
    made = refitted(told, parts, learnt_all=True)
    held = [e for e in examples if e.split == VALIDATE]
    remembered = figures.measure(held, answer(made.kept.model, held))
    print("\n".join(["remembered, not measured:", *figures.as_table(remembered)]))
    # What is remembered is surer than what is known: only a fall in accuracy says something.
    return made, [w for w in refuse.worse(told.measured, remembered) if not w.figure.endswith("ece")]


def refitted(measured: Trained, parts: Parts, *, learnt_all: bool) -> Trained:
    """What is shipped: the parts fitted on all texts, once the figures are taken, under the mix and limits of those measured."""
    before = measured.kept.model
    kinds = before.kinds
    if kinds is not None and parts.linear.kinds is not None:
        kinds = replace(kinds, heads=parts.linear.kinds)
    model = replace(before, polar=parts.linear.polar, side=parts.linear.side, kinds=kinds, network=parts.network)
    return replace(measured, kept=replace(_kept(model, parts), learnt_all=learnt_all))


def judge(language: Language, examples: Sequence[Example], parts: Parts) -> Trained:
    """Mixes the parts as the tuning texts say, and measures what would be served on the validation texts."""
    tune, held = ([e for e in examples if e.split == split] for split in (TUNE, VALIDATE))
    model = _limited(mixed(language, tune, parts), language, tune)
    answers = answer(model, held)
    odds = build.linear_odds(parts.linear, [e.text for e in held], language).outputs(model.kinds)
    return Trained(
        _kept(model, parts),
        _with_unsure(figures.measure(held, answers), held, answers, model),
        figures.measure(held, answer(replace(model, network=None), held)),
        {s: report.curve(model, held, odds, _opinion(parts, held), s) for s in _CURVES[language] if parts.network},
        {s: report.parts(held, answers, s) for s in _CURVES[language]},
        report.errors(held, answers, _CURVES[language]),
    )


def mixed(language: Language, tune: Sequence[Example], parts: Parts) -> LanguageModel:
    """The model with its mix fitted on texts that none of its parts has seen."""
    target, weight = mixing.targets(tune)
    counts = mixing.importance(tune, weight)
    odds = build.linear_odds(parts.linear, [e.text for e in tune], language)
    kinds = build.kinds_of(parts.linear, odds, target, counts)
    z, opinion = odds.outputs(kinds), _opinion(parts, tune)
    spec = build.LINEAR[language]
    return LanguageModel(
        spec.longest,
        parts.linear.polar,
        parts.linear.side,
        mixing.fit(z, None, target, counts, TILT),
        parts.network,
        mixing.fit(z, opinion, target, counts, TILT),
        DOUBT[language] if parts.network else 1.0,
        0.0,
        0.0,
        spec.words,
        kinds,
    )


def _opinion(parts: Parts, examples: Sequence[Example]) -> Floats:
    if parts.network is None:
        return np.zeros((len(examples), len(OUTPUTS)))
    return build.network_odds(parts.network, [e.text for e in examples])


def answer(model: LanguageModel, examples: Sequence[Example]) -> Answers:
    """What the model says of the examples, as it is served."""
    texts = [e.text for e in examples]
    some = [cascade.answer(model, encode_normalised(texts[i : i + BATCH])) for i in range(0, len(texts), BATCH)]
    return Answers(np.concatenate([a.log_odds for a in some]), np.concatenate([a.asked for a in some]))


def _limited(model: LanguageModel, language: Language, held: Sequence[Example]) -> LanguageModel:
    """The model with the confidences below which it is unsure."""
    answers = answer(model, held)
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
    if parts.params is None or parts.vocabulary is None:
        return Kept(model, learnt_all=False)
    rows, steps = second.packed(np.asarray(parts.params["embedding"]))
    layers = {k: np.asarray(v, dtype=np.float32) for k, v in parts.params.items() if k != "embedding"}
    return Kept(model, parts.vocabulary.words, rows, steps, layers, learnt_all=False)


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
        "--teacher-seconds", type=float, default=1200.0, help="how long it is fine-tuned; 0: only its words are used"
    )
    parser.add_argument("--feedback", type=Path, help="corrections: lines of `touchline sentiment feedback export`")
    parser.add_argument(
        "--no-refit", action="store_true", help="ship what was measured, not the same trained on all texts"
    )
    parser.add_argument(
        "--language", choices=LANGUAGES, action="append", help="train only this one, the other stays (may be repeated)"
    )
    parser.add_argument("--accept-worse", action="store_true", help="replace the shipped model even by a worse one")
    args = parser.parse_args()
    begun = time.monotonic()
    try:
        corrections = feedback.read(args.feedback) if args.feedback else []
        examples = {k: read(args.data, k, feedback.examples(corrections, k)) for k in LANGUAGES}
        notes = Notes.of(args.teacher, examples, args.teacher_seconds)
        before = former.read(shipped.FOLDER) if args.teacher is None else {}
        known = trained_before(shipped.FOLDER, LANGUAGES)
        trained, fallen = {}, []
        for k in LANGUAGES:
            if args.language and k not in args.language and k in known:
                trained[k] = known[k]
            elif k in known and k in before and before[k].learnt_all:
                trained[k], worse = gone_on(k, examples[k], before[k], known[k])
                fallen += worse
            else:
                clean = before[k] if k in before and not before[k].learnt_all else None
                trained[k] = train(k, examples[k], notes, clean, refit=not args.no_refit)
        told = feedback.calibration(corrections).error if corrections else None
        taught = former.TOLD if before else notes.told()
        listed = [] if args.accept_worse else fallen
        listed = listed or ship(args.out, args.card, examples, trained, taught, told, accept_worse=args.accept_worse)
    except (DataError, feedback.FeedbackError, TeacherError, gate.GateError, shipped.ModelError) as e:
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
    teacher: str,
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
    former.keep(out, {language: one.clean for language, one in trained.items() if one.clean is not None})
    write_told(out, trained)
    known = {
        k: familiar.learn(k, *([e.text for e in own if e.split == split] for split in (TRAIN, VALIDATE)))
        for k, own in examples.items()
    }
    familiarity.save(known, out / "familiarity.npz")
    size = sum(
        (out / name).stat().st_size for name in ("weights.npz", "model.json", former.FILE) if (out / name).exists()
    )
    print(f"{size / 1e6:.2f} MB")
    page.parent.mkdir(parents=True, exist_ok=True)
    more = [*behaviour.table(rates), "", *peers.table(peers.load())]
    page.write_text(card.write(trained, _sizes(examples), size, teacher, more, told), encoding="utf-8")
    return []


def _sizes(examples: Mapping[Language, Sequence[Example]]) -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, int]] = {}
    for own in examples.values():
        for e in own:
            sizes.setdefault(e.source, {TRAIN: 0, TUNE: 0, VALIDATE: 0})[e.split] += 1
    return sizes


if __name__ == "__main__":
    sys.exit(main())
