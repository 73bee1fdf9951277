#!/usr/bin/env bash
# Generates the Python of proto/ into gen/, which git ignores.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf gen.new && mkdir -p gen.new
.venv/bin/python -m grpc_tools.protoc --proto_path=proto --plugin=protoc-gen-mypy=.venv/bin/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=.venv/bin/protoc-gen-mypy_grpc \
  --python_out=gen.new --grpc_python_out=gen.new --mypy_out=quiet:gen.new --mypy_grpc_out=quiet:gen.new \
  $(find proto -name '*.proto' | sort)
find gen.new -name '*_pb2_grpc.py*' -print0 | while IFS= read -r -d '' file; do
  grep -q 'Servicer' "$file" || rm "$file"
done
find gen.new -type d -exec touch {}/__init__.py {}/py.typed \;
rm -rf gen && mv gen.new gen
echo "gen/: $(find gen -name '*_pb2.py' | wc -l | tr -d ' ') modules"
