"""Which prompts a mapping leads to: classes of different groups never share one."""

from __future__ import annotations

from collections.abc import Iterable

from napari_fada.engines.protocol import EngineInfo, Prompt
from napari_fada.pipeline.prompts import PromptSet
from napari_fada.records.reading import Mapping
from napari_fada.vocabulary import Category, vocabulary


def detect_prompts(
    mapping: Mapping, info: EngineInfo, prompts: PromptSet
) -> tuple[list[Prompt], list[str]]:
    """Return the prompts of the detect phase, keypoints included, and what was left out.

    Keypoints are asked for when a mapped class belongs to a view that has them and the pack
    names the keypoints its model knows, or when the mapping itself names a keypoint class.
    """
    if "detect" not in info.tasks:
        return [], [info.refusal]
    categories, problems = _known(mapping.detect, info)
    boxes = [c for c in categories if "box" in c.kinds]
    asked = [
        prompts.prompt("detect", names, convention=info.convention) for names in by_group(boxes)
    ]
    points = [c for c in categories if "keypoints" in c.kinds]
    for names in _keypoints(boxes, points, info):
        if "keypoints" in prompts.prompts:
            asked.append(prompts.prompt("keypoints", names, convention=info.convention))
        else:
            problems.append(f"not asked, the prompt set has no keypoints: {', '.join(names)}")
    return asked, problems


def segment_prompts(
    mapping: Mapping, info: EngineInfo, prompts: PromptSet
) -> tuple[list[Prompt], list[str]]:
    """Return the prompts of the segment phase, and what was left out."""
    if "segment" not in info.tasks:
        return [], [info.refusal]
    categories, problems = _known(mapping.segment, info)
    flat = [c.name for c in categories if "polygon" not in c.kinds]
    if flat:
        problems.append(f"not asked, these classes have no outline: {', '.join(flat)}")
    outlined = [c for c in categories if "polygon" in c.kinds]
    asked = [
        prompts.prompt("segment", names, convention=info.convention) for names in by_group(outlined)
    ]
    return asked, problems


def by_group(categories: Iterable[Category]) -> list[tuple[str, ...]]:
    """Split classes into as few prompts as their groups allow, keeping their order.

    Classes of a single group are placed first; one that belongs to several joins a group that
    is asked anyway, or else its home group.
    """
    wanted = list(dict.fromkeys(categories))
    groups = {c.group[0] for c in wanted if len(c.group) == 1}
    chosen: dict[str, list[str]] = {}
    for category in wanted:
        home = next((g for g in category.group if g in groups or g in chosen), category.group[0])
        chosen.setdefault(home, []).append(category.name)
    return [tuple(names) for names in chosen.values()]


def _known(names: Iterable[str], info: EngineInfo) -> tuple[list[Category], list[str]]:
    """Return the classes that may be asked for, once each, and a note on the others."""
    found: list[Category] = []
    strange: list[str] = []
    untaught: list[str] = []
    for name in dict.fromkeys(names):
        category = vocabulary().resolve(name)
        if category is None:
            strange.append(name)
        elif info.classes and category.name not in (*info.classes, *info.keypoints):
            untaught.append(category.name)
        else:
            found.append(category)
    problems = []
    if strange:
        problems.append(f"not asked, not in the vocabulary: {', '.join(strange)}")
    if untaught:
        problems.append(f"not asked, the model does not know: {', '.join(untaught)}")
    return found, problems


def _keypoints(
    boxes: Iterable[Category], points: Iterable[Category], info: EngineInfo
) -> list[tuple[str, ...]]:
    v = vocabulary()
    wanted: dict[str, list[str]] = {}
    explicit = [c.name for c in points]
    for category in boxes:
        group = v.groups[category.group[0]]
        known = [name for name in group.keypoints if name in info.keypoints]
        if known:
            wanted[group.name] = known
    if explicit:
        automatic = {name for names in wanted.values() for name in names}
        rest = [v.by_name[name] for name in explicit if name not in automatic]
        for names in by_group(rest):
            home = v.by_name[names[0]].group[0]
            wanted.setdefault(home, []).extend(names)
    # The scale bar belongs to more than one view; it is asked for once.
    seen: set[str] = set()
    out = []
    for names_of_group in wanted.values():
        fresh = tuple(name for name in names_of_group if name not in seen)
        seen.update(fresh)
        if fresh:
            out.append(fresh)
    return out
