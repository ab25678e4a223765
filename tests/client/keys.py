"""Private keys for tests, made at run time and never written into the repository."""

from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

KEY_ID = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c"
NEXT_ID = "0b7a1f6e-52a4-4d0f-9d0e-7c1f5a3b2e10"
KINDS = ("rsa", "ed25519", "ec")


@cache
def pem(kind: str, *, is_pkcs1: bool = False, password: bytes | None = None) -> str:
    """Return the PEM text of the one `kind` key of this test run."""
    encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    layout = PrivateFormat.TraditionalOpenSSL if is_pkcs1 else PrivateFormat.PKCS8
    text: bytes = _key(kind).private_bytes(Encoding.PEM, layout, encryption)
    return text.decode()


@cache
def public_pem(private_pem: str) -> str:
    """Return the public half of a key."""
    public = load_pem_private_key(private_pem.encode(), None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_file(folder: Path, text: str, *, mode: int = 0o600) -> Path:
    """Write `text` as a key file."""
    path = folder / "kalshi.pem"
    path.write_text(text)
    path.chmod(mode)
    return path


@cache
def _key(kind: str) -> Any:  # noqa: ANN401  the three types share no useful parent
    if kind == "rsa":
        return generate_rsa(65_537, 2_048)
    return Ed25519PrivateKey.generate() if kind == "ed25519" else generate_ec(SECP256R1())
