"""What a reader sees stands in ui/texts, a module a tab; help of settings stands with their declaration."""

import ast
import importlib
import re
import string
from pathlib import Path

import gradio as gr

from core.settings import declaration_of
from ui.settings_form import SettingsForm
from ui.studio import Studio
from ui.texts import scripts

UI, TEXTS = Path("ui"), Path("ui/texts")
SCRIPTS = sorted(Path("ui/server").glob("*.js"))
SOURCES = [file for file in sorted(UI.glob("*.py")) if file.name not in ("page_style.py", "theme.py", "palette.py")]
WORDS_TYPED = {"label", "info", "placeholder"}
NAMED_FIRST = {"Button", "Accordion", "Tab", "Markdown"}
A_SENTENCE = 3


def sentences(tree):
    """String constants a reader could see; what is raised says where it was raised, with the values it has there."""
    aside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Raise) or getattr(getattr(node, "func", None), "id", "") in ("Refused", "UserError") for part in ast.walk(node)}
    aside |= {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in aside:
            yield node.lineno, re.sub(r"<[^>]*(>|$)|^[^<]*=?\"[^<>]*>?|[\w-]+=\"[^\"]*", " ", node.value)


def words_of(text):
    """Of prose: words between spaces, not names of classes, selectors and attributes."""
    return [word for word in text.split() if re.fullmatch(r"[A-Za-z']{2,}[.,;:?!]?", word)]


def test_no_sentence_is_typed_where_it_is_drawn():
    assert len(SOURCES) > 25
    typed = [f"{file}:{line} {text.strip()}" for file in SOURCES for line, text in sentences(ast.parse(file.read_text())) if len(words_of(text)) >= A_SENTENCE]
    assert typed == []


def test_no_page_before_the_page_has_its_words_typed_where_it_is_made():
    """Answers that only programs read begin with a small letter."""
    files = [Path("ui/server") / name for name in ("build.py", "doorway.py", "gate.py", "login.py", "scripts.py")]
    typed = [f"{file}:{line} {text.strip()}" for file in files for line, text in sentences(ast.parse(file.read_text())) if len(words_of(text)) >= A_SENTENCE and re.match(r"[A-Z][a-z]", text.strip())]
    assert typed == []


def script_literals(script):
    """What stands in quotes of a script, but selectors, tags and what is filled in."""
    code = re.sub(r"(?m)^\s*//.*$|\s//\s.*$|/\*.*?\*/|(?:querySelector(?:All)?|matches|closest)(?:\?\.)?\([\"`].*?[\"`]\)", "", script)
    for literal in re.findall(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`', code):
        yield re.sub(r"\$\{[^}]*\}|<[^>]*>", " ", literal[1:-1])


def test_no_script_types_what_it_says():
    assert len(SCRIPTS) == 6
    typed = [f"{file} {text}" for file in SCRIPTS for text in script_literals(file.read_text()) if len(words_of(text)) >= A_SENTENCE or re.match(r"[A-Z][a-z]+ [a-z]+", text)]
    assert typed == []


def test_every_text_of_a_script_is_said_there_with_exactly_the_values_it_names():
    said = [call for file in SCRIPTS for call in re.findall(r'worded\("(\w+)"(?:, \{ (.*?) \}\))?', file.read_text())]
    wrong = [(name, given) for name, given in said if {key for _, key, _, _ in string.Formatter().parse(scripts.SAID[name]) if key} != set(re.findall(r"(?:^|, )(\w+)(?=:|,|$)", given))]
    assert wrong == [] and {name for name, _ in said} == set(scripts.SAID)


def test_no_component_has_its_words_typed_where_it_is_made():
    typed = []
    for file in SOURCES:
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            words = [keyword.value for keyword in call.keywords if keyword.arg in WORDS_TYPED]
            words += call.args[:1] if getattr(call.func, "attr", "") in NAMED_FIRST else []
            typed += [f"{file}:{call.lineno}" for value in words if isinstance(value, ast.Constant | ast.JoinedStr) and re.search(r"[A-Za-z]{2,}", _literal(value))]
    assert typed == []


def _literal(value):
    parts = value.values if isinstance(value, ast.JoinedStr) else [value]
    return " ".join(str(part.value) for part in parts if isinstance(part, ast.Constant))


def test_every_text_is_said_somewhere():
    said = "".join(file.read_text() for file in UI.rglob("*.py") if file.parent != TEXTS) + "".join(file.read_text() for file in Path("tests/ui").glob("*.py"))
    modules = sorted(TEXTS.glob("[a-z]*.py"))
    names = [name.id for module in modules for node in ast.parse(module.read_text()).body if isinstance(node, ast.Assign) for name in node.targets]
    assert len(modules) >= 6 and len(names) > 200
    assert [name for name in names if not re.search(rf"\b\w*(?:texts|runs|frame)\.{name}\b", said)] == []


def texts_in(tree):
    """Name in the source of each module of texts, and the module."""
    return {alias.asname or alias.name: importlib.import_module(f"ui.texts.{alias.name}") for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "ui.texts" for alias in node.names}


def test_every_text_gets_exactly_the_values_it_names():
    wrong, filled = [], 0
    for file in SOURCES:
        tree = ast.parse(file.read_text())
        modules = texts_in(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "format"):
            ways = [call.func.value.body, call.func.value.orelse] if isinstance(call.func.value, ast.IfExp) else [call.func.value]
            for text in ways:
                if isinstance(text, ast.Attribute) and getattr(text.value, "id", "") in modules:
                    named = {field for _, field, _, _ in string.Formatter().parse(getattr(modules[text.value.id], text.attr)) if field}
                    given, filled = {keyword.arg for keyword in call.keywords}, filled + 1
                    wrong += [f"{file}:{call.lineno} {text.attr}: {named} of {given}"] if (named - given if len(ways) > 1 else named != given) else []
    assert filled > 70 and wrong == []


def test_a_settings_title_and_help_are_those_of_its_declaration(tmp_path):
    from core.runs import RunStore

    studio = Studio(RunStore(tmp_path / "output"), {})
    with gr.Blocks():
        form = SettingsForm(studio, studio.resolved("demo"))
        for declaration in form.declarations:
            component = form.place(declaration.key)
            assert (component.label, component.info) == (declaration_of(declaration.key).title, declaration_of(declaration.key).help)
