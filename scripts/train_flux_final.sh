#!/usr/bin/env bash
# The guide's final profile: bash scripts/train_flux_final.sh, with any of the guide's variables in front.
exec bash "$(dirname "${BASH_SOURCE[0]}")/train.sh" --preset final "$@"
