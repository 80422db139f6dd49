"""What a hub (Hugging Face, or a mirror of it) says about files: names, sizes, hashes, commits.

``{hub}/{repository}/resolve/{revision}/{file}`` answers with the commit in ``X-Repo-Commit`` and,
for large files, with SHA-256 and size in ``X-Linked-ETag`` and ``X-Linked-Size`` before it
redirects to a store; the ``ETag`` of a small file is git's hash of it. None of its names is used
for a file here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, urlsplit

from napari_fada.errors import ModelError
from napari_fada.models.download.offers import OfferedFile
from napari_fada.models.download.web import KEPT, Broken, Reply, Web

HUB = "https://huggingface.co"
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REMOTE = re.compile(r"[\w][\w .()+-]*(/[\w][\w .()+-]*)*")
_LARGEST_LIST = 8 << 20
_LONGEST_WAIT = 120.0


@dataclass(frozen=True, slots=True)
class Announced:
    """What a server says of a file; empty and 0 where it says nothing."""

    commit: str = ""
    sha256: str = ""
    git_sha1: str = ""
    size: int = 0
    etag: str = ""


def hub() -> str:
    """Return the address of the hub: the environment's ``HF_ENDPOINT``, or Hugging Face.

    Raises
    ------
    ModelError
        If it is no HTTP address.
    """
    address = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or HUB
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ModelError(
            f"HF_ENDPOINT is {address!r}, which is no address of a hub.",
            todo=f"Leave it out (then it is {HUB}), or give one like https://hub.hospital.example.",
        )
    return address


def token() -> str:
    """Return the user's token for gated repositories (``HF_TOKEN``); it is kept nowhere."""
    return os.environ.get("HF_TOKEN", "").strip()


def address_of(file: OfferedFile, endpoint: str) -> str:
    """Return where a file is fetched from."""
    parts = (file.repository, "resolve", file.revision, file.remote[0])
    return "/".join([endpoint, *(quote(part) for part in parts)])


def list_files(repository: str, revision: str, web: Web, endpoint: str) -> dict[str, Announced]:
    """Return the files of a repository, by their names there.

    Raises
    ------
    ModelError, Broken, Cancelled
        If it cannot be had.
    """
    address = f"{endpoint}/api/models/{quote(repository)}/revision/{quote(revision, safe='')}"
    body = bytearray()
    with web.ask("GET", f"{address}?blobs=true") as reply:
        check_status(reply, repository, f"the list of files of {repository}")
        for chunk in reply.chunks():
            body += chunk
            if len(body) > _LARGEST_LIST:
                break
    try:
        data = json.loads(body)
        commit = str(data.get("sha") or "")
        return {
            str(item["rfilename"]): _listed(item, commit)
            for item in data["siblings"]
            if _REMOTE.fullmatch(str(item["rfilename"]))
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{urlsplit(endpoint).hostname} does not list the files of {repository} in a way that "
            "is understood.",
            todo="Fetch the files with a browser and import them, or try a newer napari-fada.",
        ) from error


def name_of(file: OfferedFile, listed: Mapping[str, Announced]) -> str:
    """Return which of a repository's files is meant by a pattern.

    Raises
    ------
    ModelError
        If none is, or several are.
    """
    image_parts = ("*mmproj*", "*vision*", "*clip*")
    names = sorted(listed)
    if file.role == "text":
        names = [n for n in names if not any(fnmatchcase(n.lower(), p) for p in image_parts)]
    for pattern in file.remote:
        found = [name for name in names if fnmatchcase(name.lower(), pattern.lower())]
        if len(found) > 1:  # the one that is not reduced, where several are of the image part
            found = [name for name in found if "f16" in name.lower()] or found
        if len(found) > 1 and (exact := [n for n in found if "bf16" not in n.lower()]):
            found = exact
        if len(found) == 1:
            return found[0]
        if found:
            break
    models = [n for n in sorted(listed) if n.lower().endswith((".gguf", ".safetensors"))][:12]
    raise ModelError(
        f"It is not clear which file of {file.repository} is the {file.role} model: "
        f"{', '.join(models) or 'it has no model files'}.",
        kept="Nothing was downloaded.",
        todo="Fetch the right ones with a browser, and import them (napari-fada models import).",
    )


def look_at(file: OfferedFile, web: Web, endpoint: str) -> tuple[OfferedFile, Announced] | None:
    """Ask for what is known about a file; None if it is optional and not there.

    Returns
    -------
    OfferedFile
        With its commit as revision, where the server names one.
    Announced
        What the server said.

    Raises
    ------
    ModelError, Broken, Cancelled
        If it cannot be had.
    """
    with web.ask("HEAD", address_of(file, endpoint)) as reply:
        if reply.status == 404 and file.optional:
            return None
        if reply.status in (405, 501):  # a plain server: the download itself will tell
            return file, Announced()
        if not 300 <= reply.status < 400:
            check_status(reply, file.repository, f"{file.remote[0]} of {file.repository}")
        said = announced(reply)
    return (replace(file, revision=said.commit) if said.commit else file), said


def announced(reply: Reply) -> Announced:
    """Read what an answer says of its file."""
    commit = reply.first("X-Repo-Commit").lower()
    commit = commit if re.fullmatch(r"[0-9a-f]{40}", commit) else ""
    linked = _plain(reply.first("X-Linked-ETag"))
    digest = linked or (_plain(reply.headers.get("ETag", "")) if commit else "")
    digest = digest if _HASH.fullmatch(digest) else ""
    size = reply.first("X-Linked-Size")
    if not size and reply.status == 206:
        size = reply.headers.get("Content-Range", "").rpartition("/")[2]
    if not size and reply.status == 200:
        size = reply.headers.get("Content-Length", "")
    etag = reply.headers.get("ETag", "")
    return Announced(
        commit=commit,
        sha256=digest if len(digest) == 64 else "",
        git_sha1=digest if len(digest) == 40 else "",
        size=int(size) if size.isdecimal() else 0,
        etag="" if etag.startswith("W/") else etag,
    )


def check_status(reply: Reply, repository: str, what: str) -> None:
    """Complain about an answer that is none.

    Raises
    ------
    ModelError
        If asking again would not help.
    Broken
        If it may.
    """
    status = reply.status
    if status in (200, 206):
        return
    if status in (401, 403):
        raise ModelError(
            f"The server does not give out {what} (HTTP {status}): the repository is private, "
            "gated or not there"
            + (", and the token in HF_TOKEN does not open it." if token() else "."),
            kept=KEPT,
            todo=f"Accept its terms at {HUB}/{repository}, and set HF_TOKEN to a token of your "
            "account. It is sent to the hub and kept nowhere.",
        )
    if status in (404, 410):
        raise ModelError(
            f"The server has no such thing as {what} (HTTP {status}).",
            kept=KEPT,
            todo="It may have been renamed or taken away: look at the repository with a browser, "
            "or try a newer napari-fada. Files that you have can be imported.",
        )
    if status in (408, 425, 429) or status >= 500:
        after = reply.headers.get("Retry-After", "")
        seconds = min(float(after), _LONGEST_WAIT) if after.isdecimal() else 0.0
        why = "is asked too often" if status == 429 else f"cannot answer (HTTP {status})"
        raise Broken(f"the server {why}", seconds)
    raise ModelError(
        f"The server does not give out {what} (HTTP {status}).",
        kept=KEPT,
        todo="Try again later; check the address of the hub (HF_ENDPOINT) and the proxy.",
    )


def _listed(item: Mapping[str, Any], commit: str) -> Announced:
    large = item.get("lfs") or {}
    sha256, blob = str(large.get("sha256") or ""), str(item.get("blobId") or "")
    size = item.get("size")
    return Announced(
        commit=commit if re.fullmatch(r"[0-9a-f]{40}", commit) else "",
        sha256=sha256 if re.fullmatch(r"[0-9a-f]{64}", sha256) else "",
        git_sha1=blob if re.fullmatch(r"[0-9a-f]{40}", blob) and not large else "",
        size=size if isinstance(size, int) and size > 0 else 0,
    )


def _plain(etag: str) -> str:
    return etag.removeprefix("W/").strip('"').lower()
