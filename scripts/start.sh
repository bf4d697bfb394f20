#!/usr/bin/env bash
# Sets everything up on first use, then serves the page: bash scripts/start.sh [--host H] [--port P] [--public]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$(studio_root)"
set_up requirements.txt

# On a pod the page must be reachable through the provider's proxy; the app then asks for its access token.
if [ -n "${RUNPOD_POD_ID:-}" ]; then
  export HOST="${HOST:-0.0.0.0}"
fi
exec .venv/bin/python app.py "$@"
