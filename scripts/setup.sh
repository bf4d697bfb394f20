#!/usr/bin/env bash
# Sourced by start.sh and test.sh: makes .venv once and keeps it in step with the requirements files given as arguments.
# Where the machine's Python has a CUDA torch already (a pod's image), that one is used and no other is downloaded.

studio_root() { cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 3.11 or newer is needed and was not found. Install it, or set PYTHON=/path/to/python." >&2
  return 2
}

# Of several Pythons the one that has a CUDA torch, though it may be older; nothing when there is none.
find_python_with_cuda_torch() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && has_cuda_torch "$candidate"; then
      echo "$candidate"
      return
    fi
  done
}

has_sound_torch() { "$1" -c 'import re, sys, torch; sys.exit([int(part) for part in re.findall(r"[0-9]+", torch.__version__)[:2]] < [2, 10])'; }

has_cuda_torch() { "$1" -c 'import sys, torch; sys.exit(torch.version.cuda is None)' 2>/dev/null; }

# One marker per requirements file that is installed as it now reads.
marker_of() { echo ".venv/done-$(cksum < "$1" | tr ' ' '-')"; }

is_set_up() {
  local file
  [ -x .venv/bin/python ] || return 1
  for file in "$@"; do
    [ -f "$(marker_of "$file")" ] || return 1
  done
}

set_up() {
  local python file
  if is_set_up "$@"; then
    return
  fi
  echo "Setting up .venv (once; a few minutes) ..."
  if [ -n "${VENV_HOME:-}" ]; then
    mkdir -p "$VENV_HOME"
    ln -sfn "$VENV_HOME" .venv
  fi
  python=$(find_python_with_cuda_torch)
  if [ -n "$python" ]; then
    echo "Using the CUDA torch that is installed."
    has_sound_torch "$python" || echo "*** It is older than 2.10, which has a known hole in reading .pt files: put no stranger's checkpoint into output/, or take a newer image. ***" >&2
    "$python" -m venv --system-site-packages .venv
    .venv/bin/python -c 'import torch; print("torch==" + torch.__version__)' > .venv/constraints.txt
    cat "$@" | grep -v '^torch==' > .venv/requirements.txt
  else
    python=$(find_python) || return 2
    "$python" -m venv .venv
    : > .venv/constraints.txt
    cat "$@" > .venv/requirements.txt
  fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r .venv/requirements.txt -c .venv/constraints.txt
  for file in "$@"; do
    touch "$(marker_of "$file")"
  done
}
