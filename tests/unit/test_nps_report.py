"""The broadcast: what it reads, that its sums are checked, how it is written in both languages, and the command."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.comments import CommentReader
from services.cli.nps import nps
from services.cli.weeks.generator import generate
from services.nps.domain.words import Language
from services.nps.report import document, html, markdown, pdf, svg
from services.nps.report.book import Book, owner_of, read
from services.nps.report.build import Asked, Report, build
from services.nps.report.compose import compose
from services.nps.report.live import Broadcasts
from services.nps.report.remark import SILENT, Remark
from services.nps.report.texts import WORDS
from services.nps.report.week import ends, monday, usual
from services.nps.settings import NpsSettings

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
ASKED = Asked("2026-W45", MONDAY, MONDAY + timedelta(days=7))
LANGUAGES: tuple[Language, ...] = ("zh", "en")
UTC_ZONE = ZoneInfo("UTC")


class Plain:
    """A reader that needs no model: 慢 complains of the delivery's time, 好 praises the taste."""

    def read(self, texts: Any) -> list[Remark]:
        """As CommentReader.read."""
        return [self._one(t) for t in texts]

    def words(self, text: str, language: str, stage: str) -> tuple[str, ...]:
        """As CommentReader.words."""
        return ("慢",) if "慢" in text else ()

    def _one(self, text: str) -> Remark:
        if not text:
            return SILENT
        complains = ("delivery.time",) if "慢" in text else ()
        praises = ("goods.taste",) if "好" in text else ()
        return Remark("staged" if complains or praises else "other", "zh", complains, praises)


def answer(i: int, score: int = 9, comment: str = "", at: datetime = MONDAY, **segments: str) -> dict[str, Any]:
    return {
        "id": f"a{i}", "source": "t", "type": "answered", "time": at.isoformat(), "survey_id": f"s{i}", "score": score,
        "segments": segments, "comment": comment,
    }  # fmt: skip


def book(*lines: dict[str, Any] | str) -> Book:
    found = Book()
    for line in lines:
        found.take(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False))
    return found


def made(*lines: dict[str, Any] | str, asked: Asked = ASKED) -> Report:
    return build(book(*lines), asked, Plain())


def test_the_standing_answer_keeps_the_comment_that_it_came_with() -> None:
    found = book(
        {"id": "c1", "source": "t", "type": "corrected", "time": "2026-11-03T00:00:00Z", "survey_id": "s1", "score": 2},
        answer(1, 9, "好"),
        answer(1, 0, "这是重复的"),
        answer(2, 3, "慢"),
        {"id": "r2", "source": "t", "type": "retracted", "time": "2026-11-03T00:00:00Z", "survey_id": "s2"},
        {**answer(3, 5, "慢"), "id": "a3b", "time": "2026-11-04T00:00:00Z"},
        answer(3, 8, "旧的"),
    )
    assert [(s.survey_id, s.score, s.comment) for s in found.standing()] == [("s1", 2, "好"), ("s3", 5, "慢")]
    assert found.lines["duplicate"] == 1
    assert (found.surveys, found.withdrawn, found.unanswered) == (3, 1, 0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"type":"asked"}', "type: is none of"),
        ('{"type":["answered"]}', "type: is none of"),
        ('{"id":"1","source":"t","type":"contacted","contact_id":"k","time":"2026-11-02T00:00:00Z"}', "customer_id"),
        ('{"id":"1","source":"t","type":"promised","action_id":"A","time":"2026-11-02T00:00:00Z","owner":"x"}', "promise"),
        ('{"id":"1","source":"t","type":"promised","action_id":"A","time":"2026-11-02T00:00:00Z","owner":"x","promise":"p","aim":0}', "aim"),
        ('{"id":"1","source":"t","type":"promised","action_id":"A","time":"2026-11-02T00:00:00Z","owner":"x","promise":"p","due_at":"soon"}', "due_at"),
        ('{"id":"1","source":"t","type":"owned","time":"2026-11-02T00:00:00","owner":"x"}', "no offset"),
        ('{"id":"1","source":"t","type":"answered","time":"2026-11-02T00:00:00Z","survey_id":"s","score":9,"comment":5}', "comment"),
        ('{"id":"1","source":"t","type":"done","time":"2026-11-02T00:00:00Z"}', "action_id"),
        ("\udcff", "not UTF-8"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_kept_with_its_reason(line: str, says: str) -> None:
    found = book(line, "", answer(1))
    assert len(found.rejected) == 1
    number, reason = found.rejected[0]
    assert number == 1
    assert says in reason
    assert found.lines == {"rejected": 1, "blank": 1, "answered": 1}


@pytest.fixture(scope="module")
def shipped() -> CommentReader:
    """The shipped models, read once."""
    return CommentReader()


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("the website is broken again", {"other.system"}),
        ("everything arrived damaged in a torn box", {"delivery.packaging"}),
        ("the zipper is broken", {"goods.quality"}),
        ("it was broken", {"goods.quality"}),
        ("the website is fine, but the zipper is broken", {"other.system", "goods.quality"}),
    ],
)
def test_what_is_broken_names_the_goods_only_where_nothing_else_is_said_to_be(
    text: str, stages: set[str], shipped: CommentReader
) -> None:
    found = shipped.read([text])[0]
    assert {*found.complains, *found.praises} == stages


class Both(Plain):
    """慢 complains of the delivery's time, 破 of the packaging."""

    def _one(self, text: str) -> Remark:
        stages = tuple(s for sign, s in (("慢", "delivery.time"), ("破", "delivery.packaging")) if sign in text)
        return Remark("staged" if stages else "other", "zh", stages)


def test_quotes_name_their_pain_alone_before_others_and_stand_once() -> None:
    lines = [answer(i, 0, "送得慢箱子也破，太差了") for i in range(30)]
    lines += [answer(100 + i, 5, "送得实在太慢了点") for i in range(30)]
    lines += [answer(200 + i, 9, "") for i in range(200)]
    report = build(book(*lines), ASKED, Both())
    quotes = {t.pain.stage: [q.text for q in t.quotes] for t in report.told}
    assert set(quotes) == {"delivery.time", "delivery.packaging"}
    assert quotes["delivery.time"][0] == "送得实在太慢了点"
    texts = [q for own in quotes.values() for q in own]
    assert len(texts) == len(set(texts)) == 2


def test_a_comment_that_is_likelier_about_something_else_is_quoted_only_where_there_is_none_other() -> None:
    lines = [answer(i, 0, "送得慢箱子也破，太差了") for i in range(30)] + [
        answer(100 + i, 5, "箱子破了") for i in range(30)
    ]
    report = build(book(*lines, *(answer(200 + i, 9) for i in range(200))), ASKED, Both())
    quotes = {t.pain.stage: [q.text for q in t.quotes] for t in report.told}
    assert quotes == {"delivery.time": ["送得慢箱子也破，太差了"], "delivery.packaging": ["箱子破了"]}


def test_what_is_stressed_goes_on_to_the_end_of_an_english_word() -> None:
    said = document.Said("", (("terrible packaging, repackaged", ("packag",), ""), ("包装破了", ("包装",), "")))
    page = html.render(_page("en", said))
    assert "terrible <mark>packaging</mark>, repackaged" in page
    assert "<mark>包装</mark>破了" in page


def test_markdown_explains_its_rows_and_the_page_its_chart() -> None:
    key = document.Key("thin line", "◄ more")
    assert "◄ more" in markdown.render(_page("en", key))
    assert "thin line" not in markdown.render(_page("en", key))
    assert "thin line" in html.render(_page("en", key))


def test_quotes_in_markdown_end_with_the_last_one() -> None:
    said = document.Said("客户原话", (("一", (), "打 0 分"), ("二", (), "打 1 分")))
    assert markdown.render(_page("zh", said)).endswith("客户原话：\n\n> 一（打 0 分）\n>\n> 二（打 1 分）\n")


def _page(language: Language, block: document.Block) -> document.Document:
    return document.Document(language, "", "", "", "", (document.Section("s", "", (block,)),))


@pytest.mark.parametrize("values", [(0.8, 5.6, 1.0, 0.9, 7.0, 0.5, 6.0, 0.8), (0.8, 5.6)])
def test_no_line_of_a_chart_runs_through_a_label(values: tuple[float, ...]) -> None:
    drawn = svg.line(document.Line("", tuple(("", v, v - 0.2, v + 0.3) for v in values)))
    dots = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    labels = [
        (float(x), float(y)) for x, y in re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="middle">', drawn)
    ]
    assert len(labels) == len(dots) == len(values)
    for (x0, y0), (x1, y1) in pairwise(dots):
        for x, foot in labels:
            for at in (x - 11, x, x + 11):
                if x0 <= at <= x1:
                    assert y0 + (y1 - y0) * (at - x0) / (x1 - x0) > foot


LINES = st.lists(
    st.one_of(
        st.builds(
            lambda i, score, comment, day, region: answer(i, score, comment, MONDAY + timedelta(days=day), **({"region": region} if region else {})),
            st.integers(0, 12), st.integers(0, 10), st.sampled_from(["", "慢", "好慢", "嗯"]), st.integers(-9, 9), st.sampled_from(["", "华东", "华南"]),
        ),
        st.builds(lambda i: {"id": f"r{i}", "source": "t", "type": "retracted", "time": "2026-11-03T00:00:00Z", "survey_id": f"s{i}"}, st.integers(0, 12)),
        st.just("broken"),
    ),
    max_size=40,
)  # fmt: skip


@settings(deadline=None)
@given(LINES)
def test_the_audit_holds_for_any_lines_and_both_languages_can_be_written(lines: list[Any]) -> None:
    report = made(*lines)
    assert report.sound, [c for c in report.checks if not c.holds]
    assert sum(report.read.values()) == len(lines)
    for language in LANGUAGES:
        composed = compose(report, language, UTC_ZONE)
        assert markdown.render(composed).startswith("# ")
        assert html.render(composed).startswith("<!doctype html>")


def test_a_sum_that_does_not_agree_is_told() -> None:
    found = book(answer(1), answer(2, 3, "慢"))
    found.tally.add(next(iter([_read(answer(9))])))
    report = build(found, ASKED, Plain())
    assert not report.sound
    assert {c.name for c in report.checks if not c.holds} == {"standing", "promoters"}
    text = markdown.render(compose(report, "zh", UTC_ZONE))
    assert "请勿使用" in text


def _read(line: dict[str, Any]) -> Any:
    from services.nps.lines import read_line

    return read_line(json.dumps(line))


def test_the_owner_told_most_narrowly_counts_then_the_latest() -> None:
    def owned(i: int, owner: str, day: int, **segments: str) -> dict[str, Any]:
        at = (MONDAY + timedelta(days=day)).isoformat()
        return {"id": f"o{i}", "source": "t", "type": "owned", "time": at, "owner": owner, "segments": segments}

    found = book(
        owned(1, "甲", 0, area="delivery"),
        owned(2, "乙", 1, area="delivery"),
        owned(3, "丙", 0, stage="delivery.time", region="华东"),
    )
    named = (("area", "delivery"), ("region", "华东"), ("stage", "delivery.time"))
    assert owner_of(found.owners(), named) == "丙"
    assert owner_of(found.owners(), named[:1]) == "乙"
    assert owner_of(found.owners(), (("area", "goods"),)) == ""


@pytest.mark.parametrize(
    ("before", "since", "week"),
    [(3, 1, 9), (3, None, 9), (None, 1, 16), (12, 1, 16), (12, None, 2), (None, None, 16)],
)
def test_the_week_told_first_is_one_that_was_answered_in_where_there_is_one(
    before: int | None, since: int | None, week: int
) -> None:
    """before: days before this week's Monday, the 16th, that the last answer came; since: days after it; week: its Monday."""
    this = MONDAY + timedelta(days=14)
    last = this - timedelta(days=before) if before else None
    now = this + timedelta(days=4)
    assert usual(now, UTC, last, this + timedelta(days=since) if since else None) == date(2026, 11, week)


class _Empty:
    """A database in which nobody has answered."""

    def acquire(self) -> "_Empty":
        return self

    def transaction(self, **_: Any) -> "_Empty":
        return self

    async def __aenter__(self) -> "_Empty":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def fetch(self, *_: Any) -> list[Any]:
        return []

    async def fetchrow(self, *_: Any) -> tuple[int, int, int]:
        return 0, 0, 0

    async def fetchval(self, *_: Any) -> None:
        return None


async def test_an_empty_week_is_told_in_words_and_leads_up_to_the_week_that_goes_on() -> None:
    broadcasts = Broadcasts(_Empty(), lambda: MONDAY + timedelta(days=16), UTC_ZONE)
    assert await broadcasts.usual(()) == date(2026, 11, 16)
    for language in LANGUAGES:
        zh = language == "zh"
        empty, so_far = ("没有人回答问卷", "截至目前") if zh else ("Nobody answered a survey", "so far")
        last = await broadcasts.page(date(2026, 11, 9), (), language)
        assert empty in last
        assert "<b>–</b>" not in last
        assert so_far not in last
        assert "week=2026-W47" in last
        running = await broadcasts.page(date(2026, 11, 16), (), language)
        assert so_far in running
        assert "week=2026-W46" in running
        assert "week=2026-W48" not in running


def test_what_happened_after_the_week_is_not_known_in_it() -> None:
    promise = {"id": "p", "source": "t", "type": "promised", "time": "2026-11-05T00:00:00Z", "action_id": "A", "owner": "甲", "promise": "改", "segments": {"stage": "delivery.time"}}  # fmt: skip
    done = {"id": "d", "source": "t", "type": "done", "time": "2026-11-10T00:00:00Z", "action_id": "A"}
    lines = [answer(i, 3, "慢") for i in range(20)] + [promise, done]
    assert [k.verdict for k in made(*lines).kept] == ["not_done"]
    later = Asked("2026-W46", MONDAY + timedelta(days=7), MONDAY + timedelta(days=14))
    assert [k.verdict for k in made(*lines, asked=later).kept] == ["not_yet_known"]


def test_a_special_report_counts_its_segment_alone_and_tells_the_others() -> None:
    lines = [answer(i, 9, "", region="华东") for i in range(30)] + [
        answer(100 + i, 2, "慢", region="华南") for i in range(20)
    ]
    report = made(*lines, asked=Asked("2026-W45", MONDAY, MONDAY + timedelta(days=7), (("region", "华东"),)))
    assert report.this.all.n == 30
    assert report.others is not None
    assert report.others.n == 20
    text = markdown.render(compose(report, "zh", UTC_ZONE))
    assert "专题" in text
    assert "华东" in text


class Strict(HTMLParser):
    """Every tag that opens closes, and nothing is asked for from anywhere."""

    VOID = frozenset({"meta", "link", "br", "circle", "path", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert not (name in ("src", "href") and not (value or "").startswith("data:"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_a_place_whose_score_is_not_shrunk_shows_none() -> None:
    """Two regions can't tell how much regions differ: their raw scores aren't shown again as shrunk ones."""
    few = markdown.render(compose(made(answer(1, 0, region="西南"), answer(2, 9, region="华中")), "en", UTC_ZONE))
    assert "none is shrunk" in few
    assert "| 西南 |" in few and few.split("| 西南 |")[1].splitlines()[0].rstrip(" |").endswith("–")
    many = [answer(i, 9 if i % 3 else 2, region=f"r{i % 6}") for i in range(60)]
    assert "none is shrunk" not in markdown.render(compose(made(*many), "en", UTC_ZONE))


def test_what_customers_write_is_text_in_the_page_and_in_markdown() -> None:
    evil = "慢<script>alert(1)</script>&|`[x](y)\n# 大"
    lines = [answer(i, 2, evil + "甲" * i, region='<img src="x">', store_group="a|b") for i in range(8)]
    report = made(*lines, answer(90, 10, "好", region="华东"), json.dumps(answer(91, 9, "", region="\ud800")))
    for language in LANGUAGES:
        composed = compose(report, language, UTC_ZONE)
        page = html.render(composed)
        parser = Strict()
        parser.feed(page)
        assert not parser.open
        assert not {"script", "img"} & parser.tags
        assert "&lt;script&gt;" in page
        page.encode()
        text = markdown.render(composed)
        assert "<script>" not in text
        assert "\n# 大" not in text


def test_all_texts_are_there_in_both_languages() -> None:
    for name, (zh, en) in WORDS.items():
        assert zh, name
        assert en, name
        # A link to the other language is in that language.
        assert name == "other_language" or not any("\u3400" <= c <= "\u9fff" for c in en), name
        fields = [{part.split("}")[0] for part in text.split("{")[1:]} for text in (zh, en)]
        assert fields[0] == fields[1], name


def run(*args: str) -> Result:
    return CliRunner().invoke(nps, ["report", *args])


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small made-up weeks."""
    file = tmp_path_factory.mktemp("weeks") / "weeks.jsonl"
    lines = generate(3, date(2026, 10, 26), 300)
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return file


def test_the_command_writes_a_report_and_its_audit(weeks: Path, tmp_path: Path) -> None:
    done = run(str(weeks), "--week", "2026-W45")
    assert done.exit_code == 0
    assert "# 客户体验周播报" in done.stdout
    assert "核对通过" in done.stdout
    assert "weeks.jsonl" in done.stdout
    mine = "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("> ", "- 第")))
    assert not re.search(r"[\u3400-\u9fff] ?[(,:;]|[),:;] ?[\u3400-\u9fff]|\([+−\d]", mine)
    assert "（…" not in mine
    assert "触点词典：touchpoints.toml v" in mine
    out = tmp_path / "report.html"
    assert (
        run(
            str(weeks), "--week", "2026W46", "--format", "html", "--lang", "en", "--by", "region", "-o", str(out)
        ).exit_code
        == 0
    )
    page = out.read_text(encoding="utf-8")
    assert "What was promised, and whether it worked" in page
    special = run(str(weeks), "--week", "2026-W45", "--segment", "region=华东", "--zone", "Asia/Shanghai")
    assert special.exit_code == 0
    assert "客户体验专题" in special.stdout


def test_a_rejected_line_is_told_and_the_report_comes_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps(answer(1)) + "\nbroken\n", encoding="utf-8")
    done = run(str(file), "--week", "2026-W45")
    assert done.exit_code == 1
    assert "line 2: line: is not JSON" in done.stderr
    assert "第 2 行" in done.stdout


def test_what_was_asked_amiss_is_told_beside_the_empty_report(weeks: Path) -> None:
    done = run(str(weeks), "--week", "2027-W01", "--by", "regoin", "--by", "regoin")
    assert done.exit_code == 0
    told = done.stderr.splitlines()
    assert [line.split(":")[0].split(";")[0] for line in told] == [
        "no answer of this report lies in 2027-W01",
        "--by",
    ]
    assert "2026-W44 to 2026-W46" in told[0]


def test_a_special_report_on_what_no_answer_names_says_so(weeks: Path, tmp_path: Path) -> None:
    for asked, says in (("regoin=华东", "names regoin; they name"), ("region=火星", "no answer is of region=火星")):
        done = run(str(weeks), "--week", "2026-W45", "--segment", asked)
        assert done.exit_code == 0 and says in done.stderr
    (tmp_path / "empty.jsonl").touch()
    assert "hold no answer" in run(str(tmp_path / "empty.jsonl"), "--week", "2026-W45").stderr
    (tmp_path / "notes.md").write_text("no JSON\n" * 100)
    told = run(str(tmp_path / "notes.md"), "--week", "2026-W45").stderr.splitlines()
    assert "… and 90 more / 另有 90 行" in told and len(told) < 15


def test_a_place_asked_for_twice_is_told_once(weeks: Path) -> None:
    once, twice = (run(str(weeks), "--week", "2026-W45", "--by", "region", *more) for more in ((), ("--by", "region")))
    assert once.stderr == ""
    assert twice.stdout == once.stdout


def test_weeks_begin_where_the_services_weeks_do(weeks: Path) -> None:
    told = run(str(weeks), "--week", "2026-W45").stdout.splitlines()[2]
    assert told.endswith(NpsSettings().zone)
    made = CliRunner().invoke(nps, ["weeks", "--answers", "1", "--week", "2026-W44"]).stdout.splitlines()
    assert json.loads(made[0])["time"] == "2026-10-25T16:00:00Z"


@pytest.mark.parametrize("name", ["0001-W01", "1969-W52", "9991-W01", "9999-W01"])
def test_a_week_at_the_calendars_ends_is_refused_with_the_years_that_are_known(name: str) -> None:
    with pytest.raises(ValueError, match="is not in the years 1970 to 9990"):
        monday(name)


@pytest.mark.parametrize("name", ["1970-W01", "9990-W52"])
def test_the_first_and_the_last_week_have_their_ends_in_every_zone(name: str) -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        start, end = ends(monday(name), ZoneInfo(zone))
        assert start < end


@pytest.mark.parametrize(
    "args",
    [("--week", "2026-W60"), ("--week", "week"), ("--week", "2025-W53"), ("--week", "2026-W45", "--segment", "region"), ("--week", "2026-W45", "--segment", "region=a", "--segment", "region=b"), ("--week", "2026-W45", "--zone", "Mars/Base"), ()],
)  # fmt: skip
def test_a_wrong_invocation_is_told(weeks: Path, args: tuple[str, ...]) -> None:
    assert run(str(weeks), *args).exit_code == 2


def test_without_a_browser_a_pdf_says_what_is_missing(weeks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    done = run(str(weeks), "--week", "2026-W45", "--format", "pdf")
    assert done.exit_code == 1
    assert "Chromium" in done.stderr
    monkeypatch.setenv("CHROMIUM", "/bin/false")
    with pytest.raises(pdf.NoBrowser, match="status 1"):
        pdf.render("<p>x</p>")


def test_the_same_lines_give_the_same_report(weeks: Path) -> None:
    reader = CommentReader()
    first, again = (build(read([weeks]), ASKED, reader) for _ in range(2))
    for language in LANGUAGES:
        assert html.render(compose(first, language, UTC_ZONE)) == html.render(compose(again, language, UTC_ZONE))


def test_a_folder_that_is_not_there_is_told_before_the_work(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text("", encoding="utf-8")
    away = tmp_path / "away" / "report.md"
    done = CliRunner().invoke(nps, ["report", str(file), "--week", "2026-W44", "-o", str(away)])
    assert done.exit_code == 1
    assert "there is no folder" in done.stderr
