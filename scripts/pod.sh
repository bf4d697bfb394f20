#!/usr/bin/env bash
# Sourced by start.sh on a rented pod: what must last goes to the volume, many small files and temporary ones stay on the container's disk.
# VOLUME_ROOT is where the volume is mounted (/workspace), the studio's folder on it is the guide's: $VOLUME_ROOT/lora_training.

settle_on_pod() {
  local volume="${VOLUME_ROOT:-/workspace}" folder
  local home="$volume/lora_training"
  mkdir -p "$home"
  export HOST="${HOST:-0.0.0.0}"
  export HF_HOME="${HF_HOME:-$volume/.cache/huggingface}"
  export HF_HUB_DOWNLOAD_TIMEOUT="${HF_HUB_DOWNLOAD_TIMEOUT:-30}"
  export TMPDIR="${TMPDIR:-/tmp}"
  export HF_XET_CACHE="${HF_XET_CACHE:-$TMPDIR/xet}"
  export GRADIO_TEMP_DIR="${GRADIO_TEMP_DIR:-$TMPDIR/gradio}"
  mkdir -p "$HF_HOME" "$GRADIO_TEMP_DIR"
  ulimit -n 65536 2> /dev/null || true # one open tab holds one connection
  if [ "$(cd -P "$home" && pwd)" = "$(pwd -P)" ]; then
    # The repository itself lies on the volume. Its thousands of library files do not: a network volume needs half an hour for them.
    export VENV_HOME="${VENV_HOME:-/opt/identity-lora-studio-venv}"
  else
    for folder in data output models; do
      keep_on_volume "$folder" "$home/$folder"
    done
    lend_commands "$home"
  fi
  open_ssh
  tell_shells "$home"
  echo "On pod $RUNPOD_POD_ID: photos, runs and LoRAs in $home, models in $HF_HOME, temporary files in $TMPDIR."
}

# A folder of the studio becomes a link to the volume. One that holds somebody's files is left alone, loudly.
keep_on_volume() {
  local here="$1" there="$2" others
  mkdir -p "$there"
  if [ -d "$here" ] && [ ! -L "$here" ]; then
    others=$(find "$here" -mindepth 1 -not -path "$here/README.md" -print -quit)
    if [ -n "$others" ]; then
      echo "*** $(pwd)/$here holds files that are NOT ON THE VOLUME. Move them into $there, then start again. ***" >&2
      return
    fi
    if [ -f "$here/README.md" ]; then
      cp -n "$here/README.md" "$there/README.md"
    fi
    rm -rf "$here"
  fi
  ln -sfn "$there" "$here"
}

# The guide's commands are typed in the folder on the volume; the code stays where it is.
lend_commands() {
  local home="$1" entry
  for entry in app.py core docs presets requirements.txt scripts ui .venv; do
    if [ -L "$home/$entry" ] || [ ! -e "$home/$entry" ]; then
      ln -sfn "$(pwd)/$entry" "$home/$entry"
    fi
  done
}

# rsync of a dataset goes through SSH; the provider hands the key over in a variable.
open_ssh() {
  if [ -z "${PUBLIC_KEY:-}" ] || ! command -v sshd > /dev/null; then
    return 0
  fi
  mkdir -p ~/.ssh
  chmod 700 ~/.ssh
  grep -qxF "$PUBLIC_KEY" ~/.ssh/authorized_keys 2> /dev/null || echo "$PUBLIC_KEY" >> ~/.ssh/authorized_keys
  chmod 600 ~/.ssh/authorized_keys
  ssh-keygen -A > /dev/null
  service ssh start > /dev/null || echo "SSH could not be started; the web terminal works." >&2
}

# Somebody who comes by SSH finds the same folders and cache. Never a secret: this file is readable.
tell_shells() {
  local home="$1" profile="${PROFILE_FOLDER:-/etc/profile.d}"
  if [ -w "$profile" ]; then
    printf 'export HF_HOME=%q HF_XET_CACHE=%q TMPDIR=%q\ncd %q\n' "$HF_HOME" "$HF_XET_CACHE" "$TMPDIR" "$home" > "$profile/identity-lora-studio.sh"
  fi
}
