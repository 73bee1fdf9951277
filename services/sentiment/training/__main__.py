"""Trains, measures and writes the model and its card."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.sentiment import model as shipped
from services.sentiment.domain.model import LinearModel, SentimentModel
from services.sentiment.domain.text import Language
from services.sentiment.training import card, figures
from services.sentiment.training.data import (
    CALIBRATE,
    TRAIN,
    VALIDATE,
    DataError,
    Example,
    read,
)
from services.sentiment.training.fit import HeadSpec, calibrate, fit_head
from services.sentiment.training.labels import NEUTRAL, POSITIVE

SPECS: Final[dict[Language, tuple[HeadSpec, HeadSpec]]] = {
    "zh": (HeadSpec(bits=21, longest=4, strength=10.0), HeadSpec(bits=19, longest=4, strength=10.0)),
    "en": (HeadSpec(bits=19, longest=5, strength=10.0), HeadSpec(bits=19, longest=5, strength=10.0)),
}
"""Per language: the polar head, the neutral head."""

CALIBRATED_ON: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("online_shopping_zh", "waimai_zh", "weibo_covid_zh", "atec_zh", "shop_chat_zh"),
    "en": ("airline_en",),
}
ANSWERED_RIGHT: Final[dict[Language, float]] = {"zh": 0.95, "en": 0.88}
"""Share of its answers that must be right on the calibration split; below that confidence: "unsure"."""


def train(language: Language, examples: Sequence[Example]) -> LinearModel:
    """The calibrated model of a language."""
    polar_spec, neutral_spec = SPECS[language]
    polar_examples = [e for e in examples if e.label != NEUTRAL]
    heads = []
    for name, spec, subset, yes in (
        ("polar", polar_spec, polar_examples, POSITIVE),
        ("neutral", neutral_spec, list(examples), NEUTRAL),
    ):
        begun = time.monotonic()
        mine = [e for e in subset if e.split == TRAIN]
        held = [e for e in subset if e.split == CALIBRATE and e.source in CALIBRATED_ON[language]]
        weight = np.array([e.weight for e in mine])
        head = fit_head([e.text for e in mine], np.array([e.label == yes for e in mine]), weight, spec)
        truth = np.array([e.label == yes for e in held])
        head = calibrate(head, [e.text for e in held], truth, spec.longest)
        heads.append(head)
        print(
            f"{language} {name}: {len(mine)} texts, {np.count_nonzero(head.weights)} weights, "
            f"temperature {head.temperature:.3f}, {time.monotonic() - begun:.0f} s",
            flush=True,
        )
    model = LinearModel(heads[0], heads[1], polar_spec.longest, 0.0)
    held = [e for e in examples if e.split == CALIBRATE and e.source in CALIBRATED_ON[language]]
    p = figures.predict(model, [e.text for e in held])
    sure = figures.threshold(p, np.array([e.label for e in held]), ANSWERED_RIGHT[language])
    return LinearModel(heads[0], heads[1], polar_spec.longest, sure)


def main() -> int:
    """Runs the training; 1 where the data can't be read."""
    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/, emotion/, questions/")
    parser.add_argument("--out", type=Path, default=shipped.FOLDER, help="where the weights go")
    parser.add_argument("--card", type=Path, default=Path("docs/models/sentiment.md"), help="the model card")
    args = parser.parse_args()
    models: dict[Language, LinearModel] = {}
    measured: dict[str, Any] = {}
    held: list[Example] = []
    sizes: dict[str, dict[str, int]] = {}
    try:
        for language in SPECS:
            examples = read(args.data, language)
            models[language] = train(language, examples)
            mine = [e for e in examples if e.split == VALIDATE]
            held += mine
            measured |= figures.measure(models[language], language, mine)
            for split in (TRAIN, CALIBRATE, VALIDATE):
                for e in examples:
                    if e.split == split:
                        sizes.setdefault(e.source, dict.fromkeys((TRAIN, CALIBRATE, VALIDATE), 0))[split] += 1
    except DataError as e:
        print(e, file=sys.stderr)
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    shipped.save(args.out, models, measured)
    speed = figures.speed(SentimentModel(models), [e.text for e in held])
    size = sum((args.out / name).stat().st_size for name in ("weights.npz", "model.json"))
    print("\n".join(figures.as_table(measured)))
    print(f"{size / 1e6:.2f} MB; {speed['per_second']} messages/s in batches; {speed['alone_us']} µs for one alone")
    args.card.parent.mkdir(parents=True, exist_ok=True)
    args.card.write_text(card.write(models, measured, sizes, size), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
