"""The document as Markdown, for chats and mails."""

import re
from typing import Final

from services.nps.report.document import Bars, Block, Card, Document, Facts, Items, Line, Said, Table, Text

_BLOCKS: Final = 20
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|~#])")


def render(document: Document) -> str:
    """The file's text."""
    lines = [
        f"# {_text(document.title)}", "", _text(document.subtitle), "",
        f"**{_text(document.figure_label)} {_text(document.figure)}**", "",
    ]  # fmt: skip
    for section in document.sections:
        lines += [f"## {_text(section.title)}", ""]
        for block in section.blocks:
            if isinstance(block, Card):
                lines += [f"### {_text(block.title)}", "", f"*{_text(block.badge)}*", ""]
                for inner in block.blocks:
                    lines += [*_block(inner), ""]
            else:
                lines += [*_block(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _block(b: Block) -> list[str]:
    match b:
        case Text():
            return [_text(b.text)]
        case Items():
            return [f"- {_text(i)}" for i in b.items]
        case Facts():
            return [f"- **{_text(k)}** {_text(v)}" for k, v, _ in b.facts]
        case Said():
            return [f"{_text(b.title)}:", "", *(f"> {_text(t)} ({_text(who)})\n>" for t, _, who in b.quotes)]
        case Bars():
            top = max([x.value for x in b.bars] + [0.1])
            rows = [
                f"| {_text(x.label)} | {'█' * round(_BLOCKS * x.value / top)}{' ◄' if x.strong else ''} | {_text(x.note)} |"
                for x in b.bars
            ]
            return [f"| {_text(b.title)} | | |", "|---|---|---|", *rows, *(["", _text(b.rest)] if b.rest else [])]
        case Line():
            head = "| " + " | ".join(_text(p[0]) for p in b.points) + " |"
            values = "| " + " | ".join(f"{p[1]:.1f} ({p[2]:.1f}…{p[3]:.1f})" for p in b.points) + " |"
            return [f"{_text(b.title)}:", "", head, "|" + "---|" * len(b.points), values]
        case Table():
            rule = "|" + "---|" * len(b.head)
            rows = ["| " + " | ".join(_text(c) for c in row) + " |" for row in b.rows]
            return ["| " + " | ".join(_text(h) for h in b.head) + " |", rule, *rows]


def _text(text: str) -> str:
    plain = " ".join(text.encode("utf-8", errors="replace").decode().split())
    return _SPECIAL.sub(r"\\\1", plain)
