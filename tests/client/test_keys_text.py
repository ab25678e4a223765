"""The text of a key: whatever shape people keep it in, the PEM and the id come out, or one clear refusal."""

import json

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipelines.client.keys.text import Parsed, parse
from tests.client.keys import KEY_ID, NEXT_ID, pem, public_pem

ED = pem("ed25519")
KINDS = [("rsa", True), ("rsa", False), ("ed25519", False)]


def parsed(text: str) -> Parsed:
    return parse(SecretStr(text))


def assert_is(found: Parsed, key: str, key_id: str | None) -> None:
    """The same key, by its public half, and the id."""
    assert found.refusal == ""
    assert public_pem(found.pem.get_secret_value()) == public_pem(key)
    assert found.key_id == key_id


@pytest.mark.parametrize(("kind", "is_pkcs1"), KINDS)
@pytest.mark.parametrize(
    "around",
    [
        "API Key ID: {id}\n\n{pem}",
        "API Key ID:\n{id}\n\nPrivate Key:\n{pem}",
        "{id}\n{pem}",
        "{pem}\n{id}",
        "{pem}\nKey ID = {id}\n",
        "Name: tape\nKalshi API key id: {id}\nCreated: 2026-08-01\n{pem}",
        "KALSHI_KEY_ID={id}\nKALSHI_PRIVATE_KEY=\n{pem}",
        'key_id: "{id}"\n{pem}',
        "\ufeffAPI Key ID: {id}\n{pem}",
        "  {id}  \n  {pem}  ",
    ],
)
def test_kalshis_text_file_gives_id_and_key_wherever_the_id_stands(
    kind: str, around: str, *, is_pkcs1: bool
) -> None:
    key = pem(kind, is_pkcs1=is_pkcs1)
    text = around.format(id=KEY_ID, pem=key)
    assert_is(parsed(text), key, KEY_ID)
    assert_is(parsed(text.replace("\n", "\r\n")), key, KEY_ID)
    assert_is(parsed(text.replace("\n", "\\n")), key, KEY_ID)


@pytest.mark.parametrize(("kind", "is_pkcs1"), KINDS)
def test_a_pem_alone_has_no_id(kind: str, *, is_pkcs1: bool) -> None:
    key = pem(kind, is_pkcs1=is_pkcs1)
    assert_is(parsed(key), key, None)


@pytest.mark.parametrize(("kind", "is_pkcs1"), KINDS)
@pytest.mark.parametrize("between", ["", " ", "\n\n", "\t\n "])
def test_line_breaks_that_were_lost_or_doubled_on_the_way_are_put_right(
    kind: str, between: str, *, is_pkcs1: bool
) -> None:
    """A web form or a YAML file turns a PEM into one line; the loader needs its lines."""
    key = pem(kind, is_pkcs1=is_pkcs1)
    head, *lines, foot = key.strip().split("\n")
    assert_is(parsed(between.join([head, *lines, foot])), key, None)


def test_an_encrypted_pem_of_the_old_kind_keeps_the_lines_of_its_headers() -> None:
    """Its headers end with an empty line; were they joined, the loader could not say what it is."""
    key = pem("rsa", is_pkcs1=True, password=b"swordfish")
    assert "Proc-Type" in key
    found = parsed(key)
    with pytest.raises(TypeError, match="encrypted"):
        load_pem_private_key(found.pem.get_secret_value().encode(), None)


@pytest.mark.parametrize(
    "fields",
    [
        {"key_id": KEY_ID, "private_key": ED},
        {"api_key_id": KEY_ID, "private_key": ED},
        {"key_id": KEY_ID, "private_key": ED.replace("\n", "\\n")},
        {"private_key": f"API Key ID: {KEY_ID}\n{ED}"},
        {"key_id": KEY_ID.upper(), "private_key": f"{KEY_ID}\n{ED}"},
        {"anything": f"{KEY_ID}\n{ED}"},
    ],
)
def test_json_gives_id_and_key(fields: dict[str, str]) -> None:
    found = parsed(json.dumps(fields))
    assert_is(found, ED, found.key_id)
    assert (found.key_id or "").lower() == KEY_ID


def test_json_written_by_hand_with_real_line_breaks_is_read() -> None:
    assert_is(parsed('{"key_id": "%s", "private_key": "%s"}' % (KEY_ID, ED)), ED, KEY_ID)  # noqa: UP031


def test_a_labelled_id_beats_other_uuids_and_need_not_be_one() -> None:
    assert_is(parsed(f"Account: {NEXT_ID}\nAPI Key ID: {KEY_ID}\n{ED}"), ED, KEY_ID)
    assert_is(parsed(f"key id: research_7\n{ED}"), ED, "research_7")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{ED}\n{pem('rsa')}", "more than one private key"),
        (f"{KEY_ID}\n{NEXT_ID}\n{ED}", "more than one key id"),
        (json.dumps({"key_id": NEXT_ID, "private_key": f"{KEY_ID}\n{ED}"}), "is not the id"),
        (json.dumps({"key_id": KEY_ID, "key": ED}), "no text under `private_key`"),
        (json.dumps({"private_key": 7}), "no text under `private_key`"),
        (json.dumps({"private_key": ED, "key_id": 7}), "no text under `private_key`"),
        ("{}", "no text under `private_key`"),
        ("x" * 64_001, "64001 characters are no key"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_being_quoted(text: str, words: str) -> None:
    found = parsed(text)
    assert words in found.refusal
    assert ED.split("\n")[1] not in found.refusal


def test_the_same_key_twice_is_one_key() -> None:
    assert_is(parsed(f"{ED}\n{KEY_ID}\n{ED}"), ED, KEY_ID)


@given(st.text(max_size=300))
def test_any_text_is_taken_apart_without_an_exception(text: str) -> None:
    for attempt in (text, "{" + text, ED + text, json.dumps({"private_key": text})):
        assert isinstance(parsed(attempt), Parsed)


def test_deeply_nested_json_is_no_json() -> None:
    deep = '{"a":' * 10_000
    assert parsed(deep).pem.get_secret_value() == deep + "\n"
