"""What the models read of a text: its normal form (`normal`), its language, and n-grams of many at once (`encode`)."""

from services.sentiment.domain.encode import Encoded, encode, encode_normalised, languages, ngram_hashes
from services.sentiment.domain.normal import (
    MAX_CHARS,
    Language,
    Normalised,
    guess_language,
    normalise,
    normalise_with_offsets,
)

__all__ = [
    "MAX_CHARS",
    "Encoded",
    "Language",
    "Normalised",
    "encode",
    "encode_normalised",
    "guess_language",
    "languages",
    "ngram_hashes",
    "normalise",
    "normalise_with_offsets",
]
