"""The catalogue of models that can be downloaded."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from napari_fada.errors import ModelError
from napari_fada.models.download import find_offer, read_catalogue, read_offers
from napari_fada.models.profiles import find_profile

HEAD = 'schema = "fada-catalogue/1"\n'


def test_ours_names_the_published_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "socket")  # reading it uses no network
    monkeypatch.delenv("NAPARI_FADA_CATALOGUE", raising=False)
    offers = {offer.name: offer for offer in read_offers()}
    assert set(offers) == {"fada-mobile", "fada-skd-4b"}
    for offer in offers.values():
        assert offer.licence == "Apache-2.0"
        assert find_profile(offer.profile)
        assert "not verified" in offer.facts()  # nobody has compared all names with the hub
    skd = offers["fada-skd-4b"]
    assert skd.repositories == ("mshz88/FADA-SKD-4B", "Qwen/Qwen3.5-4B")
    weights = [file for file in skd.files if file.name.endswith("-of-00002.safetensors")]
    # two bytes for each weight of the published count, and a little for the headers
    assert 0 <= sum(f.size for f in weights) - 2 * 4_539_265_536 < 250_000_000
    assert all(len(file.sha256) == 64 for file in weights)


def test_by_name_or_title() -> None:
    assert find_offer("FADA-Mobile-GGUF") == find_offer("fada-mobile")
    with pytest.raises(ModelError, match="It has: fada-mobile, fada-skd-4b"):
        find_offer("fada-9000")


MODEL = """
[[model]]
name = "{name}"
kind = "gguf"
[[model.source]]
repository = "{repository}"
revision = "main"
file = [
    {{ role = "text", name = "{file}", remote = "{remote}", size = {size} }},
    {{ role = "vision", name = "vision.gguf", sha256 = "{sha256}" }},
]
"""
GOOD = {
    "name": "good", "repository": "a/b", "file": "text.gguf", "remote": "t.gguf", "size": "5",
    "sha256": "ab" * 32,
}  # fmt: skip


def written(path: Path, **changes: str) -> Path:
    path.write_text(HEAD + MODEL.format(**GOOD | changes))
    return path


def test_a_catalogue_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comes before ours, so that a mirror can take a model's place."""
    path = written(tmp_path / "mine.toml", name="fada-mobile", repository="mirror/fada")
    monkeypatch.setenv("NAPARI_FADA_CATALOGUE", str(path))
    assert find_offer("fada-mobile").repositories == ("mirror/fada",)
    assert find_offer("fada-skd-4b")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "../out"}, "cannot be the name of a model"),
        ({"name": ".hidden"}, "cannot be the name of a model"),
        ({"file": "../out.gguf"}, "cannot be the name of a file"),
        ({"file": "/etc/passwd"}, "cannot be the name of a file"),
        ({"file": "a/b/c.gguf"}, "cannot be the name of a file"),
        ({"file": "pack.json"}, "written by the download"),
        ({"file": "VISION.gguf"}, "two files have one name"),
        ({"remote": "../../other/file"}, "in a repository"),
        ({"repository": "https://evil.example/x"}, "no repository"),
        ({"repository": "a/b/../../c"}, "no repository"),
        ({"size": "-1"}, "'size' cannot be -1"),
        ({"size": "true"}, "'size' cannot be True"),
        ({"sha256": "abc"}, "sha256 of vision.gguf is malformed"),
    ],
)
def test_what_is_wrong_with_one_is_said(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    path = written(tmp_path / "wrong.toml", **changes)
    with pytest.raises(ModelError, match="malformed") as caught:
        read_catalogue(path)
    assert said in str(caught.value)


def test_files_that_are_no_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "no.toml"
    with pytest.raises(ModelError, match="cannot be read"):
        read_catalogue(path)
    for text, said in (
        ("schema = ", "not valid TOML"),
        ('schema = "fada-catalogue/9"', "newer napari-fada"),
        (HEAD + "model = 5", "no list of tables"),
        (HEAD + '[[model]]\nname = "x"\nkind = "onnx"', "none of gguf, transformers"),
        (HEAD + '[[model]]\nname = "x"\nkind = "gguf"', "no file for text, vision"),
    ):
        path.write_text(text)
        with pytest.raises(ModelError) as caught:
            read_catalogue(path)
        assert said in str(caught.value)
