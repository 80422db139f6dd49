"""Families of vision-language models: what each was taught, and how it is called.

The facts are in ``profiles.toml``. A family is recognised from what the two GGUF files say of
themselves (kind of image part, architecture, name); ``pack.json`` may name another.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from napari_fada.engines.conventions import Convention
from napari_fada.engines.llama.image import Picture
from napari_fada.engines.llama.template import ChatTemplate
from napari_fada.engines.protocol import TASKS, Task
from napari_fada.errors import ModelError

if TYPE_CHECKING:
    from napari_fada.models.gguf_files import GgufFile
    from napari_fada.models.pack import Pack

GENERAL_PROMPTS = "napari-fada-general-1"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a family of models.

    Parameters
    ----------
    name, title : str
        As packs and people call it.
    projectors, architectures, names : tuple of str
        What it is recognised by; empty for any.
    convention : Convention
        How places are written in its answers.
    tasks : tuple of str
        What the published models were made for.
    refusal : str
        Why the others are not asked.
    template : ChatTemplate or None
        How a conversation is written; None: as the text model's own file says.
    picture : Picture
        What is done to a frame.
    prompt_set : str
        The prompts it is asked with.
    sources : tuple of str
        Where this is known from.
    """

    name: str
    title: str
    projectors: tuple[str, ...]
    architectures: tuple[str, ...]
    names: tuple[str, ...]
    convention: Convention
    tasks: tuple[Task, ...]
    refusal: str
    template: ChatTemplate | None
    picture: Picture
    prompt_set: str
    sources: tuple[str, ...]

    def fits(self, projector: str, architecture: str, name: str) -> bool:
        """Whether a pair of files belongs to this family."""
        return (
            projector in self.projectors
            and (not self.architectures or architecture in self.architectures)
            and (not self.names or any(part in name.lower() for part in self.names))
        )


@cache
def profiles() -> Mapping[str, Profile]:
    """Return all profiles by name, in the order in which they are tried."""
    text = files(__package__).joinpath("profiles.toml").read_text(encoding="utf-8")
    found = [_profile(data) for data in tomllib.loads(text).values()]
    return {profile.name: profile for profile in found}


@cache
def projectors() -> frozenset[str]:
    """Return the kinds of image part that are known."""
    return frozenset(p for profile in profiles().values() for p in profile.projectors)


def find_profile(name: str) -> Profile:
    """Return a profile by its name.

    Raises
    ------
    ModelError
        If there is none of that name.
    """
    found = profiles().get(name)
    if found is None:
        raise ModelError(
            f"There is no model profile {name!r}.", todo=f"Use one of: {', '.join(profiles())}."
        )
    return found


def recognise(projector: str, architecture: str, name: str) -> Profile:
    """Return the profile of a pair of files: the first that fits, else the one for all others.

    Parameters
    ----------
    projector : str
        Kind of the image part.
    architecture : str
        Of the text model.
    name : str
        Whatever names the model: file names and what the headers say.
    """
    for profile in profiles().values():
        if profile.fits(projector, architecture, name):
            return profile
    return profiles()["other"]


def profile_of(pack: Pack, text: GgufFile, vision: GgufFile) -> Profile:
    """Return the profile a pack is used with: its family's, with what the pack says otherwise.

    A model that was taught our classes (its pack names them, or it is called a FADA model) is
    asked for boxes and outlines whatever its family was made for.

    Parameters
    ----------
    pack : Pack
        Its profile, coordinates, classes and name count.
    text, vision : GgufFile
        Its files.

    Raises
    ------
    ModelError
        If the pack names a profile or a convention that there is not.
    """
    names = " ".join((pack.name, text.name, text.path.name))
    if pack.profile:
        family = find_profile(pack.profile)
    else:
        family = recognise(vision.architecture, text.architecture, names)
    if family.picture.fit == "square":
        family = replace(family, picture=replace(family.picture, side=vision.side))
    return with_pack(family, pack, names)


def with_pack(family: Profile, pack: Pack, names: str = "") -> Profile:
    """Return a family's profile with what a pack says otherwise (see `profile_of`).

    Parameters
    ----------
    family : Profile
        Of the model's family.
    pack : Pack
        Its coordinates, classes and name count.
    names : str
        What else names the model.
    """
    convention = family.convention
    if pack.coordinates:
        convention = Convention.named(pack.coordinates, key=convention.key)
    taught = bool(pack.classes) or "fada" in f"{pack.name} {names}".lower()
    return replace(family, convention=convention, tasks=TASKS if taught else family.tasks)


def _profile(data: Mapping[str, Any]) -> Profile:
    own = data["template"] == "own"
    return Profile(
        name=data["name"],
        title=data["title"],
        projectors=tuple(data["projectors"]),
        architectures=tuple(data.get("architectures", ())),
        names=tuple(data.get("names", ())),
        convention=Convention.named(
            data.get("coordinates", "0-1000"), key=data.get("key", "bbox_2d")
        ),
        tasks=tuple(task for task in TASKS if task in data["tasks"]),
        refusal=data.get("refusal", ""),
        template=None if own else ChatTemplate(**data["template"]),
        picture=Picture(data["fit"], **({"step": data["step"]} if "step" in data else {})),
        prompt_set=data.get("prompt_set", GENERAL_PROMPTS),
        sources=tuple(data["sources"]),
    )
