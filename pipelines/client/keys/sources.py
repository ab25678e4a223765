"""Which source a key comes from, by the name of its setting, and the key that is found there."""

from collections.abc import Callable
from typing import Final

from pydantic import SecretStr

from pipelines.client.errors import SettingsError
from pipelines.client.keys import aws, block, key_file, ring, vault
from pipelines.client.keys.found import Found, Held, shortened
from pipelines.client.keys.text import is_same_id, parse

TEXT: Final = "private_key"
READERS: Final[dict[str, Callable[[str, str], Found]]] = {
    "private_key_path": key_file.read,
    "keyring": ring.read,
    "prefect_secret": block.read,
    "aws_secret": aws.read,
    "vault_secret": vault.read,
}
NAMES: Final = (TEXT, *READERS)


def variable(name: str, *, is_next: bool = False) -> str:
    """Return the environment variable of a setting of the current or of the next key."""
    return f"KALSHI_{'NEXT_' if is_next else ''}{name.upper()}"


def read(name: str, reference: str | SecretStr, *, key_id: str | None, is_next: bool) -> Held:
    """Read one source now, which may ask a network.

    Args:
        name: one of `NAMES`.
        reference: the key's text for `private_key`, else what the source calls it: a path, a name.
        key_id: the id that the settings give; None if it stands beside the key.
        is_next: for messages: it is the key that takes over at the next rotation.

    Raises:
        SettingsError: the source cannot be read, holds no key, or no id is known, or two that differ.
    """
    if isinstance(reference, SecretStr):
        where, found = variable(name, is_next=is_next), Found(text=reference)
    else:
        where = f"{variable(name, is_next=is_next)} {reference}"
        found = READERS[name](reference, where)
    parsed = parse(found.text)
    if parsed.refusal:
        raise SettingsError(f"{where}: {parsed.refusal}")
    id_variable = variable("key_id", is_next=is_next)
    if key_id and parsed.key_id and not is_same_id(key_id, parsed.key_id):
        raise SettingsError(
            f"{id_variable} is {shortened(key_id)} and the id beside the key is {shortened(parsed.key_id)} "
            f"({where}): unset {id_variable}, or give the key that belongs to it"
        )
    signs_as = key_id or parsed.key_id
    if not signs_as:
        raise SettingsError(
            f"{where}: a private key is set without {id_variable}, and no id stands beside the key: "
            "copy the id that Kalshi showed beside it"
        )
    return Held(
        key_id=signs_as, pem=parsed.pem, source=where, stored_ts=found.stored_ts, dated_by=found.dated_by
    )
