"""There is one report: its three variants are cut from it, and halves become one report."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_fada.engines.protocol import Prompt
from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.errors import ModelError
from napari_fada.exchange.export import export_records
from napari_fada.exchange.fada import FORMAT
from napari_fada.exchange.request import ExportRequest
from napari_fada.pipeline import PromptSet, read_frame
from napari_fada.records.project import Project
from napari_fada.records.reading import INTERPRETATION_KEYS, VARIANTS
from record_samples import make_reading, make_scan

PROMPTS = PromptSet.load()
SCAN = make_scan()


def variants_of(out) -> dict[str, dict[str, str]]:
    """Return the answers to interpret questions, by variant."""
    lines = [json.loads(line) for line in (out / "fada.jsonl").read_bytes().split(b"\n") if line]
    return {
        line["meta"]["variant"]: json.loads(line["messages"][1]["content"][0]["text"])
        for line in lines
        if line["meta"]["task"] == "interpret"
    }


# Whatever can be typed; surrogates cannot.
typed = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=st.lists(st.tuples(st.sampled_from(INTERPRETATION_KEYS), typed), min_size=1))
def test_an_edit_is_in_exactly_the_right_variants(tmp_path_factory, edits):
    folder = tmp_path_factory.mktemp("p")
    with Project.open(folder / "p.fada", rater="ann") as project:
        project.add_scan(SCAN)
        project.save_reading(make_reading(SCAN))
        expected = {key: f"model says {key}" for key in INTERPRETATION_KEYS}
        for key, text in edits:
            project.set_report(SCAN.sha256, 0, fields={key: text})
            expected[key] = text
        # Taken back to the model's word, a report by a person has no field of theirs.
        if project.report(SCAN.sha256, 0).expert_fields:
            export_records(
                project,
                folder / "out",
                FORMAT,
                ExportRequest(prompts=PROMPTS),
                open_row=lambda _row: SCAN,
            )
            found = variants_of(folder / "out")
            assert set(found) == set(VARIANTS)
            for variant, keys in VARIANTS.items():
                assert found[variant] == {key: expected[key] for key in keys}
                assert tuple(found[variant]) == keys


def test_each_field_is_in_the_whole_and_in_one_half():
    halves = VARIANTS["anatomy"] + VARIANTS["clinical"]
    assert halves == VARIANTS["full"] == INTERPRETATION_KEYS


def test_a_model_that_is_asked_for_halves_writes_one_report(tmp_path):
    asked = []

    def answer(_image: object, prompt: Prompt) -> str:
        asked.append(prompt.keys)
        return json.dumps({key: f"{key} seen" for key in prompt.keys})

    halves = PromptSet(PROMPTS.name, PROMPTS.prompts, halves=True)
    assert halves.hash != PROMPTS.hash
    reading = read_frame(ScriptedEngine(answer), SCAN, phases=("interpret",), prompts=halves)
    assert asked == [VARIANTS["anatomy"], VARIANTS["clinical"]]
    assert reading.interpretation == {key: f"{key} seen" for key in INTERPRETATION_KEYS}
    with Project.open(tmp_path / "p.fada", rater="ann") as project:
        project.add_scan(SCAN)
        project.save_reading(reading)
        project.set_report(SCAN.sha256, 0, fields={"image_quality": "poor"})
        export_records(
            project,
            tmp_path / "out",
            FORMAT,
            ExportRequest(prompts=PROMPTS),
            open_row=lambda _row: SCAN,
        )
    found = variants_of(tmp_path / "out")
    assert [v for v in VARIANTS if found[v].get("image_quality") == "poor"] == ["full", "clinical"]


def test_a_set_that_asks_for_halves_has_their_wording():
    prompts = {k: v for k, v in PROMPTS.prompts.items() if k != "interpret_clinical"}
    with pytest.raises(ModelError, match="interpret_clinical"):
        PromptSet.from_dict({"name": "mine", "halves": True, "prompts": prompts})
    assert PromptSet.from_dict({"name": "m", "halves": True, "prompts": dict(PROMPTS.prompts)})
