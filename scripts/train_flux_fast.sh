#!/usr/bin/env bash
# The guide's fast profile: bash scripts/train_flux_fast.sh, with any of the guide's variables in front.
exec bash "$(dirname "${BASH_SOURCE[0]}")/train.sh" --preset fast "$@"
