"""A secured Elasticsearch: a certificate on its door, users in files, and the roles we ship."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from second_elasticsearch import SecondElasticsearch, running_elasticsearch

from pipelines.settings import ElasticsearchSettings, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = Path(__file__).parents[2] / "deploy" / "elasticsearch" / "roles.yml"
# A user for each role, by the role's own name.
USERS = ("fraudlake_admin", "fraudlake_sink", "fraudlake_investigator", "fraudlake_reader")
SECURITY = {
    "xpack.security.enabled": "true",
    "xpack.security.autoconfiguration.enabled": "false",
    "xpack.security.http.ssl.enabled": "true",
    "xpack.security.http.ssl.certificate": "http.crt",
    "xpack.security.http.ssl.key": "http.key",
}
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredElasticsearch:
    """The running server, and what one needs to be let in."""

    server: SecondElasticsearch
    authority: Path
    """The certificate of the authority that signed the server's."""
    other_authority: Path
    """One that has signed nothing here."""
    passwords: dict[str, Secret]

    def settings_of(self, user: str) -> ElasticsearchSettings:
        """As ``user`` would set them."""
        return ElasticsearchSettings(
            url=self.server.url,
            external=True,
            username=user,
            password=self.passwords[user],
            ca_certificate=str(self.authority),
        )


@contextmanager
def running_secured_elasticsearch() -> Iterator[SecuredElasticsearch]:
    """A server that lets in the users of ``USERS`` over TLS; it ends with the block."""
    passwords = {user: Secret(f"{user}-{secrets.token_hex(8)}") for user in USERS}

    def prepare(server: SecondElasticsearch) -> None:
        shutil.copy(ROLES, server.conf / "roles.yml")
        for name in ("authority", "other"):
            make_authority(server.conf, name)
        sign_certificate(server.conf, authority="authority", name="http")
        for user, password in passwords.items():
            # The password is typed, twice, so that no list of processes ever shows it.
            typed = f"{password.reveal()}\n" * 2
            server.run_tool("elasticsearch-users", "useradd", user, "-r", user, typed=typed)

    with running_elasticsearch(SECURITY, prepare=prepare, scheme="https") as server:
        yield SecuredElasticsearch(
            server=server,
            authority=server.conf / "authority.crt",
            other_authority=server.conf / "other.crt",
            passwords=passwords,
        )


def make_authority(folder: Path, name: str) -> None:
    files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl(folder, "req", "-x509", *EC_KEY, "-subj", f"/CN=Fraudlake {name}", *files)


def sign_certificate(folder: Path, *, authority: str, name: str) -> None:
    signer = ("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key")
    extensions = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE")
    files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl(
        folder, "req", "-x509", *EC_KEY, "-subj", "/CN=Fraudlake test", *signer, *extensions, *files
    )


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)
