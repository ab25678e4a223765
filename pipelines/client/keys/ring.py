"""The key in the keyring of the operating system: Keychain, Credential Locker, or a Secret Service."""

from typing import Final

from pydantic import SecretStr

from pipelines.client.errors import SettingsError
from pipelines.client.keys.found import Found

DEFAULT_USER: Final = "kalshi"


def read(reference: str, where: str) -> Found:
    """Return what the keyring holds for `service` or `service/user`; the user is `kalshi` by default.

    Keyrings keep no dates.

    Raises:
        SettingsError: `keyring` is not installed, there is no keyring, it is locked, or it has no such entry.
    """
    service, _, user = reference.partition("/")
    user = user or DEFAULT_USER
    try:
        import keyring
        from keyring.errors import KeyringError, NoKeyringError
    except ImportError:
        raise SettingsError(f"{where}: needs keyring; run: pip install 'tapehouse[keyring]'") from None
    store = f"run: keyring set {service} {user} < FILE"
    try:
        held = keyring.get_password(service, user)
        if held is not None:
            return Found(text=SecretStr(held))
        refusal = f"the keyring has no entry of {user} under {service}; {store}"
    except NoKeyringError:
        refusal = "this machine has no keyring; keep the key in a file instead (KALSHI_PRIVATE_KEY_PATH)"
    except KeyringError as error:
        # What a backend says may quote what it holds, hence only the kind of trouble.
        refusal = f"the keyring cannot be read ({type(error).__name__}); unlock it, or {store}"
    raise SettingsError(f"{where}: {refusal}")
