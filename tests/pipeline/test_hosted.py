"""A model in a child process that is killed at work fails its phase and nothing else."""

from __future__ import annotations

import os
import signal

import pytest

from napari_fada.engines.host import HostedEngine, Spec
from napari_fada.pipeline import PhaseFailed, PhaseToken, ReadingFinished, read_frame, stream_frame
from napari_fada.scans.scan import Scan


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_kill_in_a_phase(scan: Scan) -> None:
    engine = HostedEngine(Spec("hosted_script:engine"))
    try:
        killed = False
        events = []
        for event in stream_frame(engine, scan):
            events.append(event)
            in_detect = isinstance(event, PhaseToken) and event.phase == "detect"
            if in_detect and not killed and engine.pid is not None:
                os.kill(engine.pid, signal.SIGKILL)
                killed = True
        (failed,) = [e for e in events if isinstance(e, PhaseFailed)]
        assert failed.phase == "detect"
        assert "SIGKILL" in failed.result.problems[0]
        assert failed.result.raw.startswith("[")
        # The outlines were not to blame: a fresh child draws them.
        last = events[-1]
        assert isinstance(last, ReadingFinished)
        assert last.reading.phases["segment"].state == "done"
        assert [a.kind for a in last.reading.annotations] == ["polygon"]

        again = read_frame(engine, scan, previous=last.reading, phases=("detect",))
        assert again.phases["detect"].state == "done"
        assert [a.kind for a in again.annotations] == ["polygon", "box"]
    finally:
        engine.close()
