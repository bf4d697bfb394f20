"""The page's clocks: what is drawn as it opens is asked for again by a script, past Gradio's own timers."""

import re

from tests.ui.running import clocks_of


def page_load_of(config) -> int:
    """The box that holds the name of the page load."""
    return next(component["id"] for component in config["components"] if component["props"].get("elem_id") == "page-load")


def test_each_clock_asks_again_for_what_was_drawn_as_the_page_opened_in_the_name_of_its_page_load(running):
    config = running.config()
    drawn = {handler["id"]: handler for handler in clocks_of(config)}
    asking = [handler for handler in config["dependencies"] if handler["targets"][0][1] == "tick" and not handler["backend_fn"]]
    assert len(asking) == 2
    for handler in asking:
        first = drawn.pop(int(re.search(r"drawAgain\((\d+),", handler["js"])[1]))
        assert handler["inputs"] == [page_load_of(config), *first["inputs"][1:]] and handler["outputs"] == first["outputs"]
    assert drawn == {}


def test_what_was_seen_is_not_sent_again_unless_its_answer_was_lost(running):
    for tick in running.ticks("lost"):
        sizes = [len(running.post_json("/gradio_api/run/predict", tick | {"data": [was_lost, *tick["data"][1:]]}).text) for was_lost in ("", "", "lost", "")]
        assert min(sizes[0], sizes[2]) > 2 * max(sizes[1], sizes[3]), sizes


def test_a_page_load_learns_its_own_name(running):
    config = running.config()
    handler = next(handler for handler in config["dependencies"] if handler["outputs"] == [page_load_of(config)])
    for name in ("first", "second"):
        assert running.call(handler["id"], [], handler["targets"][0][0], session=name)["output"]["data"] == [name]
