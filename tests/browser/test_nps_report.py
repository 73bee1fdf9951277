"""The broadcast in headless Chromium: both languages, narrow and wide, light and dark; nothing errs, nothing is asked for; and its PDF."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from playwright.async_api import Browser

from services.cli.nps import nps
from services.cli.weeks.generator import generate
from services.nps.report import pdf
from tests.browser.conftest import CHROMIUM, Watch

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of one made-up week by language."""
    folder = tmp_path_factory.mktemp("weeks")
    weeks = folder / "weeks.jsonl"
    lines = generate(1, date(2026, 10, 26), 1500)
    weeks.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    pages = {language: folder / f"{language}.html" for language in ("zh", "en")}
    for language, page in pages.items():
        args = ["report", str(weeks), "--week", "2026-W46", "--format", "html", "--lang", language, "-o", str(page)]
        done = CliRunner().invoke(nps, args)
        assert done.exit_code == 0, done.output
    return pages


@pytest.mark.parametrize(
    ("language", "width", "scheme", "says"),
    [("zh", 1280, "light", "承诺兑现了吗"), ("zh", 360, "dark", "有效"), ("en", 1280, "dark", "it worked"), ("en", 360, "light", "The audit holds")],
)  # fmt: skip
async def test_the_page_opens_without_an_error_and_fits(
    chromium: Browser,
    written: dict[str, Path],
    language: str,
    width: int,
    scheme: Literal["light", "dark"],
    says: str,
) -> None:
    file = written[language]
    watch, asked = Watch(), []
    page = await chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", watch.heard)
    page.on("pageerror", lambda error: watch.errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(file.as_uri(), wait_until="load")
    assert watch.errors == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert says in await page.inner_text("main")
    assert await page.locator("article").count() == 5
    # Every chart is drawn, within its card, and its words don't run over its edge.
    for chart in await page.locator("svg").all():
        box = await chart.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["x"] + box["width"] <= width
        over = await chart.evaluate(
            "s => [...s.querySelectorAll('text')].filter(t => { const b = t.getBBox(); const v = s.viewBox.baseVal;"
            " return b.x < -1 || b.x + b.width > v.width + 1 || b.y + b.height > v.height + 2; }).map(t => t.textContent)"
        )
        assert over == []
    await page.close()


def test_the_pdf_has_pages(written: dict[str, Path]) -> None:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    printed = pdf.render(written["zh"].read_text(encoding="utf-8"))
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 3
