"""The touchpoint taxonomy that services share: what a message or a survey's comment is about (touchpoints.toml)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parent / "touchpoints.toml"


class TaxonomyError(Exception):
    """The file is missing or not a taxonomy; the message names the field."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One touchpoint. `key` is "area.stage"."""

    key: str
    area: str
    zh: str
    en: str
    topic: str
    about: str


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the customer's way, with its stages in order."""

    key: str
    zh: str
    en: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All areas in order. `version` goes up when a meaning changes."""

    version: int
    areas: tuple[Area, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages, area by area."""
        return tuple(stage for area in self.areas for stage in area.stages)

    def stage(self, key: str) -> Stage:
        """The stage named "area.stage". Raises KeyError."""
        for stage in self.stages:
            if stage.key == key:
                return stage
        raise KeyError(key)


@cache
def load(file: Path = FILE) -> Taxonomy:
    """The taxonomy in `file`, the shipped one unless told otherwise. Raises TaxonomyError."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise TaxonomyError(f"{file}: {e}") from e
    try:
        return parse(found)
    except (KeyError, TypeError, AttributeError) as e:
        raise TaxonomyError(f"{file}: {e} is missing or malformed") from e


def parse(found: Mapping[str, Any]) -> Taxonomy:
    """The taxonomy that the file's tables say. Raises KeyError, TypeError or AttributeError for what is missing or malformed."""
    areas = []
    for area, rows in found["areas"].items():
        stages = tuple(
            Stage(f"{area}.{name}", area, row["zh"], row["en"], row["topic"], row["about"])
            for name, row in rows["stages"].items()
        )
        areas.append(Area(area, rows["zh"], rows["en"], stages))
    return Taxonomy(int(found["version"]), tuple(areas))
