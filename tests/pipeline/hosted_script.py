"""A scripted model for a child process, slow enough over its boxes to be killed there."""

from __future__ import annotations

from scripted_answers import MODEL, TRIANGLE, answer, box, report

from napari_fada.engines.protocol import EngineInfo
from napari_fada.engines.scripted import Script, ScriptedEngine


def engine() -> ScriptedEngine:
    table = {
        "interpret": report(anatomical_structures="brain"),
        "classify": '{"label": "BPD_PLANE"}',
        "detect": Script(answer(*[box("Brain")] * 20), delay=0.005),
        "segment": answer(box("Brain", mask=TRIANGLE)),
    }
    return ScriptedEngine(table, info=EngineInfo(MODEL))
