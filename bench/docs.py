"""docs/benchmarks.md and its charts."""

from pathlib import Path

from bench.results import Book

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "docs" / "benchmarks.json"


def write_docs(book: Book) -> None:
    pass
