#!/usr/bin/env bash
# Sets everything up on first use, then runs the default test ring: bash scripts/test.sh [pytest arguments]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$(studio_root)"
set_up requirements.txt requirements-dev.txt
exec .venv/bin/python -m pytest "$@"
