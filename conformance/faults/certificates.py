"""Certificates of an authority of our own, good ones and bad ones.

The authority has to be trusted before anything speaks TLS: the command puts it where OpenSSL looks
(`SSL_CERT_FILE`) and only then imports what connects.
"""

from __future__ import annotations

import atexit
import datetime as dt
import ipaddress
import os
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TRUST = "SSL_CERT_FILE"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Signs certificates for servers on loopback."""

    _one: ClassVar[Authority | None] = None

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vv-ca-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(_name("fault table"))
            .issuer_name(_name("fault table"))
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=2))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = made
        self.path = self.folder / "ca.pem"
        self.path.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    @classmethod
    def shared(cls) -> Authority:
        """Return this process's."""
        if cls._one is None:
            cls._one = cls()
        return cls._one

    @classmethod
    def trust(cls) -> None:
        """Have what connects from now on trust it; call it before importing that."""
        os.environ[TRUST] = str(cls.shared().path)

    @classmethod
    def trusted(cls) -> bool:
        """Whether what connects in this process trusts it."""
        return cls._one is not None and os.environ.get(TRUST) == str(cls._one.path)

    def server(self, *, expired: bool = False, name: str = "127.0.0.1") -> ssl.SSLContext:
        """Return what a server presents.

        Args:
            expired: It was good until yesterday.
            name: Whom it is for.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        end = now - dt.timedelta(hours=1) if expired else now + dt.timedelta(days=1)
        try:
            whom: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            whom = x509.DNSName(name)
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([whom]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self.folder / f"{made.serial_number:x}.pem"
        path.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
