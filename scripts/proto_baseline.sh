#!/usr/bin/env bash
# Takes proto/ as it stands as what `buf breaking` compares with. Run on a release, and only then.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/buf build --exclude-source-info -o proto/baseline.binpb
