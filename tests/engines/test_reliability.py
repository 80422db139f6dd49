"""The hosted model under every disturbance: a part of what benchmarks/bench_reliability.py runs.

The whole run, a thousand requests, takes two minutes; this is the same with fewer. It runs in a
process of its own, so that what the other tests hold is not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = 120


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_storm_leaves_nothing_behind_and_a_working_engine() -> None:
    pytest.importorskip("llama_cpp")
    script = ROOT / "benchmarks" / "bench_reliability.py"
    done = subprocess.run(
        [sys.executable, script, "--requests", str(REQUESTS), "--seed", "7", "--json"],
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["wrong"] == []
    assert done.returncode == 0
    assert report["requests"] == REQUESTS
    outcomes = report["outcomes"]
    assert sum(outcomes.values()) == REQUESTS
    for happened in ("plain: answered", "cancel: cancelled", "bad image: refused", "bad pack"):
        assert any(outcome.startswith(happened) for outcome in outcomes)
    assert report["children"] >= 5
    assert report["leaks"]["zombies after closing"][1] == 0
