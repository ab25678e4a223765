"""A private key in a Secret block of Prefect, for the client, which has never heard of Prefect."""

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from pipelines.client import SettingsError
from pipelines.client.keys.found import Found


def read_secret(name: str, where: str) -> Found:
    """Return what the Secret block `name` holds, and the date it was last saved.

    Works inside and outside of a running event loop, which it holds up for one request.

    Raises:
        SettingsError: there is no such block, or Prefect's server does not answer.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectException

    try:
        with get_client(sync_client=True) as client:
            return _found(client.read_block_document_by_name(name, "secret", include_secrets=True))
    except ObjectNotFound:
        refusal = "Prefect has no Secret block of this name; make it: Secret(value=…).save(NAME)"
    except (PrefectException, httpx.HTTPError, ValueError) as error:
        refusal = f"Prefect's server cannot be asked ({type(error).__name__}); check PREFECT_API_URL"
    except (LookupError, TypeError, AttributeError):
        refusal = "the Secret block holds no value; save it again"
    # Raised out here: the frames above may hold the block, and with it the key.
    raise SettingsError(f"{where}: {refusal}")


def _found(document: Any) -> Found:  # noqa: ANN401  a block document; its values may be of any type
    return Found(
        text=SecretStr(_as_text(document.data["value"])),
        stored_ts=_utc(document.updated),
        dated_by="date of the Prefect block",
    )


def _as_text(value: Any) -> str:  # noqa: ANN401  what somebody saved
    return value if isinstance(value, str) else json.dumps(value)


def _utc(updated: datetime | None) -> datetime | None:
    return None if updated is None else updated.astimezone(UTC)
