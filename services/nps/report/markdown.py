"""The document as Markdown, for chats and mails."""

import re
from typing import Final

from services.nps.domain.words import Language, beside
from services.nps.report.document import Bars, Block, Card, Document, Facts, Items, Key, Line, Said, Table, Text
from services.nps.report.texts import colon

_BLOCKS: Final = 20
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|~#])")


def render(document: Document) -> str:
    """The file's text."""
    lines = [
        f"# {_text(document.title)}", "", _text(document.subtitle), "",
        f"**{_text(f'{document.figure_label} {document.figure}'.strip())}**", "",
    ]  # fmt: skip
    for section in document.sections:
        lines += [f"## {_text(section.title)}", ""]
        for block in section.blocks:
            if isinstance(block, Card):
                lines += [f"### {_text(block.title)}", "", f"*{_text(block.badge)}*", ""]
                for inner in block.blocks:
                    lines += [*_block(inner, document.language), ""]
            else:
                lines += [*_block(block, document.language), ""]
    return "\n".join(lines).rstrip() + "\n"


def _block(b: Block, language: Language) -> list[str]:
    match b:
        case Text():
            return [_text(b.text)]
        case Items():
            return [f"- {_text(i)}" for i in b.items]
        case Facts():
            return [f"- **{_text(k)}** {_text(v)}" for k, v, _ in b.facts]
        case Said():
            quotes = [f"> {_text(t)}{beside(_text(who), language)}" for t, _, who in b.quotes]
            return [_title(b.title, language), "", "\n>\n".join(quotes)]
        case Bars():
            top = max([x.value for x in b.bars] + [0.1])
            rows = [
                f"| {_text(x.label)} | {'█' * round(_BLOCKS * x.value / top)}{' ◄' if x.strong else ''} | {_text(x.note)} |"
                for x in b.bars
            ]
            return [f"| {_text(b.title)} | | |", "|---|---|---|", *rows, *(["", _text(b.rest)] if b.rest else [])]
        case Key():
            return [_text(b.rows)]
        case Line():
            head = "| " + " | ".join(_text(p[0]) for p in b.points) + " |"
            values = (
                "| " + " | ".join(f"{p[1]:.1f}{beside(f'{p[2]:.1f}…{p[3]:.1f}', language)}" for p in b.points) + " |"
            )
            return [_title(b.title, language), "", head, "|" + "---|" * len(b.points), values]
        case Table():
            rule = "|" + "---|" * len(b.head)
            rows = ["| " + " | ".join(_text(c) for c in row) + " |" for row in b.rows]
            return ["| " + " | ".join(_text(h) for h in b.head) + " |", rule, *rows]


def _title(title: str, language: Language) -> str:
    return _text(title) + colon(language).rstrip()


def _text(text: str) -> str:
    plain = " ".join(text.encode("utf-8", errors="replace").decode().split())
    return _SPECIAL.sub(r"\\\1", plain)
