#!/usr/bin/env bash
# Trains in a tmux session that outlives the connection, with log and device telemetry beside it: bash scripts/tmux_train.sh fast|final
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
profile="${1:-}"
if [ "$profile" != fast ] && [ "$profile" != final ]; then
  echo "Which profile? Usage: bash scripts/tmux_train.sh fast|final" >&2
  exit 2
fi
if ! command -v tmux > /dev/null; then
  echo "tmux is not installed. Install it (apt-get install tmux), or run bash scripts/train_flux_$profile.sh directly." >&2
  exit 2
fi
session="lora-$profile"
if tmux has-session -t "$session" 2> /dev/null; then
  echo "A session '$session' is there already. Look: tmux attach -t $session. End it: tmux kill-session -t $session" >&2
  exit 2
fi
export RUN_NAME="${RUN_NAME:-$profile-$(date +%m%d-%H%M%S)}"
log="${OUT_DIR:-output}/$RUN_NAME/events.jsonl"
if command -v nvidia-smi > /dev/null; then
  telemetry='nvidia-smi --query-gpu=name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw --format=csv -l 2'
else
  telemetry='top -d 2'
fi
# A running tmux server keeps the environment it was started with, so the guide's variables are handed over one by one.
handed=()
while IFS= read -r name; do
  [ -n "${!name+set}" ] && handed+=(-e "$name=${!name}")
done < scripts/variables.txt
tmux new-session -d -s "$session" -x 200 -y 50 "${handed[@]}" "bash scripts/train_flux_$profile.sh; code=\$?; echo; echo \"Ended with code \$code. Press Enter to close.\"; read -r _"
tmux split-window -t "$session" -v -l 30% "until [ -f '$log' ]; do sleep 1; done; tail -n 50 -f '$log'"
tmux split-window -t "$session" -h -l 45% "$telemetry"
tmux select-pane -t "$session" -U
echo "Training '$RUN_NAME' in tmux session '$session'. Look: tmux attach -t $session. Leave it running: Ctrl+b, then d."
