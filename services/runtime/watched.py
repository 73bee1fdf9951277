"""A file that a setting names, and that may change while we run: keys, policies."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from services.runtime.errors import Misconfigured

T = TypeVar("T")


class Watched(Generic[T]):
    """One file. `setting` names it in errors; `parse` reads its text, and raises Misconfigured."""

    def __init__(self, path: Path, setting: str, parse: Callable[[str], T]) -> None:
        self._path = path
        self._setting = setting
        self._parse = parse
        self._stamp = self._look()

    def changed(self) -> bool:
        """Whether it is another one since this was asked last."""
        before, self._stamp = self._stamp, self._look()
        return self._stamp != before

    def read(self) -> T:
        """What it says now. Raises Misconfigured, naming the setting, the file and what is wrong."""
        try:
            return self._parse(self._path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"{self._setting}: {self._path}: can't be read ({type(error).__name__})") from None
        except Misconfigured as wrong:
            raise Misconfigured(f"{self._setting}: {self._path}: {wrong}") from None

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
