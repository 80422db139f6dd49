"""A viewer whose project goes away while somebody works; it is killed while the edits wait.

Usage: waiting_viewer.py PROJECT. Prints ``waits N`` when N edits wait, and goes on for ever.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from napari.components import ViewerModel

from napari_fada.records.project import Project
from napari_fada.workstation.session import Session

PIXELS = np.random.default_rng(0).integers(0, 99, (200, 400), np.uint8)
BOX = np.array([[10, 10], [10, 50], [50, 50], [50, 10]])


def main(path: Path) -> None:
    viewer = ViewerModel()
    session = Session(viewer)
    session.adopt(Project.open(path, rater="ann"))
    assert session.use_layer(viewer.add_image(PIXELS, name="scan", rgb=False))
    boxes = session.layers.bindings["boxes"].layer
    boxes.add(BOX, shape_type="rectangle")
    boxes.add(BOX + 100, shape_type="rectangle")
    path.rename(path.with_name("away.fada"))

    boxes.add(BOX + 40, shape_type="rectangle")  # 1
    review = session.reviewing
    drawn = session.records[0][-1].uid
    review.choose([drawn])
    assert review.toggle_lock()  # 2: of what is itself waiting
    review.choose([session.records[0][0].uid])
    assert review.reject("not there")  # 3
    assert session.set_report(fields={"image_quality": "poor"})  # 4
    assert review.score("annotation", 2)  # 5
    assert review.comment("shadow behind the skull")  # 6
    assert review.accept_rest()  # 7
    print("waits", len(session.safety.pending), flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
