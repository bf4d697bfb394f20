#!/usr/bin/env bash
# Runs scripts/train.py in the studio's environment; the guide's variables are read from the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$(studio_root)"
set_up requirements.txt
exec .venv/bin/python scripts/train.py "$@"
