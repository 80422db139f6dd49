"""Asking a server over HTTP(S), so that a cancel is heeded at once and nothing is let through.

Each request runs in a thread of its own, which hands over what comes; the caller looks at the
cancel while it waits. Redirects are followed by hand: never from https to anything else, and the
token goes to no other host. Proxies and certificates are those of the environment (requests).
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from napari_fada import __version__
from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.convert.children import Cancelled

CHUNK = 1 << 16
_TIMEOUTS = (15.0, 30.0)  # to connect, and between two bytes
_HOPS = 8
_LOOK = 0.1
_REDIRECTS = (301, 302, 303, 307, 308)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
KEPT = "What has come is kept; the next download goes on from there."


class Broken(Exception):  # noqa: N818 - named for what happened
    """The connection failed in a way that may be gone in a while.

    Parameters
    ----------
    reason : str
        For the reader.
    after : float, optional
        Seconds after which the server wants to be asked again.
    """

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.after = reason, after


class Reply:
    """A server's answer.

    Attributes
    ----------
    status : int
        HTTP status of the last hop.
    headers : mapping
        Of the last hop; names in any case.
    hops : list of mapping
        Headers of every hop, the first one first.
    """

    def __init__(self, status: int, hops: list[Mapping[str, str]], reader: _Reader) -> None:
        self.status, self.hops, self._reader = status, hops, reader
        self.headers = hops[-1]

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes; empty when nothing has come for a moment.

        Raises
        ------
        Broken
            If the connection broke.
        Cancelled
            If the caller cancelled.
        """
        while True:
            part = self._reader.take()
            if part is None:
                return
            yield part if isinstance(part, bytes) else b""

    def first(self, name: str) -> str:
        """Return a header of the first hop that has it, or nothing."""
        return next((hop[name] for hop in self.hops if name in hop), "")


class Web:
    """Puts requests.

    Parameters
    ----------
    cancel : Cancel, optional
        Ends every wait.
    token : str
        For gated repositories; sent to the first host only, over https or to this computer.
    """

    def __init__(self, cancel: Cancel | None = None, token: str = "") -> None:
        self._cancel, self._token = cancel, token

    @contextlib.contextmanager
    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[Reply]:
        """Put a request and give the answer, once its headers are there.

        Raises
        ------
        Broken
            If no answer came.
        Cancelled
            If the caller cancelled.
        ModelError
            If the address, a redirect or a certificate is not to be trusted.
        """
        sent = {"Accept-Encoding": "identity", "User-Agent": f"napari-fada/{__version__}"}
        sent.update(headers or {})
        if self._token and (url.startswith("https:") or urlsplit(url).hostname in _LOOPBACK):
            sent["Authorization"] = f"Bearer {self._token}"
        reader = _Reader(method, url, sent, self._cancel)
        try:
            yield Reply(*reader.head(), reader)
        finally:
            reader.close()


def next_hop(url: str, location: str) -> str:
    """Return where a redirect leads.

    Raises
    ------
    ModelError
        If it leads from https to something else, or away from HTTP at all.
    """
    target = urljoin(url, location)
    old, new = urlsplit(url), urlsplit(target)
    allowed = ("https",) if old.scheme == "https" else ("http", "https")
    if new.scheme not in allowed or not new.hostname:
        raise ModelError(
            f"{old.hostname} redirects to {new.scheme}://{new.hostname or ''}, which is not "
            "encrypted; that is not followed.",
            kept=KEPT,
            todo="Somebody may be in between: check the network and the proxy.",
        )
    return target


_NOTHING_YET = "nothing yet"
_Item = tuple[int, list[Mapping[str, str]]] | bytes | Exception | None


class _Reader:
    """A thread with one request."""

    def __init__(
        self, method: str, url: str, headers: dict[str, str], cancel: Cancel | None
    ) -> None:
        self._request = method, url, headers
        self._cancel = cancel
        self._items: queue.Queue[_Item] = queue.Queue(maxsize=32)
        self._closed = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="fada-download").start()

    def head(self) -> tuple[int, list[Mapping[str, str]]]:
        """Wait for status and headers."""
        while not isinstance(item := self.take(), tuple):
            pass  # an error is raised
        return item

    def take(self) -> tuple[int, list[Mapping[str, str]]] | bytes | str | None:
        """Return the next item, or `_NOTHING_YET` after a moment; an error is raised."""
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("The download was cancelled.", kept=KEPT)
        try:
            item = self._items.get(timeout=_LOOK)
        except queue.Empty:
            return _NOTHING_YET
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        """Let the thread end; it may take until its time-out, and nobody waits for it."""
        self._closed.set()

    def _put(self, item: _Item) -> bool:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._items.put(item, timeout=_LOOK)
                return True
        return False

    def _run(self) -> None:
        import requests

        session = requests.Session()
        # Without it, a .netrc of the user would put other credentials in the place of ours.
        session.auth = _as_it_is
        try:
            response, hops = self._follow(session)
            with contextlib.closing(response):
                if not self._put((response.status_code, hops)):
                    return
                for part in response.raw.stream(CHUNK, decode_content=False):
                    if not self._put(part):
                        return
            self._put(None)
        except Exception as error:  # the caller's thread raises it
            self._put(explained(error, self._request[1]))
        finally:
            session.close()

    def _follow(self, session: Any) -> tuple[Any, list[Mapping[str, str]]]:
        method, url, headers = self._request
        hops: list[Mapping[str, str]] = []
        for _ in range(_HOPS):
            response = session.request(
                method, url, headers=headers, stream=True, allow_redirects=False,
                timeout=_TIMEOUTS,
            )  # fmt: skip
            hops.append(response.headers)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location:
                return response, hops
            target = next_hop(url, location)
            if _origin(target) != _origin(url):
                if method == "HEAD":  # the hub has said all it knows; the rest is a store's
                    return response, hops
                headers = {name: v for name, v in headers.items() if name != "Authorization"}
            response.close()
            url = target
        raise ModelError(
            f"{urlsplit(self._request[1]).hostname} redirects without end.",
            kept=KEPT,
            todo="Check the address of the hub (HF_ENDPOINT) and the proxy.",
        )


def explained(error: Exception, url: str) -> Exception:
    """Turn what requests and urllib3 raise into `Broken`, or an error for the user."""
    import requests
    from urllib3.exceptions import HTTPError

    host = urlsplit(url).hostname
    if isinstance(error, ModelError | Broken):
        return error
    if isinstance(error, requests.exceptions.ProxyError):
        return Broken(f"the proxy does not answer, or does not let {host} through")
    if isinstance(error, requests.exceptions.SSLError):
        return ModelError(
            f"The certificate of {host} is not one to be trusted.",
            kept=KEPT,
            todo="Where a proxy opens encrypted connections, name its certificate in "
            "REQUESTS_CA_BUNDLE. Otherwise somebody may be in between.",
        )
    if isinstance(error, requests.exceptions.Timeout):
        return Broken(f"{host} does not answer")
    if isinstance(error, requests.exceptions.ConnectionError | HTTPError | OSError) and not (
        isinstance(error, ValueError)
    ):
        return Broken(f"the connection to {host} failed")
    if isinstance(error, requests.exceptions.RequestException | HTTPError):
        return ModelError(f"{url} cannot be asked: {error}.", kept=KEPT)
    return error


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _as_it_is(request: Any) -> Any:
    return request
