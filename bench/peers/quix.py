"""Quix Streams in an environment of its own, by the hashes of requirements/bench.lock: its pins are not ours.

`python -m bench.peers.quix` installs it; `make bench` does that.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME, LOCK = ROOT / ".venv-bench", ROOT / "requirements" / "bench.lock"
PYTHON = HOME / "bin" / "python"
READY = HOME / "ready"


def version() -> str:
    """The locked version."""
    found = re.search(r"^quixstreams==(\S+)", LOCK.read_text(), re.MULTILINE)
    return found[1] if found else "?"


def missing() -> str | None:
    """Why Quix Streams can't run here; None where it can."""
    if not PYTHON.exists() or not READY.exists():
        return "Quix Streams is not installed: python -m bench.peers.quix says why"
    if READY.read_text() != LOCK.read_text():
        return "Quix Streams is not the locked one: python -m bench.peers.quix"
    return None


def install() -> str | None:
    """Installs what the lock names, where that was not done. Gives the reason where it can't be had."""
    if missing() is None:
        return None
    try:
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True, capture_output=True, text=True)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "-r", str(LOCK)], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        return (error.stderr or error.stdout or str(error)).strip().rpartition("\n")[2]
    READY.write_text(LOCK.read_text())
    return None


if __name__ == "__main__":
    reason = install()
    if reason:
        # Not a failure: the others are measured without it.
        print(f"Quix Streams is left out: {reason}", file=sys.stderr)
