"""Conversations for trainers: the same questions and answers in each form, down to the tokens."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from format_samples import SIZE, boxes, frames, picture, polygons, read_back, same_records, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import napari_fada
from napari_fada.exchange import llama_factory, pairs, swift, trl
from napari_fada.exchange.conversations import to_lines
from napari_fada.exchange.export import export_records
from napari_fada.exchange.frames import Answered, FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.pairs import answer_of, question_of
from napari_fada.exchange.request import ExportRequest
from napari_fada.pipeline import PromptSet
from napari_fada.records.project import Project
from napari_fada.records.reading import INTERPRETATION_KEYS
from record_samples import box, make_reading, make_scan, polygon

PROMPTS = PromptSet.load()
FORMS = [llama_factory.FORMAT, swift.FORMAT, trl.FORMAT]
FULL = Path(napari_fada.__file__).parent / "models/packs/fada-mini/full"


def asked(frame):
    """Ask for every class that stands on a frame, and for one that does not."""
    boxed = tuple(sorted({a.category for a in frame.annotations if a.kind != "keypoints"}))
    drawn = tuple(sorted({a.category for a in frame.annotations if a.kind == "polygon"}))
    return dataclasses.replace(
        frame,
        asked={
            **({"detect": (boxed,)} if boxed else {"detect": (("CSP",),)}),
            **({"segment": (drawn,)} if drawn else {}),
        },
        fields={key: f"{key} “seen” <é>" for key in INTERPRETATION_KEYS},
    )


def rows_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_what_is_written_is_read_back(tmp_path_factory, form):
    @settings(
        deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(frames(st.one_of(boxes(), polygons(holes=False)), max_size=4).map(asked))
    def holds(frame):
        root = tmp_path_factory.mktemp("chat")
        lines, _ = to_lines(frame, PROMPTS)
        tally = written(form, root, frame, prompts=PROMPTS)
        assert tally.written["conversations"] == len(lines)
        (got,), problems = read_back(form, root)
        assert problems == []
        assert (got.view, got.fields, got.asked) == (frame.view, frame.fields, frame.asked)
        order = {a.uid: n for n, a in enumerate(got.annotations)}
        want = sorted((a for a in frame.annotations if a.uid in order), key=lambda a: order[a.uid])
        assert len(want) == len(got.annotations)
        same_records(
            [dataclasses.replace(a, parent=None) for a in got.annotations],
            [dataclasses.replace(a, parent=None) for a in want],
            atol=SIZE[0] / 1000 + 1e-6,
        )

    holds()


@pytest.fixture(scope="module")
def processor():
    """Give the tokeniser, its chat template and the image processor of fada-mini."""
    from transformers import PreTrainedTokenizerFast, Qwen2VLImageProcessorPil

    tokens = PreTrainedTokenizerFast.from_pretrained(FULL)
    tokens.chat_template = (FULL / "chat_template.jinja").read_text()
    return tokens, Qwen2VLImageProcessorPil.from_pretrained(FULL)


def as_parts(messages):
    """Return messages with content in parts, as each trainer makes them before tokenising."""
    found = []
    for turn in messages:
        content = turn["content"]
        if isinstance(content, str):
            pieces = re.split("(<image>)", content)
            content = [
                {"type": "image"} if p == "<image>" else {"type": "text", "text": p}
                for p in pieces
                if p
            ]
        found.append({"role": turn["role"], "content": content})
    return found


def messages_of(row):
    if "messages" in row:
        return as_parts(row["messages"])
    return as_parts([*row["prompt"], *row["completion"]])


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_each_form_gives_the_tokens_that_the_model_is_asked_with(form, tmp_path, processor):
    tokens, images = processor
    (frame,) = [
        asked(FrameRecords("images/a.png", *SIZE, (polygon("Brain"), box("CSP")), view="BPD_PLANE"))
    ]
    written(form, tmp_path, frame, prompts=PROMPTS)
    rows = rows_of(tmp_path / "all.jsonl")
    lines, _ = to_lines(frame, PROMPTS)
    assert len(rows) == len(lines) == 6
    for row, line in zip(rows, lines, strict=True):
        text = tokens.apply_chat_template(messages_of(row), tokenize=False)
        start, end = "<|im_start|>user", "<|im_start|>assistant"
        seen = "<|vision_start|><|image_pad|><|vision_end|>"
        assert text == f"{start}{seen}{question_of(line)}<|im_end|>{end}{answer_of(line)}<|im_end|>"
        with Image.open(tmp_path / row["images"][0]) as image:
            grid = images(images=[image.convert("RGB")], return_tensors="np")["image_grid_thw"][0]
        pads = int(np.prod(grid)) // images.merge_size**2
        ids = tokens(text.replace("<|image_pad|>", "<|image_pad|>" * pads))["input_ids"]
        assert ids.count(tokens.convert_tokens_to_ids("<|image_pad|>")) == pads
        # The answer can be cut out by its tokens, which is what a trainer learns on.
        answer = tokens.decode(ids)[len(start) :].split(end)[1].removesuffix("<|im_end|>")
        assert answer == answer_of(line)


def test_dataset_info_names_every_file(tmp_path):
    sides = [
        dataclasses.replace(asked(FrameRecords(f"images/{s}.png", *SIZE, (box("CSP"),))), split=s)
        for s in ("train", "val")
    ]
    written(llama_factory.FORMAT, tmp_path, *sides, prompts=PROMPTS)
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert {k: v["file_name"] for k, v in info.items()} == {
        "fada_train": "train.jsonl",
        "fada_val": "val.jsonl",
    }
    assert info["fada_train"]["columns"] == {"messages": "messages", "images": "images"}
    for name in ("train", "val"):
        for row in rows_of(tmp_path / f"{name}.jsonl"):
            assert row["messages"][0]["content"].count("<image>") == len(row["images"]) == 1
            assert (tmp_path / row["images"][0]).exists()


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_rows_of_a_file_are_all_of_one_type(form, tmp_path):
    frame = asked(FrameRecords("images/a.png", *SIZE, (polygon("Brain"),), view="BPD_PLANE"))
    written(form, tmp_path, frame, prompts=PROMPTS)

    def shape(value):
        if isinstance(value, dict):
            return {key: shape(v) for key, v in value.items()}
        if isinstance(value, list):
            return [shape(v) for v in value]
        return "text" if isinstance(value, str | None) else type(value).__name__

    shapes = {json.dumps(shape(row)) for row in rows_of(tmp_path / "all.jsonl")}
    assert len(shapes) == 1


# Pairs


def judged(**more):
    model = (polygon("Brain"), box("CSP"))
    moved = dataclasses.replace(model[0], points=((5, 5), (60, 5), (60, 60)), status="corrected")
    said = Answered(
        fields=dict.fromkeys(INTERPRETATION_KEYS, "as the model saw it"),
        view="AC_PLANE",
        asked={"detect": ("Brain", "CSP", "LV"), "segment": ("Brain",)},
    )
    return FrameRecords(
        *("images/a.png", *SIZE, (moved, model[1])),
        **{
            "fields": dict.fromkeys(INTERPRETATION_KEYS, "as the model saw it"),
            "view": "BPD_PLANE",
            "asked": {"detect": (("Brain", "CSP", "LV"),), "segment": (("Brain",),)},
            "answers": model,
            "answered": said,
            **more,
        },
    )


def test_pairs_hold_what_was_corrected_and_nothing_else():
    tally = Tally()
    found = {p.line["meta"]["task"]: p for p in pairs.pairs(judged(), PROMPTS, tally)}
    assert set(found) == {"classify", "detect", "segment"}
    assert tally.left_out[pairs.SAME] == 3  # the report in its three forms
    assert (found["classify"].chosen, found["classify"].rejected) == (
        '{"label":"BPD_PLANE"}',
        '{"label":"AC_PLANE"}',
    )
    chosen, rejected = (json.loads(t) for t in (found["detect"].chosen, found["detect"].rejected))
    assert [i["label"] for i in chosen] == [i["label"] for i in rejected] == ["Brain", "CSP"]
    assert chosen[1] == rejected[1]
    assert chosen[0] != rejected[0]


def test_no_pair_is_made_of_a_question_that_was_not_asked():
    tally = Tally()
    assert list(pairs.pairs(judged(answered=None), PROMPTS, tally)) == []
    assert tally.left_out[pairs.NOT_ASKED] == 6
    wide = judged(asked={"detect": (("Brain", "CSP", "LV", "thorax"),)})
    tally = Tally()
    assert [p.line["meta"]["task"] for p in pairs.pairs(wide, PROMPTS, tally)] == ["classify"]
    assert tally.left_out[pairs.NOT_ASKED] == 1


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_each_form_has_pairs(form, tmp_path):
    tally = written(form, tmp_path, judged(), choices={"kind": "pairs"}, prompts=PROMPTS)
    assert tally.written["pairs"] == 3
    rows = rows_of(tmp_path / "all.jsonl")
    want = list(pairs.pairs(judged(), PROMPTS, Tally()))
    for row, pair in zip(rows, want, strict=True):
        if form is llama_factory.FORMAT:
            got = row["chosen"]["value"], row["rejected"]["value"]
            assert json.loads((tmp_path / "dataset_info.json").read_text())["fada_all"]["ranking"]
        elif form is swift.FORMAT:
            got = row["messages"][1]["content"], row["rejected_response"]
        else:
            got = tuple(row[k][0]["content"][0]["text"] for k in ("chosen", "rejected"))
        assert got == (pair.chosen, pair.rejected)


def test_pairs_of_a_project(tmp_path):
    scan = make_scan()
    reading = make_reading(scan, polygon("Brain"), box("CSP"))
    with Project.open(tmp_path / "p.fada", rater="Anna") as project:
        project.add_scan(scan)
        project.save_reading(reading)
        brain, csp = project.annotations(scan.sha256)
        moved = dataclasses.replace(csp, points=((40, 40), (90, 80)))
        project.edit(scan.sha256, 0, replace={csp.uid: moved})
        project.edit(
            scan.sha256, 0, replace={brain.uid: dataclasses.replace(brain, status="accepted")}
        )
        wish = ExportRequest(prompts=PROMPTS, choices={"kind": "pairs"})
        summary = export_records(
            project, tmp_path / "out", trl.FORMAT, wish, open_row=lambda _row: scan
        )
    (row,) = rows_of(tmp_path / "out" / "all.jsonl")
    assert summary.written["pairs"] == 1
    chosen, rejected = (json.loads(row[k][0]["content"][0]["text"]) for k in ("chosen", "rejected"))
    assert chosen[1]["bbox_2d"] != rejected[1]["bbox_2d"]


def test_rows_that_are_none_are_named_and_the_others_are_read(tmp_path):
    picture(tmp_path / "images" / "a.png")
    good = {
        "messages": [
            {"role": "user", "content": "<image>Find CSP"},
            {"role": "assistant", "content": '[{"bbox_2d":[1,2,300,400],"label":"CSP"}]'},
        ],
        "images": ["images/a.png"],
    }
    two = {**good, "images": ["a", "b"]}
    odd = {**good, "messages": [good["messages"][0], {"role": "assistant", "content": "sorry"}]}
    rows = [good, {"images": []}, two, odd, "x"]
    (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n{")
    (frame,), problems = read_back(swift.FORMAT, tmp_path)
    assert len(frame.annotations) == 1
    assert [p.where for p in problems] == [f"line {n}" for n in (2, 3, 5, 6, 4)]
