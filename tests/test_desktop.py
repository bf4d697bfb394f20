"""Linux, macOS and Windows from one source: nothing that only POSIX has stands on the way from `python app.py` to the page."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
POSIX_ONLY = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "crypt", "spwd", "readline", "nis", "ossaudiodev"}
POSIX_CALLS = {
    "os": {"fork", "forkpty", "getuid", "geteuid", "getgid", "getpgid", "setsid", "setpgid", "killpg", "statvfs", "fstatvfs", "uname", "nice", "mkfifo", "sync", "getloadavg", "chown", "lchown", "fchmod", "fchown", "wait", "waitpid", "sched_getaffinity", "posix_fallocate", "sendfile", "pread", "pwrite", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_SYNC", "O_DIRECT", "O_NONBLOCK"},
    "signal": {"SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGQUIT", "SIGCHLD", "SIGSTOP", "SIGCONT", "alarm", "setitimer", "pause", "pthread_kill", "sigwait"},
    "socket": {"AF_UNIX", "SO_REUSEPORT"},
    "time": {"clock_gettime", "CLOCK_MONOTONIC"},
}
SOURCES = [ROOT / "app.py", *(file for folder in ("core", "ui", "scripts") for file in sorted((ROOT / folder).rglob("*.py")))]


def test_no_source_imports_or_calls_what_only_posix_has():
    assert len(SOURCES) > 90
    wrong = []
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wrong += [f"{file.name}: import {alias.name}" for alias in node.names if alias.name.split(".")[0] in POSIX_ONLY]
            elif isinstance(node, ast.ImportFrom) and node.module:
                wrong += [f"{file.name}: from {node.module}"] if node.module.split(".")[0] in POSIX_ONLY else []
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in POSIX_CALLS.get(node.value.id, ()):
                wrong.append(f"{file.name}:{node.lineno}: {node.value.id}.{node.attr}")
    assert wrong == []


def test_every_text_file_is_read_and_written_as_utf_8():
    """Windows would take its own code page: captions with accents would come back as others."""
    wrong = []
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_text(node) and not any(keyword.arg in ("encoding", None) for keyword in node.keywords):
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def _is_text(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("read_text", "write_text"):
        return True
    if name == "fdopen" or (name == "open" and isinstance(call.func, ast.Name)):
        mode = call.args[1] if len(call.args) > 1 else next((keyword.value for keyword in call.keywords if keyword.arg == "mode"), None)
        return mode is None or (isinstance(mode, ast.Constant) and "b" not in str(mode.value))
    return False


def test_no_path_of_a_file_becomes_text_with_the_systems_own_separator_in_a_record():
    """What stands in logs and addresses has forward slashes everywhere."""
    wrong = [f"{file.relative_to(ROOT)}: {line.strip()}" for file in SOURCES for line in file.read_text(encoding="utf-8").splitlines() if re.search(r"str\([^()]*\.relative_to\(", line)]
    assert wrong == []


BLOCK = f"""
import builtins, os, signal, sys
real = builtins.__import__
def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    caller = (globals or {{}}).get("__name__", "")
    if name.split(".")[0] in {POSIX_ONLY!r} and caller.split(".")[0] in ("app", "core", "ui", "scripts"):
        raise ImportError(f"{{name}} does not exist on Windows")
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = guarded
"""


def test_the_app_comes_up_where_posix_modules_are_missing(tmp_path):
    """The whole way of app.py to a page that answers, as a desktop goes it, with those modules out of reach for our code."""
    code = BLOCK + """
import threading, time, urllib.request
import app
sys.argv = ["app.py", "--port", "0"]
from ui.server.serve import Server
kept = []
made = Server.__init__
def remember(self, *arguments):
    made(self, *arguments)
    kept.append(self.socket.getsockname()[1])
Server.__init__ = remember
def look():
    while True:
        time.sleep(0.2)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{kept[0]}/", timeout=20) as answer:
                if "gradio" in answer.read().decode():
                    break
        except (OSError, IndexError):
            pass
    signal.raise_signal(signal.SIGINT)
threading.Thread(target=look, daemon=True).start()
code = app.main()
print("ended with", code, flush=True)
os._exit(code)
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "OUT_DIR": str(tmp_path / "output")}, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0 and "ended with 0" in result.stdout, result.stdout + result.stderr


def test_the_headless_commands_import_where_posix_modules_are_missing():
    modules = ["scripts.train", "scripts.evaluate", "scripts.analyze_dataset", "scripts.download_model", "scripts.lora", "core.training.train", "core.evaluation.evaluate", "core.traces", "core.pod_stop"]
    code = BLOCK + "import " + ", ".join(modules) + "; print('all')"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert result.stdout.strip() == "all", result.stderr


@pytest.mark.parametrize("name", ["con", "PRN.safetensors", "nul", "com1", "LPT9.x", "anna."])
def test_no_run_has_a_name_that_windows_keeps_for_itself(tmp_path, name):
    from core.errors import Refused
    from core.runs import RunStore
    from core.settings import parse_settings

    with pytest.raises(Refused):
        RunStore(tmp_path).create(parse_settings({"run.name": name}))
    assert list(tmp_path.iterdir()) == []


def test_the_longest_file_of_a_run_fits_into_a_windows_path():
    """260 characters with the studio in a folder of 100; the longest name a run may have is 64."""
    longest = "x" * 64
    deepest = [f"output/{longest}/checkpoints/.tmp-old-step-00000000-1234567/encoder-optimizer.pt", f"output/samples/{longest}/step-000000-00.webp", f"output/evaluations/{longest}-0101-010101-99/prompt-00-strength-1.20.png"]
    assert all(100 + 1 + len(path) < 260 for path in deepest)
