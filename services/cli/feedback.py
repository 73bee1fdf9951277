"""`touchline sentiment feedback export`: corrections by people as JSON lines, for `make train FEEDBACK=FILE`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.calls import reason_of, service_address
from services.cli.common import TEXT, data_option, fail

if TYPE_CHECKING:
    from touchline.sentiment.v1 import sentiment_pb2

# The longest texts fit a gRPC message of 16 MiB so many times.
_PAGE = 200
_DIGITS = 6


@click.group(short_help="Corrections of scores by people. 人工更正。")
def feedback() -> None:
    """Corrections of scores by people. 人工更正。"""


@feedback.command(short_help="Write the corrections that are kept. 导出人工更正。")
@data_option
@click.option(
    "--address",
    type=TEXT,
    default="",
    help="The service's gRPC address; by default the one that is up on --data. 服务地址。",
)
@click.option(
    "--after", type=click.IntRange(0, 2**63 - 1), default=0, help="Only numbers above this. 只要此编号之后的。"
)
def export(data: Path, address: str, after: int) -> None:
    """Writes the corrections that are kept, oldest first: number, text, lang, label and what else was told; a line each.

    The lines hold customers' words: keep them no longer than the service does, and where only those may read who train. 含客户原话。
    """
    from services.runtime.rpc import LookupFailed

    try:
        asyncio.run(_export(address or service_address(data, "sentiment"), after))
    except LookupFailed as error:
        fail(f"sentiment: {reason_of(error)}")


async def _export(address: str, after: int) -> None:
    async for page in pages(address, after):
        sys.stdout.write("".join(json.dumps(line(c), ensure_ascii=False) + "\n" for c in page))
    sys.stdout.flush()


async def pages(address: str, after: int) -> "AsyncIterator[list[sentiment_pb2.Correction]]":
    """The corrections above a number, page by page."""
    from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

    from services.runtime.rpc import channel

    async with channel(address) as to:
        stub = sentiment_pb2_grpc.SentimentServiceStub(to)
        while True:
            request = sentiment_pb2.ExportCorrectionsRequest(after=after, limit=_PAGE)
            found = list((await stub.ExportCorrections(request, timeout=30)).corrections)
            if found:
                yield found
            if len(found) < _PAGE:
                return
            after = found[-1].number


def line(correction: "sentiment_pb2.Correction") -> dict[str, Any]:
    """One correction as training reads it; `emotion` and `complaint` only where somebody said something of them.

    `said` is what the model made of the text when it was corrected: its label, and the probabilities.
    """
    from touchline.sentiment.v1 import sentiment_pb2

    told: dict[str, Any] = {
        "number": correction.number,
        "text": correction.text,
        "lang": correction.language,
        "label": _word(sentiment_pb2.Label.Name(correction.label)),
    }
    if correction.emotion:
        told["emotion"] = _word(sentiment_pb2.Emotion.Name(correction.emotion))
    if correction.HasField("complaint"):
        told["complaint"] = correction.complaint
    said = correction.said
    probability = {k: round(getattr(said, k), _DIGITS) for k in ("negative", "neutral", "positive")}
    told["at"] = correction.corrected_at.ToJsonString()
    told["said"] = {"label": _word(sentiment_pb2.Label.Name(said.label)), "probability": probability}
    told["model"] = correction.model
    return told


def _word(name: str) -> str:
    """`LABEL_NEGATIVE` → `negative`."""
    return name.partition("_")[2].lower()
