"""Reads comments for the report of a file, as the sentiment service reads them live."""

from collections.abc import Sequence

from services.nps.report.remark import Remark
from services.sentiment.domain import remarks
from services.sentiment.domain.tongue import Tongue, tongues
from services.sentiment.model import load
from services.sentiment.model.targets import load as load_targets


class CommentReader:
    """Reads comments with the shipped models; texts that come again are read once."""

    def __init__(self) -> None:
        """Raises ModelError or TargetsError where the models can't be read."""
        self._reader = remarks.CommentReader(load(), load_targets())
        self._known: dict[tuple[str, Tongue], Remark] = {}

    def read(self, texts: Sequence[str]) -> list[Remark]:
        """One remark for each text, in order."""
        keys = list(zip(texts, tongues(texts), strict=True))
        new = sorted({k for k in keys if k not in self._known})
        for key, found in zip(new, self._reader.read([t for t, _ in new], [said for _, said in new]), strict=True):
            self._known[key] = Remark(
                found.reading,
                found.language,
                tuple(n.stage for n in found.named if n.complains),
                tuple(n.stage for n in found.named if not n.complains),
                {n.stage: n.words for n in found.named},
            )
        return [self._known[k] for k in keys]
