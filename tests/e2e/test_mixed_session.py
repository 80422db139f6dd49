"""Everything mixed in at random: what was meant is what is kept. The long run is a program."""

from __future__ import annotations

import numpy as np
import pytest
from mixed_ledger import Meant, Snapshot, drawn, judge, nothing
from mixed_session import MixedSession
from PIL import Image

from napari_fada.records.annotation import Annotation


def triangle(*, by: float = 0.0, name: str = "CSP") -> Annotation:
    points = ((10.0 + by, 10.0), (50.0 + by, 10.0), (30.0 + by, 40.0))
    return Annotation(name, "polygon", points, source="expert", status="accepted")


def kept(*records: Annotation, sha: str = "a") -> Snapshot:
    return Snapshot({sha: {r.uid: r for r in records}}, {sha: "in_review"})


def test_the_ledger_sees_what_is_wrong():
    meant = Meant("outline", "a", drawn("CSP", "polygon", triangle().points, 1.0))
    none = kept()
    assert judge(meant, none, kept(triangle(by=0.5)), []) == ("", True)
    assert "lies 5.0 px" in judge(meant, none, kept(triangle(by=5.0)), [])[0]
    assert "became LV" in judge(meant, none, kept(triangle(name="LV")), [])[0]
    assert "2 came" in judge(meant, none, kept(triangle(), triangle()), [])[0]
    assert "another scan" in judge(meant, none, kept(triangle(), sha="b"), [])[0]
    assert "nothing was said" in judge(meant, none, none, [])[0]
    assert judge(meant, none, none, ["Another image covers the scan."]) == ("", False)
    assert judge(nothing("zoom"), none, none, []) == ("", False)
    assert "changed" in judge(nothing("zoom"), none, kept(triangle()), [])[0]


@pytest.mark.slow
def test_a_session_with_everything_mixed_in(open_desk, tmp_path):
    paths = []
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 99, (540, 800), np.uint8)
        paths.append(tmp_path / f"scan{i}.png")
        Image.fromarray(pixels).save(paths[-1])
    desk = open_desk()
    desk.viewer.layers.clear()
    desk.viewer.window._qt_window.resize(1280, 800)
    desk.viewer.window._qt_window.show()
    mixed = MixedSession(desk.widget, paths, seed=3)
    found = mixed.run(40)
    assert not found.wrong, "\n".join(found.wrong)
    assert sum(found.done.values()) >= 8, found.log
