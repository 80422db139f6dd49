"""Prompt sets: the wording by which a model is called, as data with a name and a hash."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import platformdirs

from napari_fada.engines.conventions import Convention
from napari_fada.engines.protocol import Prompt, Task
from napari_fada.errors import ModelError
from napari_fada.records.reading import VARIANTS, Variant
from napari_fada.vocabulary import vocabulary

DEFAULT_PROMPTS = "napari-fada-1"
PLACE = "{classes}"

_WORDING: Mapping[Variant, str] = {
    "full": "interpret",
    "anatomy": "interpret_anatomy",
    "clinical": "interpret_clinical",
}
HALVES: tuple[Variant, ...] = ("anatomy", "clinical")
_WITH_CLASSES = ("detect", "segment", "keypoints")
_REQUIRED = ("interpret", "classify", "detect", "segment")
_MAX_TOKENS = {"classify": 256}
_DEFAULT_MAX_TOKENS = 1024
_USUAL = Convention()


def user_prompts() -> Path:
    """Return the folder of the prompt sets that the user brought."""
    return platformdirs.user_data_path("napari-fada", appauthor=False) / "prompt_sets"


def prompt_sets() -> list[str]:
    """Return the names of the prompt sets that can be loaded by name."""
    names = {p.name for p in files(__package__).joinpath("prompt_sets").iterdir()}
    own = user_prompts()
    names |= {p.name for p in own.glob("*.toml")} if own.is_dir() else set()
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The prompts of one calling convention.

    Parameters
    ----------
    name : str
        How results refer to it.
    prompts : mapping of str to str
        ``interpret``, ``interpret_anatomy``, ``interpret_clinical``, ``classify``, ``detect``,
        ``segment``, ``keypoints``; the last three hold ``{classes}``. They may hold ``{box}``,
        ``{point}``, ``{unit}`` and ``{key}``, in the words of the model's coordinate convention,
        and ``classify`` may hold ``{labels}``. ``detect_loc`` is asked for loc tokens.
    max_tokens : mapping of str to int
        Length limits by task, where they differ from ours.
    halves : bool
        Ask for the report in two halves (small models write four fields better than eight); the
        answers become one report.
    """

    name: str
    prompts: Mapping[str, str]
    max_tokens: Mapping[str, int] = field(default_factory=dict)
    halves: bool = False

    @classmethod
    def load(cls, name_or_path: str | Path = DEFAULT_PROMPTS) -> PromptSet:
        """Read a prompt set by name, or any TOML file by path.

        A name is that of one that comes with the package, or of one in `user_prompts`.

        Raises
        ------
        ModelError
            If there is none, or it is not a prompt set.
        """
        bundled = files(__package__).joinpath("prompt_sets")
        source = bundled.joinpath(f"{name_or_path}.toml")
        own = user_prompts() / f"{name_or_path}.toml"
        try:
            if isinstance(name_or_path, str) and source.is_file():
                text = source.read_text(encoding="utf-8")
            elif isinstance(name_or_path, str) and own.is_file():
                text = own.read_text(encoding="utf-8")
            else:
                text = Path(name_or_path).read_text(encoding="utf-8")
            data = tomllib.loads(text)
        except (OSError, ValueError) as error:
            known = ", ".join(prompt_sets())
            raise ModelError(
                f"The prompt set {str(name_or_path)!r} cannot be read: {error}.",
                todo=f"Give a TOML file, or one of: {known}.",
            ) from error
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PromptSet:
        """Build a prompt set from its TOML form.

        That is ``name`` and ``[prompts]``; ``halves`` and ``[max_tokens]`` may be left out.

        Raises
        ------
        ModelError
            If a prompt is missing, or one that asks for classes has no place for them.
        """
        prompts = data.get("prompts")
        name = data.get("name")
        if not isinstance(name, str) or not name or not isinstance(prompts, Mapping):
            raise ModelError("A prompt set needs a name and a table of prompts.")
        missing = [key for key in _REQUIRED if not isinstance(prompts.get(key), str)]
        if missing:
            raise ModelError(f"The prompt set {name!r} lacks: {', '.join(missing)}.")
        for key in _WITH_CLASSES:
            if key in prompts and PLACE not in prompts[key]:
                raise ModelError(f"The prompt {key!r} of {name!r} has no place {PLACE}.")
        halves = data.get("halves", False) is True
        lacking = [_WORDING[v] for v in HALVES if halves and _WORDING[v] not in prompts]
        if lacking:
            raise ModelError(f"The prompt set {name!r} lacks: {', '.join(lacking)}.")
        return cls(name, dict(prompts), dict(data.get("max_tokens", {})), halves)

    def report_prompts(self) -> list[Prompt]:
        """Build the prompts that ask for the report: one, or one for each half of it."""
        variants: tuple[Variant, ...] = HALVES if self.halves else ("full",)
        return [self.prompt("interpret", variant=variant) for variant in variants]

    @property
    def hash(self) -> str:
        """SHA-256 of the wording (sorted JSON of the prompts: comments do not count)."""
        asked = dict(self.prompts)
        if self.halves:
            asked["halves"] = "yes"
        wording = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(wording.encode("utf-8")).hexdigest()

    def prompt(
        self,
        task: Task,
        classes: Sequence[str] = (),
        variant: Variant = "full",
        convention: Convention = _USUAL,
    ) -> Prompt:
        """Build the prompt for one task.

        Parameters
        ----------
        task : str
            Any but ``free``, which has no fixed wording.
        classes : sequence of str
            ``detect``, ``segment``, ``keypoints``: what to ask for, in this order.
        variant : {"full", "anatomy", "clinical"}
            ``interpret``: all eight fields, the first four, or the last four.
        convention : Convention
            How the model writes places.

        Raises
        ------
        ValueError
            If classes are missing or given to a task that takes none.
        ModelError
            If this prompt set has no such prompt.
        """
        if (task in _WITH_CLASSES) != bool(classes):
            raise ValueError(f"task {task!r} with classes {list(classes)!r}")
        name, keys = str(task), tuple[str, ...]()
        if task == "interpret":
            name, keys = _WORDING[variant], VARIANTS[variant]
        joint = ", "
        if convention.unit == "loc" and f"{name}_loc" in self.prompts:
            name, joint = f"{name}_loc", " ; "
        if name not in self.prompts:
            raise ModelError(f"The prompt set {self.name!r} has no prompt {name!r}.")
        labels = tuple(classes)
        if task == "classify":
            labels = tuple(view.name for view in vocabulary().views)
        text = self.prompts[name].replace(PLACE, joint.join(classes))
        for place, words in (convention.words() | {"labels": ", ".join(labels)}).items():
            text = text.replace(f"{{{place}}}", words)
        return Prompt(
            task=task,
            text=text,
            keys=keys,
            labels=labels,
            max_tokens=self.max_tokens.get(task, _MAX_TOKENS.get(task, _DEFAULT_MAX_TOKENS)),
        )
