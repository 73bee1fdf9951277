#!/usr/bin/env bash
# Everything that can be judged without running it: style, types, imports, the contract in proto/, the deploy files.
# All of it runs, and the exit status is 1 if any of it failed.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

failed=0
check() {
  echo "== $*"
  "$@" || { echo "-- failed: $*" >&2; failed=1; }
}

check ruff check .
check ruff format --check .
check mypy
check lint-imports --no-cache
check buf lint
# `buf format` is left out: it writes each field's rules over several lines, where one line reads better.
check buf breaking --against proto/baseline.binpb
check yamllint --strict deploy
check python scripts/events_doc.py --check
exit "$failed"
