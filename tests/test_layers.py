"""The floors of docs/architecture.md: imports point down only, rooms of one floor never import each other, the page loads no heavy library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = [
    {"core.errors", "core.loading", "core.machine", "core.masking"},
    {"core.durable", "core.pod_stop"},
    {"core.settings", "core.events", "core.pace", "core.gauges", "core.ownership", "core.volume", "core.at_work"},
    {"core.presets", "core.runs", "core.signs"},
    {"core.jobs", "core.run_history", "core.run_queue", "core.trash"},
    {"core.dataset", "core.flux", "core.identity"},
    {"core.analyzer", "core.training", "core.evaluation", "core.captioning"},
    {"core.doctor", "core.pocket", "core.traces", "core.run_archive"},
    {"core.caption_tasks"},
    {"core.analysis_tasks"},
    {"core.tasks"},
    {"core.class_photo_tasks", "core.model_setup", "core.queue_runner"},
    {"ui", "scripts"},
    {"app"},
]
HEAVY = ("torch", "diffusers", "transformers", "peft", "cv2")
LIGHT_FOR_THE_PAGE = {
    "core.at_work", "core.dataset", "core.analyzer.report", "core.analyzer.report_html", "core.evaluation.choice", "core.evaluation.compare", "core.evaluation.coverage", "core.evaluation.grid", "core.evaluation.job", "core.evaluation.prompts", "core.evaluation.recommend", "core.evaluation.scores", "core.evaluation.sheet", "core.evaluation.twin", "core.errors", "core.loading", "core.durable", "core.settings", "core.events", "core.pace", "core.presets", "core.runs", "core.jobs", "core.analysis_tasks", "core.tasks", "core.caption_tasks", "core.class_photo_tasks", "core.captioning.model_place", "core.captioning.proposals", "core.captioning.request", "core.traces", "core.machine", "core.masking", "core.ownership", "core.pod_stop", "core.volume", "core.signs", "core.doctor", "core.gauges", "core.model_setup", "core.queue_runner", "core.run_archive", "core.run_history", "core.run_queue", "core.training.prospect", "core.trash",
}  # fmt: skip


def modules() -> dict[str, Path]:
    found = [ROOT / "app.py", *(file for folder in ("core", "ui", "scripts") for file in (ROOT / folder).rglob("*.py"))]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in found}


def imports_of(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def room_of(module: str) -> str | None:
    rooms = [room for floor in FLOORS for room in floor if module == room or module.startswith(room + ".")]
    return rooms[0] if rooms else None


def floor_of(room: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


def test_every_module_has_a_floor():
    assert len(modules()) > 60
    assert [module for module in modules() if room_of(module) is None and module != "core"] == []


def test_imports_point_down():
    wrong = []
    for module, file in modules().items():
        for name in imports_of(file):
            mine, theirs = room_of(module), room_of(name)
            if theirs and mine and mine != theirs and floor_of(theirs) >= floor_of(mine):
                wrong.append(f"{module} -> {name}")
    assert wrong == []


def test_the_page_uses_only_the_light_rooms():
    wrong = [f"{module} -> {name}" for module, file in modules().items() if module.startswith("ui") for name in imports_of(file) if name.startswith("core.") and not any(name == room or name.startswith(room + ".") for room in LIGHT_FOR_THE_PAGE)]
    assert wrong == []


def test_core_never_imports_gradio():
    assert [module for module, file in modules().items() if module.startswith("core") and any(name.split(".")[0] == "gradio" for name in imports_of(file))] == []


@pytest.mark.parametrize("module", ["ui.server.build", "core.tasks", "core.analysis_tasks", "core.caption_tasks", "core.class_photo_tasks", "core.captioning.caption", "core.analyzer.analyze", "core.doctor.diagnose", "core.pocket.demo"])
def test_the_page_starts_without_heavy_libraries(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_the_server_answers_before_gradio_is_imported():
    code = "import sys, app, ui.server.serve, ui.server.gate, ui.server.doorway, ui.studio, core.ownership, core.volume; print('gradio' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "False", result.stdout + result.stderr


def test_files_stay_short():
    long = {module: len(file.read_text().splitlines()) for module, file in modules().items() if len(file.read_text().splitlines()) > 350}
    assert long == {}


def test_every_file_opens_with_a_sentence():
    bare = [module for module, file in modules().items() if file.name != "__init__.py" and not (ast.get_docstring(ast.parse(file.read_text())) or "").strip()]
    assert bare == []
