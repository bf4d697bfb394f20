import threading

import pytest

from core.errors import Refused
from core.settings import parse_settings
from core.tasks import prospect
from core.training.prospect import Prospect
from ui.forecast import ForecastDesk, Trouble, forecast_html

GIB = 2**30
FIGURES = Prospect("8-bit base", 3600.0, 120.0, {"captions": 9 * GIB, "photos": GIB, "training": 20 * GIB, "samples": 15 * GIB}, 23 * GIB, 3 * GIB, 60 * GIB, ("Samples <b>may</b> not fit.",))


def settings(**values):
    return parse_settings({key.replace("__", "."): value for key, value in values.items()})


def answer_of(desk, asked):
    for _ in range(500):
        answer = desk.ask(asked)
        if answer is not None:
            return answer
        threading.Event().wait(0.02)
    raise AssertionError("no answer")


def test_whoever_asks_never_waits_and_gets_each_answer_once_worked_out():
    asked, go = [], threading.Event()

    def compute(wanted, speeds):
        asked.append(wanted.train.steps)
        go.wait(10)
        return FIGURES

    desk = ForecastDesk(lambda: False, compute)
    assert desk.ask(settings(train__steps=1)) is None
    for steps in range(2, 30):
        desk.ask(settings(train__steps=steps))
    go.set()
    assert answer_of(desk, settings(train__steps=29)) == FIGURES
    assert desk.ask(settings(train__steps=29, run__name="another")) == FIGURES, "the name changes nothing"
    assert desk.ask(settings(train__steps=29, run__price_per_hour=2.5)) == FIGURES, "nor does the price"
    assert len(asked) <= 3, "of many questions only the newest is worked on"


def test_what_start_would_refuse_and_what_breaks_are_said_instead():
    def refused(wanted, speeds):
        raise Refused("There are no photos.", "data/x", "Add some.")

    def broken(wanted, speeds):
        raise ZeroDivisionError("x")

    assert answer_of(ForecastDesk(lambda: False, refused), settings()) == Trouble("There are no photos.", "Add some.")
    assert "ZeroDivisionError" in answer_of(ForecastDesk(lambda: False, broken), settings()).what


def test_a_busy_device_is_not_measured_but_what_is_known_is_told():
    busy = []
    desk = ForecastDesk(lambda: bool(busy), lambda wanted, speeds: FIGURES)
    assert answer_of(desk, settings()) == FIGURES
    busy.append(True)
    assert desk.ask(settings()) == FIGURES
    assert isinstance(desk.ask(settings(train__steps=7)), Trouble)


def test_the_card_names_time_memory_by_phase_disk_and_notes_as_text():
    html = forecast_html(FIGURES)
    for words in ("1 h 00 min", "2 min 00 s for samples", "20.0 GiB", "of 23.0 GiB free", "captions", "up to <b>3.0 GiB</b>", "60.0 GiB are free", 'data-seconds="3720"', "Samples &lt;b&gt;may&lt;/b&gt; not fit."):
        assert words in html, words
    assert "what an hour costs" in html
    assert "<b>about 2.07</b>" in forecast_html(FIGURES, price_per_hour=2.0), "62 minutes at 2 an hour"
    assert "<b>less than 0.01</b>" in forecast_html(FIGURES, price_per_hour=0.005)
    assert "Working it out" in forecast_html(None) and "&lt;script&gt;" in forecast_html(Trouble("<script>", ""))


@pytest.mark.parametrize(("changes", "factor"), [({"train__steps": 8}, 2.0), ({"train__batch_size": 4}, 2.0), ({"sampling__every": 2, "sampling__num_inference_steps": 4}, 1.0)])
def test_the_figures_are_those_of_the_chosen_settings(short_run, changes, factor):
    speeds: dict[str, float] = {}
    plain, changed = prospect(short_run(), speeds), prospect(short_run(**changes), speeds)
    assert len(speeds) == 1, "the machine is measured once"
    assert changed.step_seconds == pytest.approx(factor * plain.step_seconds, rel=0.05)
    assert plain.sample_seconds == 0 and (changed.sample_seconds > 0) == ("sampling__every" in changes)
    assert set(plain.peaks) >= {"captions", "photos", "training"} and 0 < max(plain.peaks.values()) < plain.memory_free
