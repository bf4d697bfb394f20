# Identity LoRA Studio for a rented GPU: docker build -t identity-lora-studio .
# The base brings Python, CUDA and a torch built for it; scripts/setup.sh uses that torch and installs the rest as pinned in requirements.txt.
ARG BASE=runpod/pytorch:1.3.2-cu1281-torch2130-ubuntu2404
FROM ${BASE}

# tini is process 1: it hands signals on and buries what SSH sessions leave behind.
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini openssh-server rsync tmux \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /app
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1

# Libraries first: a change of the code does not install them again.
COPY requirements.txt ./
COPY scripts/setup.sh scripts/setup.sh
RUN ["bash", "-c", "set -euo pipefail; source scripts/setup.sh; set_up requirements.txt"]

COPY . .

EXPOSE 7860
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["/app/.venv/bin/python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 7860)}/healthz', timeout=4)"]
ENTRYPOINT ["tini", "--"]
CMD ["bash", "/app/scripts/start.sh"]
