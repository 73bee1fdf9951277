"""Targets: what the lexicon finds, that its evidence adds up, and that a batch says what each text alone says."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services import taxonomy
from services.sentiment.domain.targets import NOTHING, Lexicon, TargetModel, Word, Worth
from services.sentiment.domain.text import Language, encode, languages, normalise
from services.sentiment.model import targets as shipped
from services.sentiment.training import targets as training
from services.sentiment.training.data import DataError

MODEL = shipped.load()
WORTH = Worth(bias=-2.0, sure=3.0, maybe=1.0, threshold=0.5)
SMALL = TargetModel(
    {
        "zh": Lexicon(
            [
                Word("快", "delivery.time", True),
                Word("快乐", NOTHING, True),
                Word("快递员态度", "delivery.courier", True),
                Word("盒", "delivery.packaging", False),
                Word("漏", "delivery.packaging", False),
                Word("漏", "delivery.missing", True),
            ],
            WORTH,
            spaced=False,
        ),
        "en": Lexicon(
            [Word("deliver", "delivery.time", True), Word("app", "other.system", True, whole=True)], WORTH, spaced=True
        ),
    }
)
ZH_TEXTS = st.text(alphabet="快乐递员态度盒漏好 ,", max_size=20)
EN_TEXTS = st.text(alphabet="deliveryap @.", max_size=20) | st.sampled_from(["delivery", "app", "apps", "re app"])


def stages(model: TargetModel, text: str, language: Language) -> set[str]:
    return {t.stage for t in model.targets(normalise(text), language)}


def test_the_longest_word_wins_and_nothing_means_none() -> None:
    assert stages(SMALL, "送得快", "zh") == {"delivery.time"}
    assert stages(SMALL, "快乐", "zh") == set()
    assert stages(SMALL, "快递员态度好", "zh") == {"delivery.courier"}
    assert stages(SMALL, "快递员", "zh") == {"delivery.time"}


def test_maybe_wants_company() -> None:
    assert stages(SMALL, "盒", "zh") == set()
    assert stages(SMALL, "盒,盒,盒", "zh") == set()
    assert stages(SMALL, "盒漏", "zh") == {"delivery.missing", "delivery.packaging"}


def test_english_words_begin_at_a_beginning_and_whole_ones_end_at_an_end() -> None:
    assert stages(SMALL, "Delivered!", "en") == {"delivery.time"}
    assert stages(SMALL, "undelivered", "en") == set()
    assert stages(SMALL, "the app.", "en") == {"other.system"}
    assert stages(SMALL, "apple", "en") == set()
    assert stages(SMALL, "@app_help https://app.deliver", "en") == set()


@settings(deadline=None)
@given(st.lists(ZH_TEXTS | EN_TEXTS, max_size=6))
def test_a_batch_says_what_each_alone_says(texts: list[str]) -> None:
    encoded = encode(texts)
    spoken = languages(encoded)
    for model in (SMALL, MODEL):
        alone = [model.targets(normalise(t), said) for t, said in zip(texts, spoken, strict=True)]
        assert model.of_batch(encoded, spoken) == alone


@given(ZH_TEXTS)
def test_the_words_found_add_up_to_the_log_odds(text: str) -> None:
    plain = normalise(text)
    mentions = SMALL.mentions(plain, "zh")
    for target in SMALL.targets(plain, "zh"):
        odds = SMALL.bias("zh") + math.fsum(m.weight for m in mentions if m.stage == target.stage)
        assert math.log(target.probability / (1 - target.probability)) == pytest.approx(odds)
        assert target.area == target.stage.partition(".")[0]
    for before, after in pairwise(mentions):
        assert before.end <= after.start or (before.start, before.end) == (after.start, after.end)
    assert all(0 <= m.start < m.end <= len(plain) for m in mentions)


@given(st.text(max_size=80))
def test_any_text_can_be_asked(text: str) -> None:
    for language in ("zh", "en"):
        found = MODEL.targets(normalise(text), language)
        assert all(0.4 <= t.probability < 1 for t in found)
        assert [t.probability for t in found] == sorted((t.probability for t in found), reverse=True)


@pytest.mark.parametrize(
    ("text", "language", "stage"),
    [
        ("外卖少了一份", "zh", "delivery.missing"),
        ("外賣少了一份", "zh", "delivery.missing"),
        ("快递太慢了", "zh", "delivery.time"),
        ("客服态度恶劣", "zh", "aftersales.attitude"),
        ("价格太贵", "zh", "shopping.price"),
        ("什么时候退款", "zh", "aftersales.refund"),
        ("ＡＰＰ登录不了", "zh", "other.system"),
        ("汤全洒了", "zh", "delivery.packaging"),
        ("箱子破了", "zh", "delivery.packaging"),
        ("裤裆破了个洞", "zh", "goods.quality"),
        ("屏幕碎了", "zh", "goods.quality"),
        ("My parcel still hasn't arrived", "en", "delivery.time"),
        ("I want my money back", "en", "aftersales.refund"),
        ("Your staff was rude", "en", "aftersales.attitude"),
        ("The website is down", "en", "other.system"),
        ("way too expensive", "en", "shopping.price"),
        ("it stopped working after a week", "en", "goods.function"),
    ],
)
def test_what_the_shipped_lexicon_names(text: str, language: Language, stage: str) -> None:
    assert stage in stages(MODEL, text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [("", "zh"), ("你好", "zh"), ("心都碎了", "zh"), ("真是气死我了", "zh"), ("hello", "en"), ("thanks", "en")],
)
def test_nothing_in_particular_has_no_target(text: str, language: Language) -> None:
    assert stages(MODEL, text, language) == set()


def test_the_figures_on_labelled_texts_hold_and_the_worths_are_those_fitted(shared_data: Path) -> None:
    labelled = training.read(shared_data)
    figures = training.measure_all(MODEL, labelled)
    for part, floors in FLOORS.items():
        for name, floor in floors.items():
            assert figures[part][name] >= floor, (part, name)
    for language in ("zh", "en"):
        held = [x for x in labelled if x.part == "held" and x.language == language]
        worth = MODEL.worth(language)
        assert training.fit(MODEL, held, language) == pytest.approx((worth.bias, worth.sure, worth.maybe), abs=0.02)


FLOORS = {
    "zh, test": {"micro_f1": 0.78, "macro_f1": 0.72, "areas_macro_f1": 0.78},
    "en, test": {"micro_f1": 0.53, "macro_f1": 0.40, "areas_macro_f1": 0.57},
    "zh, held": {"micro_f1": 0.79, "macro_f1": 0.65, "areas_macro_f1": 0.83},
    "en, held": {"micro_f1": 0.54, "macro_f1": 0.55, "areas_macro_f1": 0.55},
}


def test_the_sample_is_large_enough_and_was_labelled_twice(shared_data: Path) -> None:
    labelled = training.read(shared_data)
    for language, twice, kappa in (("zh", 600, 0.95), ("en", 400, 0.9)):
        mine = [x for x in labelled if x.language == language]
        assert len(mine) >= 600
        both = training.agreement(mine)
        assert both["texts"] >= twice
        assert both["kappa"] >= kappa
        assert {x.part for x in mine} == set(training.PARTS)


def test_other_data_than_was_labelled_is_told(shared_data: Path, tmp_path: Path) -> None:
    for file, _ in training._FILES.values():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        lines = (shared_data / file).read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / file).write_text("".join([lines[0], *lines[2:]]), encoding="utf-8")
    with pytest.raises(DataError, match="not the text that was labelled"):
        training.read(tmp_path)
    with pytest.raises(DataError, match="cannot read"):
        training.read(tmp_path / "nowhere")


def test_agreement_and_figures_of_a_small_sample() -> None:
    def one(text: str, true: str, first: str, second: str) -> training.Labelled:
        return training.Labelled(text, "zh", "held", *(frozenset(x.split()) for x in (true, first, second)))

    sample = [
        one("快", "delivery.time", "delivery.time", "delivery.time"),
        one("漏", "delivery.missing", "delivery.missing", "delivery.time"),
        one("快", "", "", ""),
        one("好", "", "", ""),
    ]
    figures = training.measure(SMALL, sample)
    assert figures["micro_f1"] == pytest.approx(2 * 2 / (2 + 3))
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert figures["nothing_said"] == 0.25
    assert figures["nothing_precision"] == 1
    assert figures["nothing_recall"] == 0.5
    both = training.agreement(sample)
    assert both["same"] == 0.75
    assert 0 < both["kappa"] < 1


def test_every_stage_has_words_in_both_languages() -> None:
    known = {s.key for s in taxonomy.load().stages}
    for language in ("zh", "en"):
        assert {w.stage for w in shipped.entries(language)} - {NOTHING} == known


def test_a_stage_that_the_taxonomy_does_not_know_is_told(tmp_path: Path) -> None:
    file = tmp_path / "targets.toml"
    file.write_text('[zh.delivery.teleport]\nsure = "传送"\n', encoding="utf-8")
    with pytest.raises(shipped.TargetsError, match=r"delivery\.teleport"):
        shipped.load(file)
    file.write_text(shipped.FILE.read_text(encoding="utf-8").replace("[worth.en]", "[worth.fr]"), encoding="utf-8")
    with pytest.raises(shipped.TargetsError, match="en"):
        shipped.load(file)
