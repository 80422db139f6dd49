"""The catalogue: what can be downloaded, read from ``catalogue.toml``. Uses no network."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fada.engines.hardware import size_text
from napari_fada.errors import ModelError

SCHEMA = "fada-catalogue/1"
#: Further catalogues: files of the same form, for instance of a hospital's own mirror.
VARIABLE = "NAPARI_FADA_CATALOGUE"
KINDS = ("gguf", "transformers")
ROLES = ("text", "vision", "config", "weights", "adapter", "card")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")
_HASHES = {"sha256": re.compile(r"[0-9a-f]{64}"), "git_sha1": re.compile(r"[0-9a-f]{40}")}


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file of a model that can be downloaded.

    Parameters
    ----------
    repository, revision : str
        Where it is.
    role : str
        One of `ROLES`.
    name : str
        Where it will lie in the pack; may be in a sub-folder.
    remote : tuple of str
        Its name in the repository, or patterns of it, the better one first.
    size : int
        Bytes; 0 when not known.
    sha256, git_sha1 : str
        What it is checked against; empty when not known.
    optional : bool
        Whether the pack is whole without it.
    """

    repository: str
    revision: str
    role: str
    name: str
    remote: tuple[str, ...]
    size: int = 0
    sha256: str = ""
    git_sha1: str = ""
    optional: bool = False

    @property
    def named(self) -> bool:
        """Whether its name in the repository is known."""
        return len(self.remote) == 1 and "*" not in self.remote[0]


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be downloaded.

    Parameters
    ----------
    name : str
        Of the pack, and of its folder.
    title, about, licence, base_model, profile, prompt_set : str
        For the reader, and for the pack.
    kind : str
        ``gguf`` or ``transformers``.
    size : int
        Bytes as published, 0 when not known.
    verified : bool
        Whether somebody has compared the names with the repository.
    remark : str
        What the user should know before.
    files : tuple of OfferedFile
        What it consists of.
    """

    name: str
    title: str
    kind: str
    files: tuple[OfferedFile, ...]
    about: str = ""
    licence: str = ""
    base_model: str = ""
    profile: str = ""
    prompt_set: str = ""
    size: int = 0
    verified: bool = False
    remark: str = ""

    @property
    def repositories(self) -> tuple[str, ...]:
        """Repositories that it comes from."""
        return tuple(dict.fromkeys(file.repository for file in self.files))

    @property
    def size_text(self) -> str:
        """Its size as people write it."""
        return f"about {size_text(self.size)}" if self.size else "size unknown"

    def facts(self) -> dict[str, str]:
        """Return what somebody wants to know before the download."""
        facts = {
            "model": f"{self.title} ({self.name})",
            "about": self.about,
            "kind": self.kind,
            "size": self.size_text,
            "licence": self.licence or "not stated",
            "from": ", ".join(self.repositories),
            "not verified": "" if self.verified else self.remark or "Its names were not checked.",
        }
        return {title: text for title, text in facts.items() if text}


def read_offers() -> list[Offer]:
    """Return what can be downloaded: of our catalogue, and of those the user has named.

    Raises
    ------
    ModelError
        If a catalogue cannot be read; names what is wrong with it.
    """
    named = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    offers: dict[str, Offer] = {}
    for path in (*named, Path(__file__).parents[1] / "catalogue.toml"):
        for offer in read_catalogue(path):
            offers.setdefault(offer.name, offer)
    return list(offers.values())


def find_offer(name: str) -> Offer:
    """Return what is offered under a name, or under its title.

    Raises
    ------
    ModelError
        If there is none; says what there is.
    """
    offers = read_offers()
    for offer in offers:
        if name.lower() in (offer.name.lower(), offer.title.lower()):
            return offer
    raise ModelError(
        f"The catalogue has no model {name!r}.",
        todo=f"It has: {', '.join(offer.name for offer in offers)}. A model that you have on a "
        "stick or disk is not downloaded but imported.",
    )


def read_catalogue(path: Path) -> list[Offer]:
    """Read one catalogue.

    Raises
    ------
    ModelError
        If it cannot be read, or something in it cannot be.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not valid TOML: {error}.") from error
    if data.get("schema") != SCHEMA:
        raise ModelError(
            f"{path} has the schema {data.get('schema')!r}; {SCHEMA!r} is expected.",
            todo="It may need a newer napari-fada.",
        )
    try:
        return [_offer(table) for table in _tables(data, "model")]
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(f"{path} is malformed: {error}.") from error


def _offer(table: dict[str, Any]) -> Offer:
    name, kind = _text(table, "name"), _text(table, "kind")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a model")
    if kind not in KINDS:
        raise ValueError(f"{name}: the kind {kind!r} is none of {', '.join(KINDS)}")
    files = [
        _file(file, source, name)
        for source in _tables(table, "source")
        for file in _tables(source, "file")
    ]
    if len({file.name.lower() for file in files}) < len(files):
        raise ValueError(f"{name}: two files have one name")
    needed = {"text", "vision"} if kind == "gguf" else {"config", "weights"}
    if missing := needed - {file.role for file in files}:
        raise ValueError(f"{name}: no file for {', '.join(sorted(missing))}")
    return Offer(
        name=name,
        title=_text(table, "title", name),
        kind=kind,
        files=tuple(files),
        size=_size(table),
        verified=table.get("verified") is True,
        **{
            key: _text(table, key, "")
            for key in ("about", "licence", "base_model", "profile", "prompt_set", "remark")
        },
    )


def _file(table: dict[str, Any], source: dict[str, Any], model: str) -> OfferedFile:
    name, role = _text(table, "name"), _text(table, "role")
    parts = name.split("/")
    if len(parts) > 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise ValueError(f"{model}: {name!r} cannot be the name of a file")
    if name.lower() in ("pack.json", "card.md"):
        raise ValueError(f"{model}: {name} is written by the download itself")
    if role not in ROLES:
        raise ValueError(f"{model}: the role {role!r} is none of {', '.join(ROLES)}")
    repository, revision = _text(source, "repository"), _text(source, "revision")
    if not _REPOSITORY.fullmatch(repository) or not _REVISION.fullmatch(revision):
        raise ValueError(f"{model}: {repository}@{revision} is no repository")
    remote = table.get("remote", parts[-1])
    remotes = tuple(remote) if isinstance(remote, list) else (remote,)
    if not remotes or not all(isinstance(r, str) and r and ".." not in r for r in remotes):
        raise ValueError(f"{model}: {remote!r} cannot be the name of a file in a repository")
    hashes = {key: _text(table, key, "").lower() for key in _HASHES}
    for key, value in hashes.items():
        if value and not _HASHES[key].fullmatch(value):
            raise ValueError(f"{model}: {key} of {name} is malformed")
    return OfferedFile(
        repository, revision, role, name, remotes,
        size=_size(table), optional=table.get("optional") is True, **hashes,
    )  # fmt: skip


def _tables(table: dict[str, Any], key: str) -> Iterable[dict[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError(f"{key!r} is no list of tables")
    return value


def _text(table: dict[str, Any], key: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"{key!r} cannot be {value!r}")
    return value


def _size(table: dict[str, Any]) -> int:
    value = table.get("size", 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"'size' cannot be {value!r}")
    return value
