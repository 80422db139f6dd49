"""Events of a run that come faster than the window can show them."""

from __future__ import annotations

import sys

from napari_fada.workstation import runner
from napari_fada.workstation.runner import Text


def depth() -> int:
    frame, count = sys._getframe(), 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count


def test_five_thousand_events_are_handled_one_after_another(desk, monkeypatch):
    def fast(_job, _engines):
        for _ in range(5000):
            yield Text({"interpret": "."})

    monkeypatch.setattr(runner, "_work", fast)
    depths = []
    desk.widget.runner.event.connect(lambda _event: depths.append(depth()), check_nargs=False)
    desk.run()
    assert len(depths) == 5000
    assert max(depths) == min(depths)  # none was handled inside another


def test_a_run_is_in_the_activity_dock_while_it_goes_on(desk):
    from napari.utils.progress import progress

    seen = []
    desk.widget.runner.event.connect(
        lambda _event: seen.extend(p.desc for p in progress._all_instances), check_nargs=False
    )
    desk.run()
    assert any(text.startswith("Reading scan") for text in seen)
    assert not progress._all_instances
