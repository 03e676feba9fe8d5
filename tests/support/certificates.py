# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests, from an authority that is made for them."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """A certificate authority, whose certificate is in ``path``."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make one, in this folder."""
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = common_name(name)
        unsigned = self._builder(self.subject, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = unsigned.sign(self.key, hashes.SHA256())
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        addresses: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
        *,
        subject: x509.Name | None = None,
    ) -> Path:
        """A certificate for this subject, by default this common name. Its private key is beside it, see key_of()."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(subject or common_name(name), key).add_extension(
            x509.ExtendedKeyUsage(usages), critical=False
        )
        if addresses or hosts:
            names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
            names += [x509.DNSName(each) for each in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        path = self.folder / f"{name}.pem"
        path.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        key_of(path).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
        )


def common_name(name: str) -> x509.Name:
    """CN=NAME."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def key_of(certificate: Path) -> Path:
    """Where the private key of a certificate is."""
    return certificate.with_suffix(".key")
