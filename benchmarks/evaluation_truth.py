"""Do the measures name the fault that was planted, and only that one? Is the recommended checkpoint and strength better than the last one at 1.0?

`python benchmarks/evaluation_truth.py` judges what benchmarks/planted_runs.py trained: one JSON line a row, then the confusion table. Goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from PIL import Image
from planted_runs import FAULTS, UNDERTRAINED_STEP, WORK

from core.errors import UserError
from core.evaluation.choice import load_choice, sources_of
from core.evaluation.grid import FINAL, GridRequest, load_grid
from core.evaluation.job import EvaluationJob, grid_request
from core.evaluation.perform import perform
from core.evaluation.prompts import Prompt, prompts_file, read_prompts
from core.evaluation.recommend import Candidate, recommend
from core.evaluation.scores import load_scores
from core.events import FixedNoiseLoss, RunEvent, RunFailed
from core.identity.drawn import load_judge
from core.identity.faces import JUDGE_FILE
from core.jobs import drain
from core.pocket.demo import demo_scenes
from core.pocket.people import Scene, scene_caption
from core.pocket.scorecard import adherence, person_of, retrieval
from core.runs import EventLog, RunStore
from core.settings import POCKET_FLUX
from core.signs import rounds_of, signs_of

SAMPLER_STEPS, SEEDS = 12, 2
CHOSEN_FROM = ("good", "leaking")
STRENGTHS = (0.6, 0.8, 1.0, 1.2)
HELD_OUT_PROMPTS, HELD_OUT_SEED = 8, 77_000
SIGNS = "signs while training"
# Which measures should be flagged for which fault; leak for every run that was trained without regularization (planted_runs.py).
EXPECTED = {
    "good": (), "undertrained": ("likeness",), "leaking": ("leak into the class",), "copied": ("carbon copy", "leak into the class"), "memorised": ("carbon copy", "leak into the class"),
    "angle-starved": ("head angles", "leak into the class"), "blurred": ("sharpness", "leak into the class"), "overtrained": (SIGNS, "leak into the class"),
}  # fmt: skip


def judge(fault: str, person: int, work: Path) -> dict[str, object]:
    """The measures of one planted run at strength 1."""
    store, name = RunStore(work / "output"), f"{'good' if fault == 'undertrained' else fault}-{person}"
    source = f"step-{UNDERTRAINED_STEP:06d}" if fault == "undertrained" else FINAL
    request = request_for(name, store, read_prompts(prompts_file(POCKET_FLUX))).model_copy(update={"sources": (source,), "strengths": (0.0, 1.0)})
    began = time.monotonic()
    perform_all(EvaluationJob(aim="grid", request=request), f"truth-{fault}-{person}", store, work)
    scores = load_scores(f"truth-{fault}-{person}", store.root)
    assert scores is not None
    measures = {measure.name: (None if measure.value is None else round(measure.value, 3), measure.verdict) for measure in scores.configurations[0].measures}
    signs = signs_while_training(name, store) if source == FINAL else None
    return {"kind": "fault", "fault": fault, "person": person, "measures": measures, "signs": signs, "loss": fixed_noise_of(name, store), "seconds": round(time.monotonic() - began)}


def signs_while_training(name: str, store: RunStore) -> list[str] | None:
    """What the run's own log says at its end; None where no samples were drawn."""
    run = store.load(name)
    events = run.log.read()[0]
    return [sign.name for sign in signs_of(events, run.settings.train.steps)] if rounds_of(events) else None


def fixed_noise_of(name: str, store: RunStore) -> dict[str, list[float | None]]:
    """Loss of trained and of held-out drawings over the run: whether a plant overtrained is told by this, not by the measures under test."""
    found = [event for event in store.load(name).log.read()[0] if isinstance(event, FixedNoiseLoss)]
    return {"trained": [round(event.loss, 4) for event in found], "held out": [event.held_out and round(event.held_out, 4) for event in found]}


def compare_choice(fault: str, person: int, work: Path) -> dict[str, object]:
    """The recommended configuration against the last step at strength 1, on prompts and seeds that had no part in the choice."""
    store, name = RunStore(work / "output"), f"{fault}-{person}"
    request = request_for(name, store, read_prompts(prompts_file(POCKET_FLUX))).model_copy(update={"strengths": STRENGTHS})
    began = time.monotonic()
    perform_all(EvaluationJob(aim="choose", request=request), f"chosen-{name}", store, work)
    seconds = time.monotonic() - began
    choice = load_choice(f"chosen-{name}", store.root)
    assert choice is not None
    chosen = choice.recommendation.chosen or choice.recommendation.least_bad
    assert chosen is not None
    scenes = [dataclasses.replace(scene, hat=False) for scene in demo_scenes(f"chosen-{person}", HELD_OUT_PROMPTS)]
    prompts = [Prompt(scene_caption(scene, "{trigger} {class}")) for scene in scenes]
    sources = tuple(dict.fromkeys((chosen.source, FINAL)))
    strengths = tuple(dict.fromkeys((0.0, chosen.strength, 1.0)))
    held_out = request_for(name, store, prompts).model_copy(update={"sources": sources, "strengths": strengths, "seed": HELD_OUT_SEED})
    perform_all(EvaluationJob(aim="grid", request=held_out), f"held-out-{name}", store, work)
    scores = load_scores(f"held-out-{name}", store.root)
    assert scores is not None
    found = {(one.source, one.strength): one for one in recommend(scores, sources_of(f"{name}.safetensors", store.root)).candidates}
    compared = {"recommended": found[chosen.source, chosen.strength], "last at 1": found[FINAL, 1.0]}
    shown = {
        key: {"score": round(one.score, 3), "error": round(one.error, 3), "likeness": round(one.likeness, 3), "fails": one.failed, **by_the_scorecard(f"held-out-{name}", person, scenes, one, store)} for key, one in compared.items()
    }  # fmt: skip
    return {"kind": "choice", "fault": fault, "person": person, "source": chosen.source, "strength": chosen.strength, "good_enough": choice.recommendation.chosen is not None, **shown, "seconds": round(seconds)}


def by_the_scorecard(name: str, person: int, scenes: Sequence[Scene], configuration: Candidate, store: RunStore) -> dict[str, float]:
    """The pocket's own measures of these pictures, which had no part in the choice: share nearer to this person than to 50 decoys, and share of asked attributes that are there."""
    grid, judge = load_grid(name, store.root), load_judge(Path(POCKET_FLUX) / JUDGE_FILE)
    cells = [cell for cell in grid.cells if (grid.request.rows[cell.row].source, cell.strength) == (configuration.source, configuration.strength)]
    pictures = [Image.open(store.root / "evaluations" / name / cell.file).convert("RGB") for cell in cells]
    obeyed = adherence(judge, [scenes[grid.request.rows[cell.row].prompt] for cell in cells], pictures)
    return {"right person": round(retrieval(judge, person_of(person), person, pictures), 3), "obeyed": round(sum(obeyed.values()) / len(obeyed), 3)}


def request_for(name: str, store: RunStore, prompts: Sequence[Prompt]) -> GridRequest:
    settings = store.load(name).settings
    request = grid_request(settings, f"{name}.safetensors", prompts, (0.0, 1.0))
    return request.model_copy(update={"seeds_each": SEEDS, "num_inference_steps": SAMPLER_STEPS})


def perform_all(job: EvaluationJob, name: str, store: RunStore, work: Path) -> RunEvent:
    folder = store.root / "evaluations" / name
    folder.mkdir(parents=True, exist_ok=True)
    last = drain(lambda: perform(job, name, store.root, lambda: False, work / "cache"), EventLog(folder / "events.jsonl"))
    if isinstance(last, RunFailed):
        raise UserError(last.what, last.where, f"{last.fix}\n{last.detail}")
    return last


def is_trained(fault: str, person: int, work: Path) -> bool:
    store, name = RunStore(work / "output"), f"{'good' if fault == 'undertrained' else fault}-{person}"
    ended = store.load(name).log.ended() if name in store.names() else None
    return ended is not None and ended.kind == "finished"


def confusion_table(rows: Sequence[dict]) -> str:
    """Faults down, measures across: mean value, and in how many people's runs the verdict was a fault or to look at it; what is expected to be found in bold."""
    faults = [row for row in rows if row["kind"] == "fault"]
    names = [name for name in (faults[0]["measures"] if faults else ()) if any(row["measures"][name][0] is not None for row in faults)]
    lines = [f"| planted | {' | '.join(names)} | {SIGNS} |", "|---|" + "---|" * (len(names) + 1)]
    for fault in EXPECTED:
        mine = [row for row in faults if row["fault"] == fault]
        if mine:
            lines.append(f"| {fault} ({len(mine)}) | " + " | ".join(_cell(mine, name, name in EXPECTED[fault]) for name in names) + f" | {_signs(mine, SIGNS in EXPECTED[fault])} |")
    return "\n".join(lines)


def _cell(rows: Sequence[dict], name: str, is_expected: bool) -> str:
    values = [row["measures"][name][0] for row in rows if row["measures"][name][0] is not None]
    if not values:
        return "-"
    verdicts = [row["measures"][name][1] for row in rows]
    flags = [f"{verdicts.count(verdict)} {word}" for verdict, word in (("bad", "fault"), ("watch", "look")) if verdict in verdicts]
    words = f"{sum(values) / len(values):.2f}" + (f" ({', '.join(flags)})" if flags else "")
    return f"**{words}**" if is_expected else words


def _signs(rows: Sequence[dict], is_expected: bool) -> str:
    """How many runs showed each sign, of those that drew samples."""
    known = [row["signs"] for row in rows if row.get("signs") is not None]
    counts = Counter(name for signs in known for name in signs)
    words = ", ".join(f"{name} {count} of {len(known)}" for name, count in sorted(counts.items())) or ("none" if known else "-")
    return f"**{words}**" if is_expected else words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--work", type=Path, default=WORK)
    arguments = parser.parse_args()
    kept, began = arguments.work / "truth.jsonl", time.monotonic()
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(row["kind"], row["fault"], row["person"]) for row in rows}
    wanted = [("fault", judge, fault) for fault in EXPECTED] + [("choice", compare_choice, fault) for fault in CHOSEN_FROM]
    for kind, measure, fault in wanted:
        for person in arguments.people:
            if (kind, fault, person) in done or not is_trained(fault, person, arguments.work) or time.monotonic() - began > 60 * arguments.minutes:
                continue
            rows.append(measure(fault, person, arguments.work))
            with kept.open("a") as stream:
                stream.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps(rows[-1]), flush=True)
    print(confusion_table(rows))
    assert {fault.name for fault in FAULTS} | {"undertrained"} == set(EXPECTED)


if __name__ == "__main__":
    main()
