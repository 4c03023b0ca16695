"""PEMFiles: chain and key of one certificate in a folder, as the configuration names them."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from ftpd.testing.certificates import Identity
from ftpd.tls.settings import CertificateSettings


class PEMFiles:
    """`settings` name the files, which `hold` writes."""

    def __init__(self, folder: Path, name: str = "server") -> None:
        self.chain, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        self.settings = CertificateSettings(chain=str(self.chain), key=str(self.key))

    def hold(self, identity: Identity, *issuers: Identity) -> Self:
        self.chain.write_bytes(identity.certificate + b"".join(issuer.certificate for issuer in issuers))
        self.key.touch(0o600)
        self.key.write_bytes(identity.key)
        return self
