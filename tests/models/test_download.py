"""Downloading a model from a server that cuts, lies, refuses and changes its mind."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub_server import COMMIT, Hub
from napari_fada.errors import ModelError
from napari_fada.models import find_pack, list_packs
from napari_fada.models.download import (
    Cancelled,
    Event,
    Note,
    Packed,
    Planned,
    Policy,
    Transfer,
    Waiting,
    download,
    find_offer,
    left_over,
    transfer,
    work_folder,
)
from napari_fada.models.download.hub import hub as hub_address
from napari_fada.models.download.web import Web, next_hop
from napari_fada.models.full import find_full
from napari_fada.models.library import Library, remove

MINI = find_pack("fada-mini").folder
TEXT, VISION = "some-model-q4_k_m.gguf", "mmproj-some-model-f16.gguf"
FAST = Policy(attempts=3, first_wait=0.01)
CATALOGUE = """
schema = "fada-catalogue/1"
[[model]]
name = "mirrored"
title = "Mirrored model"
kind = "gguf"
licence = "MIT"
[[model.source]]
repository = "someone/some-model"
revision = "main"
file = [
    {{ role = "text", name = "text.gguf", remote = "{text}" {more} }},
    {{ role = "vision", name = "vision.gguf", remote = "{vision}" }},
    {{ role = "card", name = "README.md", optional = true }},
]
"""

FULL = """
schema = "fada-catalogue/1"
[[model]]
name = "mirrored"
kind = "transformers"
profile = "qwen3.5"
[[model.source]]
repository = "someone/adapter"
revision = "main"
file = [
    {{ role = "adapter", name = "adapter/adapter_config.json", remote = "adapter_config.json" }},
    {{ role = "adapter", name = "adapter/adapter_model.safetensors", remote = "adapter_model.*" }},
]
[[model.source]]
repository = "someone/base"
revision = "main"
file = [
    {{ role = "weights", name = "model.safetensors" }},
    {{ role = "config", name = "config.json", git_sha1 = "{git}" }},
{rest}
]
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Give a hub with the files of fada-mini under other names, and a catalogue that names it."""
    made = Hub(
        {
            TEXT: (MINI / "fada-mini-f16.gguf").read_bytes(),
            VISION: (MINI / "mmproj-fada-mini-f16.gguf").read_bytes(),
            "README.md": b"# Some model\n",
            "notes.txt": b"nothing",
        }
    )
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    catalogue(tmp_path, monkeypatch)
    yield made
    made.close()


def catalogue(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, text: str = TEXT, vision: str = VISION,
    more: str = "",
) -> None:  # fmt: skip
    file = folder / "catalogue.toml"
    file.write_text(CATALOGUE.format(text=text, vision=vision, more=more))
    monkeypatch.setenv("NAPARI_FADA_CATALOGUE", str(file))


def fetch(into: Path, **more: Any) -> list[Event]:
    return list(download(find_offer("mirrored"), into, policy=FAST, **more))


def failing(into: Path, **more: Any) -> str:
    with pytest.raises(ModelError) as caught:
        fetch(into, **more)
    assert not (into / "mirrored").exists()
    return str(caught.value)


def sums(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_a_model_comes_whole_and_is_found(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "models"
    events = fetch(into)
    pack = events[-1].pack
    pack.verify()
    assert pack.folder == into / "mirrored"
    assert pack.text.sha256 == hub.sha256(TEXT)
    assert pack.licence == "MIT"
    manifest = json.loads((pack.folder / "pack.json").read_text())
    assert manifest["downloaded_from"] == [f"{hub.url}/someone/some-model/tree/{COMMIT}"]
    assert "Mirrored model" in pack.card_path.read_text()
    assert sorted(p.name for p in pack.folder.iterdir()) == [
        "CARD.md", "pack.json", "text.gguf", "vision.gguf",
    ]  # fmt: skip
    assert "# Some model" in pack.card_path.read_text()
    assert [p.name for p in into.iterdir()] == ["mirrored"]  # nothing else is left
    total = sum(len(hub.files[n]) for n in (TEXT, VISION, "README.md"))
    assert sums(events, Planned)[0].size == total
    last = sums(events, Transfer)[-1]
    assert (last.done, last.size) == (total, total)
    assert last.speed > 0
    monkeypatch.setenv("NAPARI_FADA_MODELS", str(into))
    assert "mirrored" in [found.name for found in list_packs()]


def test_a_downloaded_model_is_in_the_library_and_can_be_removed(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_FADA_MODELS", str(tmp_path / "models"))
    fetch(tmp_path / "models")
    entry = Library().entry("mirrored")
    assert (entry.state, entry.removable) == ("present", True)
    assert entry.size == len(hub.files[TEXT]) + len(hub.files[VISION])
    assert remove(entry) == []
    assert list((tmp_path / "models").iterdir()) == []


def test_an_adapter_and_its_base(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sources make one pack in full precision."""
    full = MINI / "full"
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "unsloth/Base-4B"}
    hub.files |= {path.name: path.read_bytes() for path in full.iterdir() if path.is_file()}
    hub.files |= {
        "adapter_config.json": json.dumps(adapter).encode(),
        "adapter_model.safetensors": struct.pack("<Q", 2) + b"{}",
    }
    config = hub.files["config.json"]
    git = hashlib.sha1(b"blob %d\0" % len(config) + config).hexdigest()
    (tmp_path / "catalogue.toml").write_text(
        FULL.format(
            git=git,
            rest="\n".join(
                f'    {{ role = "config", name = "{path.name}" }},'
                for path in full.iterdir()
                if path.name not in ("config.json", "model.safetensors")
            ),
        )
    )
    pack = fetch(tmp_path / "models")[-1].pack
    pack.verify()
    assert pack.kind == "transformers"
    assert pack.adapter_path == tmp_path / "models" / "mirrored" / "adapter"
    assert (pack.adapter_path / "adapter_config.json").is_file()
    model = find_full(pack.folder)
    assert model is not None
    assert model.adapter == pack.adapter_path
    sources = json.loads((pack.folder / "pack.json").read_text())["downloaded_from"]
    assert [address.split("/")[-3] for address in sources] == ["adapter", "base"]
    monkeypatch.setenv("NAPARI_FADA_MODELS", str(tmp_path / "models"))
    assert Library().entry("mirrored").state == "present"


def test_a_wrong_git_hash_is_found(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.linked = False
    catalogue(tmp_path, monkeypatch, more=f', git_sha1 = "{"cd" * 20}"')
    assert "git hash" in failing(tmp_path)


@pytest.mark.usefixtures("hub")
def test_one_changed_byte_is_found_ever_after(tmp_path: Path) -> None:
    pack = fetch(tmp_path)[-1].pack
    data = bytearray(pack.text_path.read_bytes())
    data[-1] ^= 1
    pack.text_path.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256"):
        pack.verify()


def test_cut_connections_are_continued(hub: Hub, tmp_path: Path) -> None:
    size = len(hub.files[TEXT])
    hub.faults[TEXT].extend([("cut", 1_000_000), ("status", 503), ("cut", 1_500_000)])
    events = fetch(tmp_path)
    assert len(sums(events, Waiting)) == 3
    ranges = [asked.headers.get("Range") for asked in hub.gets(TEXT)]
    assert ranges == [None, "bytes=1000000-", "bytes=1000000-", "bytes=2500000-"]
    assert events[-1].pack.text.size == size


def test_it_is_given_up_after_a_while_and_goes_on_the_next_time(hub: Hub, tmp_path: Path) -> None:
    hub.faults[TEXT].extend([("cut", 900_000), *[("status", 500)] * 2])
    said = failing(tmp_path)
    assert "text.gguf could not be downloaded" in said
    assert "goes on from there" in said
    assert left_over(find_offer("mirrored"), tmp_path) >= 900_000
    events = fetch(tmp_path)
    assert sums(events, Planned)[0].here == 900_000
    assert hub.gets(TEXT)[-1].headers["Range"] == "bytes=900000-"


def test_progress_begins_a_new_count_of_failures(hub: Hub, tmp_path: Path) -> None:
    hub.faults[VISION].extend([("cut", 300_000)] * 7)  # more than the attempts of the policy
    assert isinstance(fetch(tmp_path)[-1], Packed)


def test_a_server_that_asks_for_a_pause_gets_it(hub: Hub, tmp_path: Path) -> None:
    hub.faults[TEXT].append(("status", 429, {"Retry-After": "1"}))
    waits = sums(fetch(tmp_path), Waiting)
    assert [w.seconds for w in waits] == [1.0]
    assert "too often" in waits[0].reason


def test_a_server_without_ranges_begins_anew(hub: Hub, tmp_path: Path) -> None:
    hub.ranges = False
    hub.faults[TEXT].append(("cut", 900_000))
    events = fetch(tmp_path)
    assert any("anew" in note.text for note in sums(events, Note))
    assert events[-1].pack.text.sha256 == hub.sha256(TEXT)


def test_a_wrong_hash_is_never_accepted(hub: Hub, tmp_path: Path) -> None:
    hub.hashes[TEXT] = "ab" * 32
    said = failing(tmp_path)
    assert "text.gguf is not the file it should be" in said
    assert "do not use it" in said
    assert not list(tmp_path.rglob("text.gguf*"))


def test_other_bytes_of_the_same_length_are_found(hub: Hub, tmp_path: Path) -> None:
    hub.faults[TEXT].append(("say", bytes(len(hub.files[TEXT]))))
    assert "not the file it should be" in failing(tmp_path)


def test_parts_of_two_files_are_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    """What an earlier attempt left is not of this file, and nobody said so."""
    hub.faults[TEXT].extend([("cut", 900_000), *[("status", 500)] * 2])
    failing(tmp_path)
    part = work_folder(find_offer("mirrored"), tmp_path) / "text.gguf.part"
    part.write_bytes(bytes(900_000))
    events = fetch(tmp_path)
    assert any("did not go together" in note.text for note in sums(events, Note))
    assert events[-1].pack.text.sha256 == hub.sha256(TEXT)


def test_the_catalogue_is_believed_before_the_server(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue(tmp_path, monkeypatch, more=f', sha256 = "{"cd" * 32}"')
    assert "The server has another text.gguf" in failing(tmp_path)
    assert not hub.gets(TEXT)
    catalogue(tmp_path, monkeypatch, more=", size = 12345")
    assert "instead of 12345" in failing(tmp_path)


def test_a_file_that_changed_between_attempts(hub: Hub, tmp_path: Path) -> None:
    """A plain server: no hashes, only an ETag tells that the file is another one."""
    hub.linked = False
    hub.faults[TEXT].extend([("cut", 900_000), *[("status", 500)] * 2])
    failing(tmp_path)
    before = hub.files[TEXT]
    hub.files[TEXT] = bytes(900_000) + before[900_000:]  # damaged, were it continued
    hub.faults[TEXT].append(("say", before))
    events = fetch(tmp_path)
    assert any("anew" in note.text for note in sums(events, Note))
    assert any("only its size" in note.text for note in sums(events, Note))
    assert hub.gets(TEXT)[-1].headers["If-Range"]
    assert (tmp_path / "mirrored" / "text.gguf").read_bytes() == before
    assert events[-1].pack.text.sha256  # from now on it is checked


def test_a_plain_server_is_continued_by_its_etag(hub: Hub, tmp_path: Path) -> None:
    hub.linked = False
    hub.faults[TEXT].append(("cut", 900_000))
    fetch(tmp_path)
    asked = hub.gets(TEXT)
    assert [a.headers.get("Range") for a in asked] == [None, "bytes=900000-"]
    assert (tmp_path / "mirrored" / "text.gguf").read_bytes() == hub.files[TEXT]


def test_without_hash_and_etag_nothing_is_continued(hub: Hub, tmp_path: Path) -> None:
    hub.linked = hub.etags = False
    hub.faults[TEXT].append(("cut", 900_000))
    fetch(tmp_path)
    assert [a.headers.get("Range") for a in hub.gets(TEXT)] == [None, None]
    assert (tmp_path / "mirrored" / "text.gguf").read_bytes() == hub.files[TEXT]


def test_a_part_that_is_longer_than_the_file(hub: Hub, tmp_path: Path) -> None:
    """The answer is 416: there is nothing after what is here."""
    hub.linked = False
    hub.head = 405  # so that nobody knows the size before
    hub.faults[TEXT].extend([("cut", 4_000_000), *[("status", 500)] * 2])
    failing(tmp_path)
    part = work_folder(find_offer("mirrored"), tmp_path) / "text.gguf.part"
    part.write_bytes(bytes(len(hub.files[TEXT]) + 5))
    assert isinstance(fetch(tmp_path)[-1], Packed)
    assert (tmp_path / "mirrored" / "text.gguf").read_bytes() == hub.files[TEXT]


def test_a_part_that_is_the_whole_file_already(hub: Hub, tmp_path: Path) -> None:
    hub.linked = False
    hub.head = 405
    hub.faults[TEXT].extend([("cut", 4_000_000), *[("status", 500)] * 2])
    failing(tmp_path)
    part = work_folder(find_offer("mirrored"), tmp_path) / "text.gguf.part"
    part.write_bytes(hub.files[TEXT])
    before = len(hub.gets(TEXT))
    fetch(tmp_path)
    assert len(hub.gets(TEXT)) == before + 1  # asked once, answered 416
    assert (tmp_path / "mirrored" / "text.gguf").read_bytes() == hub.files[TEXT]


@pytest.mark.parametrize("size", [1_000_000, 1 << 40])
def test_a_disk_that_is_too_small_is_said_before(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    usage = SimpleNamespace(total=0, used=0, free=size)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    if size > 1 << 30:
        assert sums(fetch(tmp_path), Planned)[0].free == size
        return
    said = failing(tmp_path)
    assert "needs 10 MB more" in said
    assert "1 MB are free" in said
    assert not hub.gets(TEXT)


@pytest.mark.usefixtures("hub")
def test_a_disk_that_fills_up_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_write, written = transfer.write, []

    def write(file: Any, chunk: bytes) -> None:
        written.append(len(chunk))
        if sum(written) > 2_000_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        true_write(file, chunk)

    monkeypatch.setattr(transfer, "write", write)
    said = failing(tmp_path)
    assert "the disk is full" in said
    assert "goes on from there" in said
    monkeypatch.setattr(transfer, "write", true_write)
    events = fetch(tmp_path)  # after some space was made
    assert sums(events, Planned)[0].here > 1_000_000
    assert isinstance(events[-1], Packed)


def test_through_a_proxy(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub itself cannot be reached; the test server plays the proxy."""
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("http_proxy", hub.url)
    assert isinstance(fetch(tmp_path)[-1], Packed)
    assert {a.headers["Host"] for a in hub.asked} == {"hub.invalid"}


@pytest.mark.usefixtures("hub")
def test_a_proxy_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:  # bound, not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")
        said = failing(tmp_path)
    assert "proxy" in said
    assert not list(tmp_path.glob(".mirrored*"))  # not even an empty folder is left


def test_redirects_are_followed_and_the_token_stays(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is another host: it gets no token."""
    elsewhere = Hub({VISION: hub.files[VISION]})
    try:
        hub.redirect[VISION] = f"{elsewhere.url}/store/{VISION}"
        hub.token = "secret-token"
        monkeypatch.setenv("HF_TOKEN", "secret-token")
        fetch(tmp_path)
    finally:
        elsewhere.close()
    assert elsewhere.gets(VISION)
    assert not any("Authorization" in a.headers for a in elsewhere.asked)
    assert any("Authorization" in a.headers for a in hub.asked)
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert b"secret-token" not in path.read_bytes()


def test_no_redirect_away_from_https() -> None:
    assert next_hop("https://a.b/c", "/d") == "https://a.b/d"
    assert next_hop("http://a.b/c", "https://e.f/d") == "https://e.f/d"
    for target in ("http://a.b/c", "file:///etc/passwd", "ftp://a.b/c"):
        with pytest.raises(ModelError, match="not followed"):
            next_hop("https://a.b/c", target)
    with pytest.raises(ModelError, match="not followed"):
        next_hop("http://a.b/c", "file:///etc/passwd")


def test_a_redirect_to_a_file_is_not_followed(hub: Hub, tmp_path: Path) -> None:
    hub.redirect[TEXT] = "file:///etc/passwd"
    assert "not followed" in failing(tmp_path)


def test_a_redirect_without_end(hub: Hub, tmp_path: Path) -> None:
    hub.redirect[TEXT] = f"/someone/some-model/resolve/main/{TEXT}"
    assert "without end" in failing(tmp_path)


def test_a_gated_repository_says_what_to_do(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "right"
    said = failing(tmp_path)
    assert "HTTP 401" in said
    assert "HF_TOKEN" in said
    monkeypatch.setenv("HF_TOKEN", "wrong")
    said = failing(tmp_path)
    assert "the token in HF_TOKEN does not open it" in said
    assert "wrong" not in said
    monkeypatch.setenv("HF_TOKEN", "right")
    assert isinstance(fetch(tmp_path)[-1], Packed)


def test_a_netrc_of_the_user_is_not_sent(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    fetch(tmp_path / "models")
    assert not any("Authorization" in a.headers for a in hub.asked)


def test_a_file_that_is_not_there(hub: Hub, tmp_path: Path) -> None:
    del hub.files["README.md"]  # may be missing
    del hub.files[VISION]
    said = failing(tmp_path)
    assert "HTTP 404" in said
    assert VISION in said
    hub.files[VISION] = (MINI / "mmproj-fada-mini-f16.gguf").read_bytes()
    assert isinstance(fetch(tmp_path)[-1], Packed)


def test_names_that_are_not_known_are_taken_from_the_list(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue(tmp_path, monkeypatch, text="*Q4_K_M*.gguf", vision="*mmproj*.gguf")
    hub.files["../../evil-q4_k_m.gguf"] = b"no name for a file here"
    hub.files["mmproj-some-model-bf16.gguf"] = b"x"
    events = fetch(tmp_path / "models")
    assert any(TEXT in note.text for note in sums(events, Note))
    assert events[-1].pack.vision.sha256 == hub.sha256(VISION)
    assert not list(tmp_path.rglob("*evil*"))


def test_names_that_are_not_clear(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue(tmp_path, monkeypatch, text="*Q4_K_M*.gguf", vision="*mmproj*.gguf")
    hub.files["another-q4_k_m.gguf"] = b"x"
    said = failing(tmp_path / "models")
    assert "not clear which file" in said
    assert "another-q4_k_m.gguf" in said


def test_a_web_page_in_the_place_of_a_model(hub: Hub, tmp_path: Path) -> None:
    hub.files[TEXT] = b"<html>Please log in to the guest network</html>" * 50_000
    said = failing(tmp_path)
    assert "text.gguf" in said
    assert "web page" in said


def test_what_is_there_already_is_not_touched(hub: Hub, tmp_path: Path) -> None:
    mine = tmp_path / "mirrored" / "my own.gguf"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(ModelError, match="there already") as caught:
        fetch(tmp_path)
    assert "not touched" in str(caught.value)
    assert mine.read_bytes() == b"mine"
    assert not hub.asked


@pytest.mark.usefixtures("hub")
def test_a_folder_that_appears_meanwhile_is_not_touched(tmp_path: Path) -> None:
    events = download(find_offer("mirrored"), tmp_path, policy=FAST)
    next(event for event in events if isinstance(event, Planned))
    (tmp_path / "mirrored").mkdir()
    with pytest.raises(ModelError, match="there already"):
        list(events)
    assert list((tmp_path / "mirrored").iterdir()) == []


@pytest.mark.usefixtures("hub")
def test_two_at_a_time(tmp_path: Path) -> None:
    first = download(find_offer("mirrored"), tmp_path, policy=FAST)
    next(event for event in first if isinstance(event, Planned))
    assert "another window or command" in failing(tmp_path)
    assert isinstance(list(first)[-1], Packed)


@pytest.mark.parametrize("when", ["hanging", "waiting"])
def test_cancel(hub: Hub, tmp_path: Path, when: str) -> None:
    """At once, also when nothing comes or a pause is made; what has come is kept."""
    cancel = threading.Event()
    if when == "hanging":
        hub.faults[TEXT].append(("hang", 700_000))
    else:
        hub.faults[TEXT].append(("cut", 700_000))

    slow = Policy(attempts=3, first_wait=1000)

    def run() -> None:
        for event in download(find_offer("mirrored"), tmp_path, cancel=cancel, policy=slow):
            stalled = isinstance(event, Transfer) and event.done > 500_000
            if isinstance(event, Waiting) or (when == "hanging" and stalled):
                cancel.set()

    with pytest.raises(Cancelled) as caught:
        run()
    assert "goes on from there" in str(caught.value)
    assert not (tmp_path / "mirrored").exists()
    hub.let_go.set()
    assert sums(fetch(tmp_path), Planned)[0].here > 500_000


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "hub.example")
    with pytest.raises(ModelError, match="no address of a hub"):
        hub_address()
    monkeypatch.delenv("HF_ENDPOINT")
    assert hub_address() == "https://huggingface.co"


@pytest.mark.skipif(os.name != "posix" or not shutil.which("openssl"), reason="makes a certificate")
def test_a_certificate_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    hub = Hub({"a": b"content"})
    hub.server.socket = context.wrap_socket(hub.server.socket, server_side=True)
    address = hub.url.replace("http:", "https:")
    try:
        with (
            pytest.raises(ModelError, match=r"certificate of 127\.0\.0\.1"),
            Web().ask("GET", f"{address}/store/a"),
        ):
            pass
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with Web().ask("GET", f"{address}/store/a") as reply:
            assert b"".join(reply.chunks()) == b"content"
        hub.redirect["a"] = hub.url + "/store/a"
        with (
            pytest.raises(ModelError, match="not encrypted"),
            Web().ask("GET", f"{address}/x/resolve/main/a"),
        ):
            pass
    finally:
        hub.close()


# The command


def fada(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from napari_fada.cli import app; app()", "models", "download",
         *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_command_goes_on_after_it_was_killed(hub: Hub, tmp_path: Path) -> None:
    hub.faults[TEXT].append(("hang", 1_200_000))
    program = fada("mirrored", "--into", str(tmp_path), "--yes", "--json")
    assert hub.hung.wait(60)
    part = work_folder(find_offer("mirrored"), tmp_path) / "text.gguf.part"
    assert program.stdout is not None
    for said in program.stdout:  # some of it has come
        if json.loads(said).get("event") == "progress":
            break
    program.send_signal(signal.SIGKILL)
    program.communicate(timeout=60)
    kept = part.stat().st_size
    hub.let_go.set()
    again = fada("mirrored", "--into", str(tmp_path), "--yes", "--json")
    said, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    events = [json.loads(text) for text in said.splitlines()]
    assert events[-1]["event"] == "packed"
    if kept:
        assert hub.gets(TEXT)[-1].headers["Range"] == f"bytes={kept}-"
    (tmp_path / "mirrored" / "pack.json").read_text()


def test_the_command_asks_before_it_uses_the_network(hub: Hub, tmp_path: Path) -> None:
    program = fada("mirrored", "--into", str(tmp_path))
    said, _ = program.communicate("n\n", timeout=60)
    assert program.returncode == 1
    assert "licence:       MIT" in said
    assert "size unknown" in said
    assert "not verified:" in said
    assert "Connect to 127.0.0.1" in said
    assert hub.asked == []
    program = fada("mirrored", "--into", str(tmp_path))
    said, errors = program.communicate("y\n", timeout=60)
    assert program.returncode == 0, errors
    assert "checked" in said
