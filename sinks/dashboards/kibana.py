"""Kibana's HTTP API, as far as publishing needs it; by the standard library.

A Kibana that is busy or not there yet is asked again a few times. What it refuses leaves as one
sentence that says what to do.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from random import Random
from typing import TYPE_CHECKING, Literal

from pipelines.errors import SettingsError, SinkError, TransientError
from sinks.alerts.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import KibanaSettings
    from sinks.dashboards.fields import Json

API_VERSION = "2023-10-31"
"""Of Kibana's public APIs: the date under which a shape is promised to stay."""
REQUEST_SECONDS = 30.0
TRIES = 5
_BUSY = frozenset({429, 502, 503, 504})
_LONGEST_WAIT_S = 30.0
Method = Literal["GET", "POST", "PUT"]


class KibanaConflict(TransientError):
    """What was to be written is not as it was, or may have been written already: look again."""


class Kibana:
    """One Kibana, in one space."""

    def __init__(
        self,
        settings: KibanaSettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        rng: Random | None = None,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._rng = Random() if rng is None else rng
        self._base = _base_url(settings)
        self._headers = {
            "kbn-xsrf": "true",
            "Elastic-Api-Version": API_VERSION,
            "Content-Type": "application/json",
            **_authorization(settings),
        }
        self._opener = urllib.request.build_opener(
            _NoRedirects, urllib.request.HTTPSHandler(context=_trust(settings))
        )

    def read(self, path: str) -> Json | None:
        """What stands at ``path``; None if nothing does."""
        return self._request("GET", path, None)

    def write(self, method: Method, path: str, body: Json) -> None:
        """Put ``body`` there.

        A PUT is repeated until it is answered: the same again is harmless. A POST makes something,
        so after an answer that got lost, as after somebody was faster, KibanaConflict asks the
        caller to look first.
        """
        if self._request(method, path, body) is None:
            msg = (
                f"{self._where()} knows no {method} {path}. Dashboards need Kibana 9.5 or newer; "
                "else check FRAUDLAKE_KIBANA_URL and FRAUDLAKE_KIBANA_SPACE"
            )
            raise SinkError(msg)

    def _request(self, method: Method, path: str, body: Json | None) -> Json | None:
        backoff = Backoff(self._rng)
        while True:
            try:
                return self._ask(method, path, body)
            except urllib.error.HTTPError as error:
                if error.code == http.client.NOT_FOUND:
                    if _message(error) is None:
                        raise self._strange() from error
                    return None
                explained = self._explain(error, method, path)
                if error.code not in _BUSY or backoff.attempts >= TRIES - 1:
                    raise explained from error
                wait = max(backoff.next_seconds(), _asked_to_wait(error))
                is_unsure = error.code != http.client.TOO_MANY_REQUESTS
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                if isinstance(reason, ssl.SSLCertVerificationError):
                    raise self._distrust(reason) from error
                explained = self._missing(reason)
                if backoff.attempts >= TRIES - 1:
                    raise explained from error
                wait = backoff.next_seconds()
                is_unsure = True
            self._sleep(wait)
            if method == "POST" and is_unsure:
                raise KibanaConflict(str(explained))

    def _ask(self, method: Method, path: str, body: Json | None) -> Json:
        request = urllib.request.Request(
            self._base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=self._headers,
        )
        with self._opener.open(request, timeout=REQUEST_SECONDS) as answer:
            content = answer.read()
        try:
            parsed = json.loads(content) if content else {}
        except ValueError as error:
            raise self._strange() from error
        if not isinstance(parsed, dict):
            raise self._strange()
        return parsed

    def _explain(
        self, error: urllib.error.HTTPError, method: Method, path: str
    ) -> SinkError | TransientError:
        reason = f"{error.code} {_message(error) or error.reason}"
        if error.code == http.client.UNAUTHORIZED:
            return SinkError(
                f"{self._where()} does not know us ({reason}). Check FRAUDLAKE_KIBANA_API_KEY, or "
                "FRAUDLAKE_KIBANA_USERNAME and FRAUDLAKE_KIBANA_PASSWORD"
            )
        if error.code == http.client.FORBIDDEN:
            return SinkError(
                f"{self._where()} forbids {method} {path} ({reason}). The user needs all rights on "
                "Dashboards, Data View Management and Stack Rules in this space"
            )
        if error.code == http.client.CONFLICT:
            return KibanaConflict(f"{self._where()}: {path} was changed meanwhile ({reason})")
        if error.code in _BUSY:
            return TransientError(f"{self._where()} is busy ({reason}); try again")
        return SinkError(f"{self._where()} refuses {method} {path} ({reason})")

    def _missing(self, reason: object) -> TransientError:
        return TransientError(
            f"{self._where()} does not answer: {reason}. Start it (`docker compose up -d kibana`), "
            "or set FRAUDLAKE_KIBANA_URL"
        )

    def _distrust(self, reason: ssl.SSLCertVerificationError) -> SinkError:
        return SinkError(
            f"{self._where()} offers a certificate that is not trusted: {reason.verify_message}. "
            "Name its authority in FRAUDLAKE_KIBANA_CA_CERTIFICATE"
        )

    def _strange(self) -> SinkError:
        return SinkError(
            f"what answers at {self._settings.url} is not Kibana's API: its answer is no JSON "
            "object. Check FRAUDLAKE_KIBANA_URL"
        )

    def _where(self) -> str:
        space = self._settings.space
        return f"Kibana at {self._settings.url}" + (f", space {space}" if space else "")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An API has no other place to be; whoever sends us elsewhere must not get our key."""

    def redirect_request(self, *_: object) -> None:
        """Not followed: the answer itself becomes the error."""


def _base_url(settings: KibanaSettings) -> str:
    if settings.url == "":
        msg = "no Kibana is named: set FRAUDLAKE_KIBANA_URL, such as http://127.0.0.1:5601"
        raise SettingsError(msg)
    parts = urllib.parse.urlsplit(settings.url)
    is_plain = parts.scheme in {"http", "https"} and parts.hostname and parts.username is None
    if not is_plain or not _has_port_or_none(parts):
        # The address is not repeated: somebody may have written a password into it.
        msg = (
            "FRAUDLAKE_KIBANA_URL must be http(s)://host[:port][/path]; user and password have "
            "settings of their own, FRAUDLAKE_KIBANA_USERNAME and FRAUDLAKE_KIBANA_PASSWORD"
        )
        raise SettingsError(msg)
    space = f"/s/{urllib.parse.quote(settings.space, safe='')}" if settings.space else ""
    return settings.url.rstrip("/") + space


def _has_port_or_none(parts: urllib.parse.SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _authorization(settings: KibanaSettings) -> dict[str, str]:
    if settings.api_key.reveal() and settings.username:
        msg = (
            "FRAUDLAKE_KIBANA_API_KEY and FRAUDLAKE_KIBANA_USERNAME are both set: keep one of them"
        )
        raise SettingsError(msg)
    if settings.api_key.reveal():
        return {"Authorization": f"ApiKey {settings.api_key.reveal()}"}
    if settings.username:
        pair = f"{settings.username}:{settings.password.reveal()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _trust(settings: KibanaSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_certificate or None)
    except (OSError, ssl.SSLError) as error:
        msg = (
            f"FRAUDLAKE_KIBANA_CA_CERTIFICATE={settings.ca_certificate}: {error}. It must be a "
            "file of certificates in PEM form"
        )
        raise SettingsError(msg) from error


def _asked_to_wait(error: urllib.error.HTTPError) -> float:
    """Seconds that the answer asks for, within reason; 0 where it does not say."""
    asked = error.headers.get("Retry-After", "")
    return min(float(asked), _LONGEST_WAIT_S) if asked.isdigit() else 0.0


def _message(error: urllib.error.HTTPError) -> str | None:
    """Kibana's own sentence; None from somebody who is not Kibana."""
    try:
        return str(json.loads(error.read())["message"])
    except (ValueError, KeyError, TypeError):
        return None
