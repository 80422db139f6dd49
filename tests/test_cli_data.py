"""``export`` and ``import`` of the command line: every form, counts as JSON, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.exchange.manifest import read_manifest, verify
from napari_fada.exchange.writers import MODULES, load_format
from napari_fada.records.geometry import rasterise
from napari_fada.records.project import Project

runner = CliRunner()


def call(*arguments: object, code: int = 0) -> str:
    done = runner.invoke(app, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return done.stdout if code in (0, 1) else done.output


def told(*arguments: object, code: int = 0) -> dict[str, object]:
    found: dict[str, object] = json.loads(call(*arguments, "--json", code=code).splitlines()[-1])
    return found


@pytest.fixture
def labelled(data_dir: Path, tmp_path: Path) -> Path:
    """Give a folder with images and masks of a few real heads."""
    for folder in ("images", "masks"):
        (tmp_path / "hc18" / folder).mkdir(parents=True)
        for path in sorted((data_dir / "hc18" / folder).glob("*.png"))[20:26]:
            (tmp_path / "hc18" / folder / path.name).write_bytes(path.read_bytes())
    return tmp_path / "hc18"


@pytest.fixture
def project(labelled: Path, tmp_path: Path) -> Path:
    """Give a project with those heads."""
    path = tmp_path / "p.fada"
    found = told(
        *("import", "masks", labelled / "images", "--masks", labelled / "masks"),
        *("--class", "head", "--project", path),
    )
    assert found == {
        "images": 6,
        "records": 6,
        "known": 0,
        "by_class": {"head": 6},
        "reviewed": 0,
        "left_open": {},
        "fitted": 0,
        "problems": [],
    }
    return path


def test_masks_come_in_as_outlines_to_the_pixel(project: Path, labelled: Path) -> None:
    with Project.open(project) as opened:
        for row in opened.scans():
            (record,) = opened.annotations(row.sha256)
            with Image.open(labelled / "masks" / row.name) as mask:
                truth = np.asarray(mask) > 0
            assert (rasterise(record, truth.shape) == truth).all()
    again = told(
        *("import", "masks", labelled / "images", "--masks", labelled / "masks"),
        *("--class", "head", "--project", project),
    )
    assert (again["records"], again["known"]) == (0, 6)


def test_labels_that_are_reviewed_are_the_truth_at_once(labelled: Path, tmp_path: Path) -> None:
    path = tmp_path / "reviewed.fada"
    wish = ["import", "masks", labelled, "--class", "head", "--project", path]
    assert "give --reviewed" in call(*wish, "--rater", "Anna", code=2)
    assert "reviewed them here" in call(*wish)
    assert told("project", "list", path, "--counts")["imported"] == 6
    assert told("export", "coco", "-p", path, "-o", tmp_path / "no", "--reviewed")["images"] == 0
    # Said later, of labels that are there already, it counts all the same.
    found = told(*wish, "--reviewed", "--rater", "Anna")
    assert (found["records"], found["known"], found["reviewed"]) == (0, 6, 6)
    assert told("project", "list", path, "--counts")["accepted"] == 6
    out = told("export", "coco", "-p", path, "-o", tmp_path / "coco", "--reviewed")
    assert (out["images"], out["annotations"]) == (6, 6)
    with Project.open(path) as opened:
        signed = {a.rater for r in opened.scans() for a in opened.annotations(r.sha256)}
        assert signed == {"Anna"}
        assert opened.check() == []


def test_masks_need_no_third_folder_and_may_lie_among_their_images(
    labelled: Path, tmp_path: Path
) -> None:
    both = ["--images", labelled / "images", "--masks", labelled / "masks"]
    found = told("import", "masks", *both, "--class", "head", "-p", tmp_path / "a.fada")
    assert (found["images"], found["by_class"]) == (6, {"head": 6})
    assert "--images and --masks" in call("import", "masks", *both[:2], code=2)
    together = tmp_path / "together"
    together.mkdir()
    for path in (labelled / "images").iterdir():
        (together / path.name).write_bytes(path.read_bytes())
        mask = (labelled / "masks" / path.name).read_bytes()
        (together / f"{path.stem}_Annotation.png").write_bytes(mask)
    wish = ["import", "masks", together, "--class", "head"]
    for number, more in enumerate(([], ["--masks", together])):
        found = told(*wish, *more, "-p", tmp_path / f"{number}.fada")
        assert (found["images"], found["by_class"], found["problems"]) == (6, {"head": 6}, [])


@pytest.mark.parametrize("name", [n for n in MODULES if n != "hc18"])
def test_every_form_goes_out_and_comes_in(project: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    more = ["--task", "segment"] if name == "yolo" else []
    found = told("export", name, "--project", project, "--out", out, *more)
    assert (found["form"], found["images"], found["annotations"]) == (name, 6, 6)
    assert verify(out).sound
    assert read_manifest(out)["counts"]["by_class"] == {"head": 6}
    assert (out / "deidentification.json").exists()
    if load_format(name).reader is None:
        return
    with Project.open(project) as opened:
        want = {a.uid for r in opened.scans() for a in opened.annotations(r.sha256)}
    other = tmp_path / "other.fada"
    back = told("import", name, out, "--project", other)
    assert (back["images"], back["by_class"], back["problems"]) == (6, {"head": 6}, [])
    with Project.open(other) as opened:
        got = {a.uid for r in opened.scans() for a in opened.annotations(r.sha256)}
    # VOC has boxes only: those are other records than the outlines they were made from.
    assert got == want if name != "voc" else not got & want


def test_a_split_is_proved_and_told(project: Path, tmp_path: Path) -> None:
    found = told(
        *("export", "coco", "-p", project, "-o", tmp_path / "out", "--split", "50,50"),
        *("--group-pattern", r"^(\d+)_", "--seed", "3", "--licence", "CC BY 4.0"),
    )
    assert set(found["splits"]) == {"train", "val"}  # type: ignore[call-overload]
    proof = json.loads((tmp_path / "out" / "split-audit.json").read_text())
    assert proof["clean"]
    assert proof["method"]["frames_compared"] == 6
    assert (tmp_path / "out" / "annotations" / "instances_train.json").exists()


def test_a_leak_is_an_error_unless_forced(project: Path, labelled: Path, tmp_path: Path) -> None:
    wish = ["--split", "50,50", "--group-pattern", r"^(\d+)_"]
    first = told("export", "coco", "-p", project, "-o", tmp_path / "a", *wish)
    assert set(first["splits"]) == {"train", "val"}  # type: ignore[call-overload]
    groups = json.loads((tmp_path / "a" / "splits.json").read_text())
    # Somebody puts a copy of a training scan under the name of a validation examination.
    with Project.open(project) as opened:
        rows = {r.name.split("_")[0]: r for r in opened.scans()}
        names = sorted(rows)
        from napari_fada.exchange.deidentify import keyed

        side = {
            name: next(
                s
                for s in ("train", "val")
                if keyed(opened.salt, "group", f"pattern:{name}") in groups[s]
            )
            for name in names
        }
    one = next(n for n in names if side[n] == "train")
    two = next(n for n in names if side[n] == "val")
    copy = labelled / "images" / f"{two}_9HC.png"
    with Image.open(rows[one].path) as picture:
        bright = np.clip(np.asarray(picture.convert("L")) * 1.1, 0, 255).astype(np.uint8)
    Image.fromarray(bright).save(copy)
    Image.open(labelled / "masks" / rows[one].name).save(labelled / "masks" / copy.name)
    told(
        *("import", "masks", labelled / "images", "--masks", labelled / "masks"),
        *("--class", "head", "--project", project),
    )
    text = call("export", "coco", "-p", project, "-o", tmp_path / "b", *wish, code=3)
    assert "near-identical image" in " ".join(text.split())
    assert not (tmp_path / "b").exists()
    told("export", "coco", "-p", project, "-o", tmp_path / "b", *wish, "--force")
    assert not json.loads((tmp_path / "b" / "split-audit.json").read_text())["clean"]


def test_what_would_come_in_is_told_without_touching_anything(
    labelled: Path, tmp_path: Path
) -> None:
    (labelled / "masks" / "zz.png").write_bytes(b"no image")
    arguments = [
        *("import", "masks", labelled / "images", "--masks", labelled / "masks"),
        *("--class", "head", "--project", tmp_path / "p.fada"),
    ]
    found = told(*arguments, "--dry-run", code=1)
    assert (found["images"], found["by_class"]) == (6, {"head": 6})
    assert found["problems"] == ["zz.png: there is no image of this name"]
    assert not (tmp_path / "p.fada").exists()
    assert "Nothing was brought in" in call(*arguments, "--strict", code=3)
    assert told(*arguments, code=1)["images"] == 6


def test_values_and_labels_are_mapped_by_the_user(data_dir: Path, tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for path in sorted((data_dir / "psfhs" / folder).glob("*.png"))[:2]:
            (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    arguments = [
        *("import", "masks", tmp_path / "images", "--masks", tmp_path / "labels"),
        *("--project", tmp_path / "p.fada"),
    ]
    values = ["--value", "1=pubic_symphysis", "--value", "2=fetal_head"]
    found = told(*arguments, *values)
    assert found["by_class"] == {"fetal_head": 2, "pubic_symphysis": 2}
    assert "Did you mean fetal_head?" in call(*arguments, "--value", "2=Fetal Head", code=3)
    assert "no value of an image" in call(*arguments, "--value", "x=head", code=3)
    assert told(*arguments, code=1)["images"] == 0  # nothing says what the values mean


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["export", "cocoa", "-p", "P", "-o", "O"], 3, "no form called"),
        (["export", "coco", "-p", "P"], 2, "--out is missing"),
        (["export", "coco", "-p", "P", "-o", "O", "--split", "80,30"], 2, "sum to 100"),
        (["export", "coco", "-p", "P", "-o", "O", "--split", "a"], 2, "no list of numbers"),
        (["export", "coco", "-p", "P", "-o", "O", "--by", "luck"], 2, "is none of"),
        (["export", "coco", "-p", "P", "-o", "O", "--class", "Head"], 3, "Did you mean head?"),
        (["export", "coco", "-p", "P", "-o", "O", "--choice", "a=b"], 3, "does not know"),
        (["export", "coco", "-p", "P", "-o", "O", "--group-pattern", "("], 3, "no regular"),
        (["export", "coco", "-p", "none.fada", "-o", "O"], 3, "no project"),
        (["import", "coco", "nothing", "-p", "P"], 3, "nothing at"),
        (["import", "csv", ".", "-p", "P"], 3, "not read"),
        (["import", "coco", ".", "-p", "P", "--class-map", "x=brain"], 3, "Did you mean Brain?"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    path = tmp_path / "p.fada"
    Project.open(path).close()
    places = {"P": str(path), "O": str(tmp_path / "out")}
    text = call(*(places.get(a, a) for a in arguments), code=code)
    assert says in " ".join(text.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_the_forms_are_listed_with_their_choices() -> None:
    rows = {r["name"]: r for r in map(json.loads, call("export", "list", "--json").splitlines())}
    assert set(rows) == set(MODULES)
    assert rows["yolo"]["choices"] == {"task": ["detect", "segment", "pose"]}
    assert rows["csv"]["ways"] == ["export"]
    assert "YOLO: export, import; task=detect|segment|pose" in call("export", "list")


def test_an_export_asks_with_the_wording_that_is_named(project: Path, tmp_path: Path) -> None:
    """For instance with prompts that were imported from elsewhere."""
    import tomli_w

    from napari_fada.pipeline import PromptSet

    prompts = {key: f"ZZ {text}" for key, text in PromptSet.load().prompts.items()}
    path = tmp_path / "mine.toml"
    path.write_text(tomli_w.dumps({"name": "mine", "prompts": prompts}))
    told("export", "fada", "-p", project, "-o", tmp_path / "out", "--prompt-set", path)
    lines = (tmp_path / "out" / "fada.jsonl").read_text().splitlines()
    assert lines
    for line in map(json.loads, lines):
        assert line["messages"][0]["content"][1]["text"].startswith("ZZ ")
        assert line["meta"]["prompts"]["name"] == "mine"
    assert read_manifest(tmp_path / "out")["prompts"]["name"] == "mine"
