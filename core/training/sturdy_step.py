"""A step of the loop that outlives a device without memory and a compiler that fails: nothing is lost, and what changed is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.errors import UserError
from core.events import Phase, RunEvent, StepDone, Warned
from core.flux.forward import compile_blocks, uncompile_blocks
from core.flux.models import free_memory
from core.training.compilation import Compilation
from core.training.layout import relay, shape_of
from core.training.memory import MemoryPlan
from core.training.preflight import is_out_of_memory, layout_words
from core.training.state import TrainState
from core.training.step import Parts, StepGivenUp, train_step


def sturdy_step(state: TrainState, parts: Parts, thriftier: list[MemoryPlan], compilation: Compilation, should_stop: Callable[[], bool]) -> Iterator[RunEvent]:
    """One step. What fails in compiled blocks is tried again uncompiled; when the device runs out of memory, again on the next rung of `thriftier`.

    Raises what train_step raises, and any other fault of it.
    """
    while True:
        try:
            done = train_step(state, parts, should_stop)
        except (UserError, StepGivenUp):
            raise
        except Exception as error:
            failed_compiled = compilation.give_up(error) if compilation.is_compiled else None
            if not failed_compiled and not (is_out_of_memory(error) and thriftier):
                raise
        else:
            yield done
            yield from _decide(compilation, done, state, parts)
            return
        # Outside the except block, whose traceback holds the tensors.
        state.drop_gradients()
        if failed_compiled:
            yield Warned(what=failed_compiled)
            uncompile_blocks(state.transformer)
            free_memory()
        else:
            plan = thriftier.pop(0)
            yield Warned(what=f"The device ran out of memory at step {state.step + 1}. Nothing is lost; going on with {layout_words(plan, shape_of(parts.model))}.")
            relay(state, plan, parts.settings, parts.model, parts.hardware)


def _decide(compilation: Compilation, done: StepDone, state: TrainState, parts: Parts) -> Iterator[RunEvent]:
    """Compile the blocks, undo it or leave them, as the steps so far say."""
    was_compiled = compilation.is_compiled
    sentence = compilation.after_step(done.seconds, parts.settings.train.steps - state.step)
    if compilation.is_compiled and not was_compiled:
        compile_blocks(state.transformer)
    elif was_compiled and not compilation.is_compiled:
        uncompile_blocks(state.transformer)
    if sentence:
        yield Phase(what=sentence)
