"""The text of a key as people keep it: a PEM alone, a PEM beside its id, or JSON.

Kalshi's web interface lets one save a text file when it shows key and id; the layout of that file is
documented nowhere, so any line may hold the id, with a label or without, above or below the PEM.
Source: docs.kalshi.com, page "API keys" (read 2026-10-01): "downloaded as txt file with the name provided".

JSON is what secret stores keep: `key_id` and `private_key`, or what `POST /api_keys/generate` answers,
`api_key_id` and `private_key` (OpenAPI 3.34.0), or one field of any name that holds one of the other forms.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr

from pipelines.client.keys.found import MAX_KEY_BYTES

_PEM: Final = re.compile(r"-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_UUID: Final = re.compile(r"(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])", re.IGNORECASE)
_LABELLED: Final = re.compile(
    r"^\W*(?:[a-z]+[ _-]+){0,3}key[ _-]?id\W*[:=]\s*[\"']?([\w-]{4,64})[\"']?[,;]?\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_PEM_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class Parsed:
    """A key's text taken apart; `refusal` says what is wrong with it, without quoting it."""

    pem: SecretStr = field(default_factory=lambda: SecretStr(""))
    key_id: str | None = None
    refusal: str = ""


def parse(text: SecretStr) -> Parsed:
    """Return the PEM in `text`, with its line breaks, and the key id where one stands beside it.

    A text without any PEM comes back whole: whoever loads it says what it is not.
    """
    plain = text.get_secret_value()
    if len(plain) > MAX_KEY_BYTES:
        return Parsed(refusal=f"{len(plain)} characters are no key; give the key alone")
    plain = plain.lstrip("\ufeff").strip()
    fields = _fields(plain)
    if fields is None:
        return _parse_plain(_with_line_breaks(plain))
    if "private_key" not in fields and len(fields) == 1:
        (only,) = fields.values()
        return _parse_plain(_with_line_breaks(only)) if isinstance(only, str) else _NO_KEY_FIELD
    key, key_id = fields.get("private_key"), fields.get("key_id", fields.get("api_key_id"))
    if not isinstance(key, str) or not isinstance(key_id, str | None):
        return _NO_KEY_FIELD
    parsed = _parse_plain(_with_line_breaks(key))
    if key_id and parsed.key_id and not is_same_id(key_id, parsed.key_id):
        return Parsed(refusal="its key_id is not the id that stands beside the key; keep one of them")
    return Parsed(parsed.pem, (key_id or "").strip() or parsed.key_id, parsed.refusal)


def is_same_id(one: str, other: str) -> bool:
    """Whether two spellings mean one key: ids are UUIDs, whose case does not matter."""
    return one.strip().lower() == other.strip().lower()


_NO_KEY_FIELD: Final = Parsed(
    refusal="its JSON has no text under `private_key`; write key_id and private_key, or the PEM alone"
)


def _fields(plain: str) -> dict[str, Any] | None:
    """Return the fields of a JSON object, None where the text is none."""
    if not plain.startswith("{"):
        return None
    try:
        found = json.loads(plain, strict=False)  # a hand-made object may hold real line breaks
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _with_line_breaks(plain: str) -> str:
    """Undo what env files and other systems do to line breaks: backslash-n in two characters, or CR LF."""
    return plain.replace("\\r", "").replace("\\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


def _parse_plain(plain: str) -> Parsed:
    keys = {_pem(match[1], match[2]) for match in _PEM.finditer(plain)}
    if len(keys) > 1:
        return Parsed(refusal="it holds more than one private key; keep one key in one place")
    if not keys:
        return Parsed(pem=SecretStr(plain + "\n"))
    around = _PEM.sub("\n", plain)
    labelled = {one.lower() for one in _LABELLED.findall(around)}
    ids = labelled or {one.lower() for one in _UUID.findall(around)}
    if len(ids) > 1:
        return Parsed(refusal="more than one key id stands beside the key; leave one of them there")
    return Parsed(SecretStr(keys.pop()), _spelled(around, ids.pop()) if ids else None)


def _spelled(around: str, key_id: str) -> str:
    """Return the id as it is spelled in the text."""
    at = around.lower().index(key_id)
    return around[at : at + len(key_id)]


def _pem(label: str, body: str) -> str:
    """Return one PEM with the line breaks that belong there, whatever became of them on the way."""
    if ":" in body:  # headers of an encrypted PEM of the old kind, whose lines must stay as they are
        lines = [line.strip() for line in body.strip().splitlines()]
    else:
        packed = "".join(body.split())
        lines = [packed[at : at + _PEM_LINE] for at in range(0, len(packed), _PEM_LINE)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
