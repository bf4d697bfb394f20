#!/usr/bin/env bash
# Sets everything up on first use, then serves the page: bash scripts/start.sh [--host H] [--port P] [--public]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
source "$(dirname "${BASH_SOURCE[0]}")/pod.sh"
cd "$(studio_root)"
# On a pod the page must be reachable through the provider's proxy; the app then asks for its access token.
if [ -n "${RUNPOD_POD_ID:-}" ]; then
  settle_on_pod
fi
set_up requirements.txt
# exec: the signal that announces the pod's end must reach the studio, not this shell.
exec .venv/bin/python app.py "$@"
