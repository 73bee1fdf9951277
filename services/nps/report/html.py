"""The document as one HTML file that asks nothing of anybody: style and charts inside, no script."""

import re
from html import escape
from itertools import groupby
from typing import Final

from services.nps.report import svg
from services.nps.report.document import (
    Bars,
    Block,
    Card,
    Document,
    Facts,
    Items,
    Key,
    Line,
    Said,
    Section,
    Table,
    Text,
)

WIDE: Final = 5
"""Columns that fit a narrow screen."""
STYLE: Final = """
:root{color-scheme:light dark;--ground:#f4f5f3;--surface:#fff;--line:#dfe3df;--ink:#1b2429;--quiet:#5a666d;--accent:#0f6e84;--soft:#8fc0cb;
--good:#1f7a4d;--bad:#b3261e;--unknown:#8a5a00;--good-soft:#e3f3ea;--bad-soft:#fbe9e7;--unknown-soft:#fbf1dc;--quiet-soft:#eceeec;--mark:#fff0b8}
@media (prefers-color-scheme:dark){:root{--ground:#11171a;--surface:#192125;--line:#2f3b41;--ink:#e4e9ea;--quiet:#9aa8ae;--accent:#63bfd3;--soft:#2f6470;
--good:#6cc79b;--bad:#f2938a;--unknown:#e3b25a;--good-soft:#173026;--bad-soft:#33211f;--unknown-soft:#352b18;--quiet-soft:#222b30;--mark:#574a16}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.6 system-ui,"Segoe UI",Roboto,"Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;font-variant-numeric:tabular-nums}
header,main{max-width:1080px;margin:0 auto;padding:0 20px}
header{display:flex;flex-wrap:wrap;gap:8px 28px;align-items:flex-end;padding-top:28px;padding-bottom:8px}
header div{flex:1 1 300px;min-width:0}
h1{margin:0;font-size:26px;line-height:1.25}h2{margin:28px 0 10px;font-size:19px}h3{margin:0;font-size:16px}h4{margin:12px 0 4px;font-size:13px;font-weight:600;color:var(--quiet)}
p{margin:0 0 8px}.sub{color:var(--quiet);margin:4px 0 0}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:6px;font-size:14px}nav a{color:var(--accent);padding:4px 0}
.figure{text-align:right;flex:0 0 auto!important}.figure b{display:block;font-size:46px;line-height:1;color:var(--accent)}.figure span{color:var(--quiet);font-size:13px}
.panel{background:var(--surface);border:1px solid var(--line);border-radius:8px;padding:12px 16px;margin:0 0 14px}
.panel>:last-child{margin-bottom:0}.panel>.scroll{margin-bottom:10px}ul{margin:0 0 8px;padding-left:20px}
.card{background:var(--surface);border:1px solid var(--line);border-radius:8px;padding:14px 16px;margin:0 0 14px;break-inside:avoid}
.card header{display:flex;flex-wrap:wrap;gap:6px 12px;align-items:baseline;padding:0;margin:0 0 8px;max-width:none}
.badge{font-size:13px;border-radius:99px;padding:1px 10px;background:var(--quiet-soft);color:var(--quiet)}
.good{color:var(--good)}.bad{color:var(--bad)}.unknown{color:var(--unknown)}.quiet{color:var(--quiet);font-size:13.5px}
.badge.good{background:var(--good-soft);color:var(--good)}.badge.bad{background:var(--bad-soft);color:var(--bad)}.badge.unknown{background:var(--unknown-soft);color:var(--unknown)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 14px;margin:0}dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:4px 26px}
blockquote{margin:4px 0;padding:2px 0 2px 12px;border-left:3px solid var(--soft);overflow-wrap:anywhere}blockquote small{color:var(--quiet);margin-left:8px;white-space:nowrap}
mark{background:var(--mark);color:inherit;padding:0 1px}
svg{display:block;width:100%;height:auto;max-width:520px;font-size:12.5px}svg text{fill:var(--ink)}svg .note{fill:var(--quiet);font-size:11.5px}
.bar{fill:var(--soft)}.bar.strong{fill:var(--accent)}.error{stroke:var(--ink);stroke-opacity:.55;fill:none}.tick{stroke:var(--bad);stroke-width:2}.line{fill:none;stroke:var(--accent);stroke-width:2}.dot{fill:var(--accent)}.axis{stroke:var(--line)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--quiet);font-weight:600;white-space:nowrap}tr:last-child td{border-bottom:0}td:last-child{font-weight:600}td{min-width:64px}
footer{height:40px}
@media (max-width:560px){header,main{padding-left:12px;padding-right:12px}.figure{text-align:left}dl{grid-template-columns:1fr}dd{margin-bottom:6px}h1{font-size:22px}
th{white-space:normal;vertical-align:bottom}td{min-width:40px}th,td{padding-right:8px}
.wide thead{display:none}.wide tr{display:block;padding:6px 0;border-bottom:1px solid var(--line)}.wide tr:last-child{border-bottom:0}
.wide td{display:grid;grid-template-columns:6.5em 1fr;gap:10px;padding:2px 0;border:0;overflow-wrap:anywhere}.wide td::before{content:attr(data-name);color:var(--quiet);font-weight:400}}
@media print{nav{display:none}:root{--ground:#fff}body{font-size:12px}header,main{max-width:none;padding:0}.card{break-inside:avoid}h2{break-after:avoid}svg{max-width:100%}}
@page{size:A4;margin:14mm}
"""  # fmt: skip


def render(document: Document) -> str:
    """The file's text."""
    body = "".join(_section(s) for s in document.sections)
    language = "zh-CN" if document.language == "zh" else "en"
    page = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Nothing is fetched, nothing runs, whatever a comment says.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f'<link rel="icon" href="data:,"><title>{_text(document.title)} · {_text(document.subtitle)}</title><style>{STYLE}</style></head>'
        f'<body><header><div><h1>{_text(document.title)}</h1><p class="sub">{_text(document.subtitle)}</p>{_links(document)}</div>'
        f'<div class="figure"><b>{_text(document.figure)}</b><span>{_text(document.figure_label)}</span></div></header>'
        f"<main>{body}</main><footer></footer></body></html>\n"
    )
    # A segment may hold half a character: it is written as a question mark.
    return page.encode("utf-8", errors="replace").decode()


def _links(document: Document) -> str:
    if not document.links:
        return ""
    told = "".join(f'<a href="{_text(to)}">{_text(name)}</a>' for name, to in document.links)
    return f"<nav>{told}</nav>"


def _section(s: Section) -> str:
    groups = groupby(s.blocks, key=lambda b: isinstance(b, Card))
    inside = "".join(
        "".join(_card(b) for b in bs if isinstance(b, Card))
        if cards
        else f'<div class="panel">{"".join(_block(b) for b in bs if not isinstance(b, Card))}</div>'
        for cards, bs in groups
    )
    return f'<section id="{_text(s.key)}"><h2>{_text(s.title)}</h2>{inside}</section>'


def _card(c: Card) -> str:
    charts = [b for b in c.blocks if isinstance(b, Bars | Line)]
    others = [b for b in c.blocks if not isinstance(b, Bars | Line)]
    pair = f'<div class="pair">{"".join(_block(b) for b in charts)}</div>' if charts else ""
    return (
        f'<article class="card"><header><h3>{_text(c.title)}</h3><span class="badge {c.tone}">{_text(c.badge)}</span></header>'
        f"{''.join(_block(b) for b in others)}{pair}</article>"
    )


def _block(b: Block) -> str:
    match b:
        case Text():
            return f'<p class="{b.tone}">{_text(b.text)}</p>' if b.tone else f"<p>{_text(b.text)}</p>"
        case Items():
            return f"<ul>{''.join(f'<li>{_text(i)}</li>' for i in b.items)}</ul>"
        case Facts():
            rows = (f'<dt>{_text(k)}</dt><dd class="{tone}">{_text(v)}</dd>' for k, v, tone in b.facts)
            return f"<dl>{''.join(rows)}</dl>"
        case Said():
            quotes = (
                f"<blockquote>{_stressed(t, w)}<small>{_text(who)}</small></blockquote>" for t, w, who in b.quotes
            )
            return f"<h4>{_text(b.title)}</h4>{''.join(quotes)}"
        case Bars():
            rest = f'<p class="quiet">{_text(b.rest)}</p>' if b.rest else ""
            return f'<div class="chart"><h4>{_text(b.title)}</h4>{svg.bars(b)}{rest}</div>'
        case Key():
            return f'<p class="quiet">{_text(b.drawn)}</p>'
        case Line():
            return f'<div class="chart"><h4>{_text(b.title)}</h4>{svg.line(b)}</div>'
        case Table():
            return _table(b)


def _table(t: Table) -> str:
    head = "".join(f"<th>{_text(h)}</th>" for h in t.head)
    # On a narrow screen a row of many columns stands as a list: its end, the verdict, would be out of sight.
    wide = len(t.head) > WIDE
    rows = []
    for i, row in enumerate(t.rows):
        tone = t.tones[i] if i < len(t.tones) else ""
        names = [f' data-name="{_text(h)}"' if wide else "" for h in t.head]
        tones = [""] * (len(row) - 1) + [f' class="{tone}"']
        cells = (f"<td{n}{c}>{_text(cell)}</td>" for n, c, cell in zip(names, tones, row, strict=True))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table{" class=wide" if wide else ""}><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


# The lexicon names English words by their beginnings (packag): what is stressed goes on to the word's end. Chinese has none to find.
_START: Final = r"(?:(?<![a-z])|(?![a-z]))"
_END: Final = r"(?:(?<=[a-z])[a-z]*)?"


def _stressed(text: str, words: tuple[str, ...]) -> str:
    """The text with the words that name the stage stressed."""
    if not words:
        return _text(text)
    longest_first = sorted(words, key=len, reverse=True)
    found = re.compile("|".join(_START + re.escape(w) + _END for w in longest_first), re.IGNORECASE)
    out, at = [], 0
    for m in found.finditer(text):
        out += [_text(text[at : m.start()]), f"<mark>{_text(m[0])}</mark>"]
        at = m.end()
    return "".join(out) + _text(text[at:])


def _text(text: str) -> str:
    return escape(text)
