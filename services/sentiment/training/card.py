"""The model card, written with the figures of the run that made the model."""

from collections.abc import Mapping
from typing import Any

from services.sentiment.domain.model import LinearModel
from services.sentiment.domain.text import Language
from services.sentiment.training import figures

_HEAD = """# Model card: sentiment (linear)

Written by `python -m services.sentiment.training --data ../shared/data`; change the script, not this page.

**What it does.** For one message in Chinese or English: P(negative), P(neutral), P(positive), a polarity
P(positive) − P(negative) from −1 to 1, a label that may be "unsure", and a confidence.

**How.** Two linear heads per language over hashed character 1–4-grams (English: 1–5) of the normalised text (NFKC, lower case,
single spaces, runs of a character cut to two): one tells an opinion from none, one which way an opinion
goes. Weights are logistic regression over naive-Bayes × inverse-text-frequency scaled counts, divided by the root of
the text's n-grams, kept in 8 bits. The score is a plain sum over n-grams, so what each span contributed is exact.

**Calibration.** Platt scaling (a temperature and a bias) per head, on texts of their own. A label is given where the
likeliest class reaches the threshold below, the lowest at which the answers on the calibration texts were right
95 % (zh) or 88 % (en) of the time; below it the label is "unsure", and the probabilities are given all the same.

**Where neutral comes from.** The Chinese review sets know only positive and negative. Neutral is learnt from micro-blog posts
labelled neutral and from customers' questions to a payment service (with the words of that trade cut out, so that it learns how people ask);
English neutral from tweets labelled neutral and some questions to a bank. Neither has a shopper who merely gives an order
number, so `training/phrases.py` adds patterns of shop chat, written for this purpose, in all three classes. A question counts as neutral also where what it asks about is unpleasant.

**Emotion labels.** Micro-blog posts labelled happy count as positive; angry, sad and fear as negative; surprise is left out.
"""

_DATA = """## Data

| data set | what | licence |
|---|---|---|
| online_shopping_zh, waimai_zh | Chinese shop and food delivery reviews, SophonPlus/ChineseNlpCorpus | none stated |
| weibo_covid_zh | Chinese micro-blog emotions, SMP2020-EWECT | none stated |
| atec_zh | customers' questions, Ant Financial ATEC | none stated |
| airline_en | tweets to US airlines, Crowdflower | CC BY-NC-SA |
| banking77_en | customers' questions to a bank, PolyAI | CC BY 4.0 |
| shop_chat_zh, shop_chat_en | patterns of shop chat with slots, written for this model | Apache-2.0 |

The texts themselves are not in this repository. Equal texts (after normalisation) are kept once; the split follows from
the text's CRC-32, so it is the same on every machine: 85 % train, 5 % calibrate, 10 % validate. A shop chat pattern is in one
split with all its sentences; few patterns are in the validation split, and patterns were
added after a look at what failed: its figures say that it carries over, not how well.

"""

_LIMITS = """
## Known limits

- Irony, and polite complaints without a word of displeasure, are read literally.
- Traditional characters are seen rarely in training and are not mapped to simplified ones.
- Trained on reviews, posts and tweets: shop chat is close to them, not the same; no labelled shop chat was at hand.
- waimai_zh carries label noise; one calibration serves all Chinese sets, so each alone is calibrated less well.
- Texts are read up to their first 4096 characters.
"""


def write(
    models: Mapping[Language, LinearModel],
    measured: dict[str, dict[str, float]],
    sizes: Mapping[str, Mapping[str, int]],
    size: int,
) -> str:
    """The whole page. `sizes` has the texts per data set and split, `size` the model's bytes."""
    splits: list[Any] = ["| data set | train | calibrate | validate |", "|---|---|---|---|"]
    splits += [f"| {s} | {n['train']} | {n['calibrate']} | {n['validate']} |" for s, n in sizes.items()]
    thresholds = ", ".join(f"{language} {model.threshold:.2f}" for language, model in models.items())
    page = [_HEAD, f'**Threshold of "unsure"**: {thresholds}. **Size**: {size / 1e6:.2f} MB.\n', _DATA, *splits]
    page += ["", "## Figures on the validation texts", "", *figures.as_table(measured), "", _NOTES, _LIMITS]
    return "\n".join(page).rstrip() + "\n"


_NOTES = """online_shopping_zh and waimai_zh have no neutral class: their accuracy and calibration (ece, 10 bins) are those of the
polarity's sign; the other sets are judged by the likeliest of three classes. "called neutral": share whose likeliest class is
neutral. "unsure": share below the threshold. "word list": a list of about 30 good and 30 bad words per language, with negation."""
