"""What model lies among the files that a user points to: told from the files, never their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_fada.errors import ModelError
from napari_fada.models.catalogue import find_pack
from napari_fada.models.convert.source import read_adapter, read_source
from napari_fada.models.gguf_files import read_gguf
from napari_fada.models.pack import Pack, PackFile, pack_from_files
from napari_fada.models.profiles import find_profile

#: What a model in full precision is read from, beside its weights.
_CONFIG = (
    *("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json"),
    *("video_preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"),
    *("merges.txt", "tokenizer.model", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template.jinja", "chat_template.json", "model.safetensors.index.json"),
)
_ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_CARDS = ("CARD.md", "README.md")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be imported.

    Parameters
    ----------
    paths : tuple of Path
        A text model and its image part (one is enough where the other lies beside it), a folder
        with them, a folder in full precision, a LoRA adapter's folder, or a base and its adapter.
    name : str
        Of the pack; empty takes that of the files.
    into : Path, optional
        Folder of packs; None: the user's.
    in_place : bool
        Only describe the files where they lie.
    prompt_set, profile, licence : str
        Where the files do not say, or say wrongly.
    allow_pickle : bool
        The user's consent to weights that are not safetensors: reading them can run code.
    """

    paths: tuple[Path, ...]
    name: str = ""
    into: Path | None = None
    in_place: bool = False
    prompt_set: str = ""
    profile: str = ""
    licence: str = ""
    allow_pickle: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A model among files: what is known of it, and each file with its place in the pack."""

    pack: Pack
    files: tuple[tuple[str, Path, str], ...]  # role, where it lies, its name in the pack
    card: Path | None = None


def look(paths: Sequence[Path], wish: Wish) -> Found:
    """Find the one model among the paths.

    Raises
    ------
    ModelError
        If there is none, or more than one.
    """
    if not 1 <= len(paths) <= 2:
        raise ModelError("One model is imported at a time: give a folder, or one or two files.")
    for path in paths:
        if not path.exists():
            raise ModelError(f"There is no {path}.", todo="Check the name.")
    folders = [p for p in paths if p.is_dir()]
    if not folders:
        return _gguf(paths)
    adapters = [f for f in folders if (f / "adapter_config.json").is_file()]
    bases = [f for f in folders if (f / "config.json").is_file()]
    if adapters or bases:
        if len(folders) != len(paths):
            raise ModelError("A folder in full precision and a file do not make one model.")
        return _full(bases, adapters, wish)
    if len(paths) > 1:
        raise ModelError("These two folders are not a base model and its adapter.")
    known = find_pack(folders[0])
    if known.kind != "gguf":
        return _known(known)
    found = _gguf((known.text_path, known.vision_path))
    return replace(found, pack=replace(known, manifest=None), card=known.card_path or found.card)


def _gguf(paths: Sequence[Path]) -> Found:
    for path in paths:
        read_gguf(path)  # says what a file is that is none
    pack = pack_from_files(*paths)
    pair = (("text", pack.text_path), ("vision", pack.vision_path))
    cards = [pack.folder / name for name in _CARDS]
    return Found(
        pack,
        tuple((role, path, path.name) for role, path in pair),
        next((card for card in cards if card.is_file()), None),
    )


def _known(pack: Pack) -> Found:
    files = tuple((f.role, pack.folder / f.name, f.name) for f in pack.parts)
    return Found(replace(pack, manifest=None), files, pack.card_path)


def _full(bases: Sequence[Path], adapters: Sequence[Path], wish: Wish) -> Found:
    adapter = adapters[0] if adapters else None
    if adapter is not None:
        named = read_adapter(adapter, allow_pickle=wish.allow_pickle)
        if not bases:
            beside = (Path(named).expanduser(), adapter.parent / Path(named).name)
            bases = [b for b in beside if named and (b / "config.json").is_file()][:1]
        if not bases:
            raise ModelError(
                f"{adapter.name} is a LoRA adapter of {named or 'an unnamed base model'}, which is "
                "not here.",
                todo="Give the folder of the base model as well.",
            )
    base = bases[0]
    source = read_source(base, allow_pickle=wish.allow_pickle)
    weights = sorted(base.glob("*.safetensors"))
    if not weights:
        weights = sorted(p for p in base.iterdir() if p.suffix in _PICKLES)
    files = [("config", base / name, name) for name in _CONFIG if (base / name).is_file()]
    files += [("weights", path, path.name) for path in weights]
    if adapter is not None:
        whole = [adapter / name for name in _ADAPTER]
        if whole[1].is_file():
            whole = whole[:2]  # the pickle beside it is not needed
        files += [("adapter", p, f"adapter/{p.name}") for p in whole if p.is_file()]
    family = find_profile(wish.profile or "qwen3.5")
    cards = [folder / name for folder in (adapter, base) if folder for name in _CARDS]
    pack = Pack(
        name=(adapter or base).resolve().name,
        folder=base,
        text=PackFile(""),
        vision=PackFile(""),
        kind="transformers",
        base_model=base.resolve().name if adapter is not None else "",
        architecture=source.architecture,
        prompt_set=family.prompt_set,
        profile=family.name,
        adapter="adapter" if adapter is not None else "",
    )
    return Found(pack, tuple(files), next((c for c in cards if c.is_file()), None))


def is_pickle(path: Path) -> bool:
    """Tell by its suffix whether reading a file of weights can run code."""
    return path.suffix in _PICKLES
