"""Policies in TOML: what every reader of one needs. A wrong policy is refused, with its line, the place and the reason.

A place is named as it stands in the file: "pools.care.capacity". Every function here raises BadPolicyError.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta, timezone, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

P = TypeVar("P")
_OFFSET = re.compile(r"([+-])([0-9]{2}):([0-5][0-9])")
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?")
_Block = tuple[str, int, list[tuple[int, str]]]


class BadPolicyError(ValueError):
    """The policy is wrong; the message names the line, the place and the reason."""


def text_of(path: Path) -> str:
    """A policy file's text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicyError(f"{path.name}: can't be read: {error}") from None


def parsed(text: str, read: Callable[[Mapping[str, Any]], P]) -> P:
    """What `read` makes of the text's tables; what is wrong with it comes with its line."""
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or an integer of too many digits
        raise BadPolicyError(f"not TOML: {error}") from None
    except RecursionError:
        raise BadPolicyError("not TOML: is nested too deeply") from None
    try:
        return read(data)
    except BadPolicyError as error:
        raise BadPolicyError(f"line {line_of(text, str(error))}: {error}") from None


def version_of(declared: str, text: str) -> str:
    """A policy's version: the declared one and a hash of the text, so that no two policies share one."""
    return f"{declared}+{sha256(text.encode()).hexdigest()[:12]}"


def only(found: Mapping[str, Any], known: Iterable[str], at: str) -> None:
    """Nothing may stand there but what is known. at: what goes before a key's name."""
    for key in found:
        if key not in known:
            raise BadPolicyError(f"{at}{key}: is not known; known are {', '.join(sorted(known))}")


def table(value: object, where: str) -> Mapping[str, Any]:
    """A table."""
    if not isinstance(value, dict):
        raise BadPolicyError(f"{where}: must be a table")
    return value


def word(found: Mapping[str, Any], key: str, at: str) -> str:
    """A text that must be there. at: what goes before the key's name."""
    value = found.get(key)
    if not isinstance(value, str) or not value:
        raise BadPolicyError(f"{at}{key}: must be a text that isn't empty")
    return value


def words(value: object, where: str) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadPolicyError(f"{where}: must be a list of texts")
    return value


def number(value: object, where: str, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadPolicyError(f"{where}: must be a number from {low:g} to {high:g}")
    return float(value)


def whole(value: object, where: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadPolicyError(f"{where}: must be a whole number from {low} to {high}")
    return value


def flag(value: object, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise BadPolicyError(f"{where}: must be true or false")
    return value


def zone(name: str) -> tzinfo:
    """A policy's timezone: an offset such as "+08:00", or a zone's name."""
    offset = _OFFSET.fullmatch(name)
    if offset and int(offset[2]) < 24:
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(shift if offset[1] == "+" else -shift)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadPolicyError(f'timezone: "{name}" is neither an offset such as "+08:00" nor a known zone') from None


def line_of(text: str, error: str) -> int:
    """Return the line that an error speaks of: that of the key, else of its table, else the first."""
    blocks: list[_Block] = [("", 1, [])]
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header and "=" not in line.partition("[")[0]:
            blocks.append((header[1].replace('"', "").replace("'", ""), number, []))
        else:
            blocks[-1][2].append((number, line))
    rules = [block for block in blocks if block[0] == "rules"]
    named = re.match(r'rule "(.*?)"(?:: (.*))?', error) or re.match(r"rules\[(\d+)\](?:: (.*))?", error)
    if named:
        place = (named[2] or "").partition(":")
        keys = [*place[0].split("."), *place[2].strip().partition(":")[0].split(".")]
        if error.startswith("rules["):
            chosen = rules[int(named[1])] if int(named[1]) < len(rules) else blocks[0]
        else:
            says = re.compile(r'\s*name\s*=\s*"' + re.escape(named[1]) + '"')
            mine = [block for block in rules if any(says.match(line) for _, line in block[2])]
            chosen = mine[-1] if mine else blocks[0]
        return _line_in(chosen, keys)
    path = re.sub(r"\[\d+\]", "", error.partition(":")[0])
    after = error.partition(":")[2].strip().partition(":")[0]
    best = max(
        (b for b in blocks if b[0] and (path + ".").startswith(b[0] + ".")), key=lambda b: len(b[0]), default=blocks[0]
    )
    return _line_in(best, [*path.removeprefix(best[0]).strip(".").split("."), after])


def _line_in(block: _Block, keys: Sequence[str]) -> int:
    """The line of the innermost of the keys that the block has."""
    found = block[1]
    for key in keys:
        if re.fullmatch(r"[\w-]+", key):
            says = re.compile(rf"(?:^|[\s{{,]){re.escape(key)}\s*=")
            found = next((number for number, line in block[2] if number >= found and says.search(line)), found)
    return found
