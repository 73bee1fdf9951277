"""`touchline nps report` and `touchline nps weeks`: the weekly broadcast of a file of events, and made-up weeks to try it with."""

import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from services.cli.common import fail, say_rejected
from services.nps.domain.windows import USUAL_ZONE
from services.nps.report.week import ends, monday, named

if TYPE_CHECKING:
    from services.nps.report.book import Book
    from services.nps.report.build import Report

_WEEK = "YYYY-Www"
Segments = tuple[tuple[str, str], ...]


class IsoWeek(click.ParamType):
    """2026-W45, as the Monday it begins with."""

    name = "week"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return monday(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Segment(click.ParamType):
    """region=华东."""

    name = "DIMENSION=VALUE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        dimension, sign, own = str(value).partition("=")
        if not (dimension and sign and own):
            self.fail(f"{value!r} is not of the form region=华东", param, ctx)
        return dimension, own


class Zone(click.ParamType):
    """Asia/Shanghai."""

    name = "ZONE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(str(value))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(f"{value!r} is not a time zone such as Asia/Shanghai", param, ctx)


_zone = click.option(
    "--zone",
    type=Zone(),
    default=USUAL_ZONE,
    envvar="NPS_ZONE",
    show_default=True,
    show_envvar=True,
    help="Where the week begins and ends. 时区。",
)


@click.command(short_help="The weekly broadcast of files of events. 由事件文件生成周播报。")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--week", type=IsoWeek(), metavar=_WEEK, required=True, help="ISO week, such as 2026-W45. 哪一周。")
@click.option(
    "--format", "form", type=click.Choice(["md", "html", "pdf"]), default="md", show_default=True, help="Form. 格式。"
)
@click.option(
    "--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="Language of the report. 语言。"
)
@click.option("--segment", "scope", type=Segment(), multiple=True, help="Special report on these answers only. 专题。")
@click.option(
    "--by",
    "where",
    multiple=True,
    help="Dimensions to tell where; default region and store_group, or store. 按哪些维度定位。",
)
@_zone
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output. 输出文件。"
)
def report(
    files: tuple[Path, ...],
    week: date,
    form: str,
    lang: str,
    scope: Segments,
    where: tuple[str, ...],
    zone: ZoneInfo,
    output: Path | None,
) -> None:
    """The weekly broadcast of FILES: JSON lines of survey events, contacts, promises and owners. 由事件文件生成周播报。

    Exit status 1 if a line was rejected, or if the report's own audit doesn't hold. 有拒收行或核对不符时退出码为 1。
    """
    from services.cli.comments import CommentReader
    from services.nps.report import html, markdown, pdf
    from services.nps.report.book import read
    from services.nps.report.build import Asked, build
    from services.nps.report.compose import compose
    from services.sentiment.model import ModelError

    if output is not None and not output.parent.is_dir():  # before the work, not after it
        fail(f"{output}: there is no folder {output.parent}. 输出目录不存在。")
    dimensions = [d for d, _ in scope]
    twice = next((d for d in dimensions if dimensions.count(d) > 1), None)
    if twice is not None:  # an answer has one value of a dimension
        raise click.UsageError(f"--segment: {twice} is told twice. {twice} 重复。")
    asked = Asked(named(week), *ends(week, zone), tuple(sorted(scope)), tuple(dict.fromkeys(where)))
    try:
        if form == "pdf":
            pdf.browser()  # before the work, not after it
        book = read(files)
        found = build(book, asked, CommentReader())
        document = compose(found, "en" if lang == "en" else "zh", zone)
        if form == "md":
            written = markdown.render(document).encode()
        else:
            page = html.render(document)
            written = pdf.render(page) if form == "pdf" else page.encode()
    except (OSError, ModelError, pdf.NoBrowser) as error:
        fail(error)
    if output is None:
        sys.stdout.buffer.write(written)
        sys.stdout.buffer.flush()
    else:
        try:
            output.write_bytes(written)
        except OSError as error:
            fail(error)
    for hint in _hints(book, found):
        click.echo(hint, err=True)
    say_rejected(found.rejected)
    if not found.sound:
        click.echo("the report's audit does not hold: see its end. 核对不符。", err=True)
    sys.exit(bool(found.rejected) or not found.sound)


def _hints(book: "Book", found: "Report") -> Iterator[str]:
    """What may have been asked amiss, where the report is empty for it."""
    answers = book.standing()
    if answers and not found.this.all.n:
        first, last = (named(a.time.date()) for a in (answers[0], answers[-1]))
        yield f"no answer of this report lies in {found.asked.week}; the answers are of {first} to {last}. 本周没有答卷。"
    if not answers:
        yield "the files hold no answer. 文件中没有答卷。"
        return
    known: dict[str, set[str]] = {}
    for d, value in (s for a in answers for s in a.segments):
        known.setdefault(d, set()).add(value)
    named_ones = ", ".join(sorted(known)) or "-"
    for d in found.asked.where:
        if d not in known:
            yield f"--by: no answer names {d}; they name {named_ones}. 没有答卷标明 {d}。"
    for d, value in found.asked.scope:
        if d not in known:
            yield f"--segment: no answer names {d}; they name {named_ones}. 没有答卷标明 {d}。"
        elif value not in known[d]:
            yield f"--segment: no answer is of {d}={value}. 没有 {d}={value} 的答卷。"


@click.command(short_help="Three made-up weeks to try it with. 三周演示数据。")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other weeks. 随机种子。")
@click.option(
    "--week",
    type=IsoWeek(),
    metavar=_WEEK,
    default="2026-W44",
    show_default=True,
    help="The first of the three weeks. 第一周。",
)
@click.option(
    "--answers", type=click.IntRange(min=1), default=4000, show_default=True, help="Answers a week. 每周答卷数。"
)
@click.option("--quiet", is_flag=True, help="Plant no trouble. 不埋入问题。")
@_zone
def weeks(seed: int, week: date, answers: int, quiet: bool, zone: ZoneInfo) -> None:
    """Three made-up weeks as JSON lines, with an incident, a fix that works and one that doesn't. 三周演示数据。"""
    from services.cli.weeks.generator import generate

    for line in generate(seed, week, answers, planted=not quiet, zone=zone):
        click.echo(json.dumps(line, ensure_ascii=False))
