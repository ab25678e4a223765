"""The key in AWS Secrets Manager; region and credentials are found the way boto3 finds them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any, Final

from pydantic import SecretStr

from pipelines.client.errors import SettingsError
from pipelines.client.keys.found import Found

_CONNECT_S: Final = 5
_READ_S: Final = 10
_MAX_TRIES: Final = 3
_ARN_REGION: Final = 3  # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME

# boto's parsers write whole answers, secret included, to their log at DEBUG.
_TALKATIVE: Final = ("botocore", "botocore.parsers", "botocore.endpoint", "botocore.hooks", "botocore.auth")

_ADVICE: Final = {
    "ResourceNotFoundException": "no such secret; correct the name, the account or the region",
    "AccessDeniedException": "denied; allow secretsmanager:GetSecretValue on it (and kms:Decrypt on its key)",
    "DecryptionFailure": "it cannot be decrypted; allow kms:Decrypt on its key",
    "InvalidRequestException": "it is marked for deletion or has no current version; restore it",
}


def read(reference: str, where: str) -> Found:
    """Return the current version of the secret `reference`, a name or an ARN, and the date of that version.

    Raises:
        SettingsError: boto3 is not installed, no region or credentials, no such secret, denied, or no answer.
    """
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
    except ImportError:
        raise SettingsError(f"{where}: needs boto3; run: pip install 'tapehouse[aws]'") from None
    limits = Config(
        connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"total_max_attempts": _MAX_TRIES}
    )
    region = reference.split(":")[_ARN_REGION] if reference.startswith("arn:") else None
    try:
        with _quiet():
            return _current(boto3.client("secretsmanager", region_name=region, config=limits), reference)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        refusal = _ADVICE.get(code, f"AWS refused ({code or 'no reason given'})")
    except BotoCoreError as error:
        # boto's own words name a region, an endpoint or what is not configured, never a value.
        refusal = f"AWS cannot be asked ({type(error).__name__}: {error}); check AWS's own settings"
    except (ValueError, LookupError) as error:
        refusal = f"AWS cannot be asked ({type(error).__name__}); check the name and AWS's own settings"
    raise SettingsError(f"{where}: {refusal}")


def _current(client: Any, reference: str) -> Found:  # noqa: ANN401  boto makes its classes at run time
    try:
        return _found(client.get_secret_value(SecretId=reference))
    finally:
        client.close()


def _found(answer: dict[str, Any]) -> Found:
    is_text = "SecretString" in answer
    return Found(
        text=SecretStr(
            answer["SecretString"] if is_text else answer["SecretBinary"].decode("utf-8", "replace")
        ),
        stored_ts=answer["CreatedDate"].astimezone(UTC),
        dated_by="AWS's date of this version",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Let boto log nothing below a warning while the block runs."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(max(logging.WARNING, logger.level))
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
