"""The widget writes the FADA training form from what the expert made of the proposals."""

from __future__ import annotations

import json


def test_export_from_the_widget(desk, tmp_path):
    pytest_scan = tmp_path / "scan.png"
    import imageio.v3 as iio
    import numpy as np

    iio.imwrite(pytest_scan, np.random.default_rng(3).integers(0, 99, (200, 400), np.uint8))
    assert desk.session.open_path(pytest_scan)
    desk.run()
    desk.session.layers.bindings["boxes"].layer.add(
        [[100, 100], [100, 150], [150, 150], [150, 100]], shape_type="rectangle"
    )
    out = tmp_path / "export"
    assert desk.widget.project.export_to(out)
    lines = [json.loads(x) for f in out.rglob("*.jsonl") for x in f.read_text().splitlines()]
    assert lines
    assert all(line["messages"][0]["role"] == "user" for line in lines)
    assert "Exported" in desk.widget.message.text
