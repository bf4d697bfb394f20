"""The start on a rented pod, with a stand-in for its volume and its driver: what lasts lies on the volume, the signal arrives, and what is amiss is said loudly."""

import fnmatch
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a pod runs Linux")
POD = "abc123def456xyz"


def script(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.fixture
def image(tmp_path):
    """The studio as it lies in the image, outside of the volume; its set-up is done."""
    app = tmp_path / "app"
    app.mkdir()
    for folder in ("core", "ui", "scripts"):
        shutil.copytree(ROOT / folder, app / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("data", "output"):
        (app / folder).mkdir()
        (app / folder / "README.md").write_text("about")
    for name in ("app.py", "requirements.txt"):
        shutil.copy(ROOT / name, app / name)
    for name in ("presets", "docs"):
        (app / name).symlink_to(ROOT / name)
    script(app / ".venv" / "bin" / "python", f'exec {sys.executable} "$@"')
    marker = subprocess.run(["bash", "-c", "source scripts/setup.sh; marker_of requirements.txt"], cwd=app, capture_output=True, text=True, check=True).stdout.strip()
    (app / marker).touch()
    return app


class Pod:
    """bash scripts/start.sh as the container's command."""

    def __init__(self, image, tmp_path, **variables):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = tmp_path / "pod.log"
        home = tmp_path / "root"
        home.mkdir(exist_ok=True)
        profile = tmp_path / "profile.d"
        profile.mkdir(exist_ok=True)
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "OMP_NUM_THREADS")}
        environment = kept | {"RUNPOD_POD_ID": POD, "VOLUME_ROOT": str(tmp_path / "workspace"), "PORT": str(self.port), "HOME": str(home), "PROFILE_FOLDER": str(profile), "TMPDIR": str(tmp_path / "tmp"), "HF_TOKEN": "hf_AbCdEfGhIjKlMnOpQr"} | variables
        (tmp_path / "tmp").mkdir(exist_ok=True)
        with open(self.log, "w") as opened:
            self.process = subprocess.Popen(["bash", str(image / "scripts" / "start.sh")], cwd=tmp_path, env=environment, stdout=opened, stderr=opened)

    def health(self):
        """0 while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def wait_for(self, status):
        began = time.monotonic()
        while time.monotonic() - began < 120 and self.process.poll() is None:
            if self.health() == status:
                return
            time.sleep(0.05)
        pytest.fail(self.log.read_text())

    def end(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30), time.monotonic() - began


def test_a_pods_start_keeps_what_matters_on_the_volume_and_passes_the_signal_on(image, tmp_path):
    workspace = tmp_path / "workspace"
    pod = Pod(image, tmp_path)
    try:
        pod.wait_for(200)
        with socket.create_connection((socket.gethostbyname(socket.gethostname()), pod.port), timeout=10):
            pass  # bound to every address, as the provider's proxy needs
        home = workspace / "lora_training"
        address = re.search(rf"https://{POD}-{pod.port}\.proxy\.runpod\.net/login#(\S+)", pod.log.read_text())
        token_file = home / "output" / ".secrets" / "access_token"
        assert token_file.read_text() == address[1] and stat.S_IMODE(token_file.stat().st_mode) == 0o600
        assert all((image / folder).resolve() == home / folder for folder in ("data", "output", "models"))
        assert (home / "data" / "demo-subject").is_dir() and (workspace / ".cache" / "huggingface").is_dir()
        assert (home / "scripts" / "train_flux_fast.sh").is_file() and (home / "scripts").resolve() == image / "scripts"
        profile = (tmp_path / "profile.d" / "identity-lora-studio.sh").read_text()
        assert f"HF_HOME={workspace}/.cache/huggingface" in profile and f"cd {home}" in profile and "hf_" not in profile
        text = pod.log.read_text()
        assert "NOT ON A VOLUME: photos (data), LoRAs and runs (output), downloaded models (HF_HOME)" in text  # the stand-in is a plain folder
        assert "This pod has no GPU" in text and "hf_" not in text
        code, seconds = pod.end()
        assert code == 0 and seconds < 4
    finally:
        pod.process.kill()
    again = Pod(image, tmp_path)
    try:
        again.wait_for(503)
        assert address[1] in again.log.read_text()
    finally:
        again.process.kill()
        again.process.wait()


def settle(image, tmp_path, code="settle_on_pod", **variables):
    environment = {"PATH": os.environ["PATH"], "RUNPOD_POD_ID": POD, "VOLUME_ROOT": str(tmp_path / "workspace"), "HOME": str(tmp_path), "PROFILE_FOLDER": str(tmp_path / "none"), "TMPDIR": str(tmp_path / "tmp")} | variables
    return subprocess.run(["bash", "-euo", "pipefail", "-c", f"source scripts/setup.sh; source scripts/pod.sh; {code}"], cwd=image, env=environment, capture_output=True, text=True, timeout=60)


def test_files_somebody_put_beside_the_code_are_left_alone_loudly(image, tmp_path):
    (image / "data" / "subject").mkdir()
    (image / "data" / "subject" / "a.jpg").write_bytes(b"x")
    result = settle(image, tmp_path)
    assert result.returncode == 0 and "NOT ON THE VOLUME" in result.stderr and (image / "data" / "subject" / "a.jpg").is_file() and not (image / "data").is_symlink()
    assert (image / "output").is_symlink()


def test_a_second_start_changes_nothing_and_files_on_the_volume_stay(image, tmp_path):
    assert settle(image, tmp_path).returncode == 0
    kept = tmp_path / "workspace" / "lora_training" / "output" / "anna.safetensors"
    kept.write_bytes(b"x")
    (kept.parent / "README.md").write_text("my own")
    assert settle(image, tmp_path).returncode == 0 and kept.read_bytes() == b"x" and (kept.parent / "README.md").read_text() == "my own"


def test_a_repository_on_the_volume_keeps_its_libraries_off_it(image, tmp_path):
    home = tmp_path / "workspace" / "lora_training"
    home.parent.mkdir()
    shutil.move(image, home)
    result = settle(home, tmp_path, "settle_on_pod; echo venv=$VENV_HOME")
    assert result.returncode == 0 and "venv=/opt/identity-lora-studio-venv" in result.stdout and not (home / "data").is_symlink()


def test_the_variables_of_the_template_win(image, tmp_path):
    result = settle(image, tmp_path, "settle_on_pod; echo $HOST $HF_HOME $GRADIO_TEMP_DIR", HOST="127.0.0.1", HF_HOME=str(tmp_path / "hub"), GRADIO_TEMP_DIR=str(tmp_path / "g"))
    assert result.stdout.splitlines()[-1] == f"127.0.0.1 {tmp_path / 'hub'} {tmp_path / 'g'}"


def test_ssh_is_opened_with_the_providers_key_only(image, tmp_path):
    script(tmp_path / "bin" / "sshd", "exit 0")
    script(tmp_path / "bin" / "ssh-keygen", "exit 0")
    script(tmp_path / "bin" / "service", f'echo "$@" >> {tmp_path}/services')
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    for _ in range(2):
        assert settle(image, tmp_path, PATH=path, PUBLIC_KEY="ssh-ed25519 AAAA me").returncode == 0
    keys = tmp_path / ".ssh" / "authorized_keys"
    assert keys.read_text() == "ssh-ed25519 AAAA me\n" and stat.S_IMODE(keys.stat().st_mode) == 0o600 and "ssh start" in (tmp_path / "services").read_text()


def test_without_a_key_no_ssh_is_opened(image, tmp_path):
    assert settle(image, tmp_path).returncode == 0 and not (tmp_path / ".ssh").exists()


def dockerfile():
    return [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]


def test_the_image_is_pinned_and_hands_signals_on():
    lines = dockerfile()
    assert "ARG BASE=runpod/pytorch:1.3.2-cu1281-torch2130-ubuntu2404" in lines and not any(re.search(r":latest|FROM \S+[^:}\w]$", line) for line in lines)
    assert 'ENTRYPOINT ["tini", "--"]' in lines and 'CMD ["bash", "/app/scripts/start.sh"]' in lines and "EXPOSE 7860" in lines
    assert "exec .venv/bin/python app.py" in (ROOT / "scripts" / "start.sh").read_text()


def test_every_file_the_image_is_made_of_exists_and_goes_in():
    copied = [source for line in dockerfile() if line.startswith("COPY ") for source in line.split()[1:-1]]
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("!")]
    needed = [*copied, "app.py", "core", "ui", "presets", "docs/TRAINING_GUIDE.md", "scripts/start.sh", "scripts/pod.sh", "scripts/variables.txt"]
    assert "requirements.txt" in copied and [name for name in needed if not (ROOT / name).exists()] == []
    assert [name for name in needed if any(fnmatch.fnmatch(part, pattern) for pattern in ignored for part in (name, name.split("/")[0]))] == []


@pytest.mark.parametrize(("answers", "code"), [(200, 0), (503, 1), (None, 1)])
def test_the_images_health_check_is_the_servers_answer(answers, code):
    """The command of the Dockerfile as it stands there, with this Python for the image's."""
    command = json.loads(next(line for line in dockerfile() if line.startswith("HEALTHCHECK")).partition("CMD ")[2])
    assert command[:2] == ["/app/.venv/bin/python", "-c"]

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answers if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            """Nothing is printed."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        if answers:
            threading.Thread(target=server.handle_request, daemon=True).start()
        else:
            server.socket.close()
        result = subprocess.run([sys.executable, *command[1:]], env=os.environ | {"PORT": str(server.server_address[1])}, capture_output=True, timeout=30)
    assert result.returncode == code


def test_no_secret_and_no_photo_goes_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {"data/*", "output/*", ".git", ".venv", "models"} <= set(ignored)
    assert not re.search(r"TOKEN|KEY|PASSWORD|SECRET", "\n".join(dockerfile()))
