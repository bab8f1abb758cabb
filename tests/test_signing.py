from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.exceptions import InvalidSignature
from django_altoviz.intake import signing
from django_altoviz.samples import sample_body

HERE = Path(__file__).parent / "samples"
SIGNATURES = json.loads((HERE / "signatures.json").read_text())
SECRET = SIGNATURES["secretKey"]
ENCODINGS = {
    "hexLower": "hex",
    "hexUpper": "hex",
    "hexDashedUpper": "dashed hex",
    "base64": "base64",
}


def body_of_vector(name):
    return (HERE / name).read_bytes() if "/" in name else sample_body(name.removesuffix(".json"))


@pytest.mark.parametrize("name", SIGNATURES["vectors"])
def test_accepts_every_vector_in_every_encoding(name):
    body = body_of_vector(name)
    vector = SIGNATURES["vectors"][name]
    assert len(body) == vector["bytes"]
    for form, encoding in ENCODINGS.items():
        assert signing.verify(body, vector[form], [SECRET]) == encoding
    assert signing.sign(body, SECRET) == vector["hexLower"]


DIGEST = signing.digest(b"body", SECRET)


@pytest.mark.parametrize(
    "header",
    [
        DIGEST.hex(),
        f"  {DIGEST.hex()}\t",
        f'"{DIGEST.hex()}"',
        f"'{DIGEST.hex()}'",
        f" '{DIGEST.hex()}' ",
        f'" {DIGEST.hex()} "',
        f"sha256={DIGEST.hex()}",
        f"SHA256={DIGEST.hex().upper()}",
        f"v1={DIGEST.hex()}",
        f"V1={base64.b64encode(DIGEST).decode()}",
        DIGEST.hex("-"),
        DIGEST.hex("-").upper(),
        base64.b64encode(DIGEST).decode(),
        base64.b64encode(DIGEST).decode().rstrip("="),
        base64.urlsafe_b64encode(DIGEST).decode(),
        base64.urlsafe_b64encode(DIGEST).decode().rstrip("="),
    ],
)
def test_accepts_each_usual_encoding_of_the_digest(header):
    assert signing.verify(b"body", header, [SECRET])


@pytest.mark.parametrize("character", ["-", "_"])
def test_accepts_base64_for_urls_whose_characters_differ_from_base64(character):
    bodies = (str(number).encode() for number in range(1000))
    signatures = {body: base64.urlsafe_b64encode(signing.digest(body, SECRET)) for body in bodies}
    body, header = next(each for each in signatures.items() if character in each[1].decode())
    assert signing.verify(body, header.decode(), [SECRET]) == "base64"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "no signature"),
        ("   ", "no signature"),
        ("deadbeef", "unreadable signature"),
        (DIGEST.hex()[:-1], "unreadable signature"),
        (DIGEST.hex() + "0", "unreadable signature"),
        (f"sha1={DIGEST.hex()}", "unreadable signature"),
        (DIGEST.hex(":"), "unreadable signature"),
        (f"sha256=v1={DIGEST.hex()}", "unreadable signature"),
        ("é" * 64, "unreadable signature"),
        ("\N{FULLWIDTH DIGIT ZERO}" * 64, "unreadable signature"),
        ("0" * 64, "wrong signature"),
        (signing.sign(b"body ", SECRET), "wrong signature"),
        (signing.sign(b"body", SECRET.upper()), "wrong signature"),
        (signing.sign(b"body", ""), "wrong signature"),
    ],
)
def test_refuses_any_other_header(header, reason):
    with pytest.raises(InvalidSignature, match=reason):
        signing.verify(b"body", header, [SECRET])


def test_accepts_the_old_and_the_new_secret_during_rotation():
    for secret in ("old", "new"):
        assert signing.verify(b"body", signing.sign(b"body", secret), ["new", "old"])


def test_without_a_secret_nothing_is_authentic():
    with pytest.raises(InvalidSignature):
        signing.verify(b"body", DIGEST.hex(), [])


@given(st.text())
def test_no_header_raises_another_error(header):
    try:
        signing.verify(b"body", header, [SECRET, "another"])
    except InvalidSignature:
        return
    assert signing.decode(header)[0] == DIGEST


@given(st.binary(), st.binary())
def test_a_signature_is_valid_for_its_body_only(body, other):
    header = signing.sign(body, SECRET)
    assert signing.verify(body, header, [SECRET])
    if other != body:
        with pytest.raises(InvalidSignature):
            signing.verify(other, header, [SECRET])
