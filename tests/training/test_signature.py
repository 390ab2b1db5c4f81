"""The signature: by RFC 8032, made by one key, and refused where anything about it is another's."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import BundleError, ConfigError
from configs.settings import Signing, load_settings
from training.signature import SIGNATURE, PrivateKey, public_key, sign, signing_key, trusted_in, trusted_keys, verify

KEY = PrivateKey.from_private_bytes(b"creditloop: the tests of signing")
OTHER = PrivateKey.from_private_bytes(b"creditloop: of another signature")
MANIFEST = b'{"format": 1}\n'
TRUSTED = (public_key(KEY),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the signature of MANIFEST in it."""
    sign(tmp_path, MANIFEST, KEY)
    return tmp_path


def test_a_signature_is_that_of_rfc_8032(tmp_path: Path) -> None:
    # RFC 8032, 7.1, test 2: the message is the one byte 72.
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    sign(tmp_path, b"\x72", PrivateKey.from_private_bytes(secret))
    assert (tmp_path / SIGNATURE).read_text() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c "
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00\n"
    )


def test_what_a_trusted_key_signed_holds(folder: Path) -> None:
    verify(folder, MANIFEST, (public_key(OTHER), *TRUSTED))


@given(place=st.integers(0, len(MANIFEST) - 1), bit=st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_of_the_manifest_is_refused(folder: Path, place: int, bit: int) -> None:
    changed = bytearray(MANIFEST)
    changed[place] ^= 1 << bit
    with pytest.raises(BundleError, match=r"the manifest is not what .* signed; do not use"):
        verify(folder, bytes(changed), TRUSTED)


@given(place=st.integers(0, 193), bit=st.integers(0, 7))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_of_the_signature_is_refused(folder: Path, place: int, bit: int) -> None:
    sign(folder, MANIFEST, KEY)
    changed = bytearray((folder / SIGNATURE).read_bytes())
    changed[place] ^= 1 << bit
    (folder / SIGNATURE).write_bytes(changed)
    with pytest.raises(BundleError, match="do not use"):
        verify(folder, MANIFEST, TRUSTED)


@pytest.mark.parametrize("trusted", [(), (public_key(OTHER),)])
def test_another_key_than_those_trusted_is_refused_by_name_and_with_the_way_out(
    folder: Path, trusted: tuple[str, ...]
) -> None:
    with pytest.raises(BundleError, match=rf"signed by {public_key(KEY)}.*add it to signing\.trusted"):
        verify(folder, MANIFEST, trusted)


def test_a_forger_who_names_a_trusted_key_is_refused(folder: Path) -> None:
    sign(folder, MANIFEST, OTHER)
    forged = (folder / SIGNATURE).read_text().split()[1]
    (folder / SIGNATURE).write_text(f"{public_key(KEY)} {forged}\n")
    with pytest.raises(BundleError, match=r"is not what .* signed"):
        verify(folder, MANIFEST, TRUSTED)


def test_without_signature_it_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"not signed \(no manifest.sig\); .*train again"):
        verify(tmp_path, MANIFEST, TRUSTED)


@pytest.mark.parametrize("text", [b"", b"\xff\x00", b"a b\n", b"0" * 64])
def test_what_is_no_signature_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / SIGNATURE).write_bytes(text)
    with pytest.raises(BundleError, match="not a signature"):
        verify(tmp_path, MANIFEST, TRUSTED)


def of_home(home: Path, *trusted: str) -> Signing:
    return load_settings(home, {"signing": {"trusted": list(trusted)}}).signing


def test_a_home_makes_its_key_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    made = signing_key(of_home(tmp_path))
    path = tmp_path / "signing" / "key.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_key(signing_key(of_home(tmp_path))) == public_key(made)
    assert sorted(item.name for item in path.parent.iterdir()) == ["key.pem", "key.pub"]


def test_without_configuration_the_homes_own_key_is_trusted(tmp_path: Path) -> None:
    assert trusted_in(tmp_path) == ()
    assert (public_key(signing_key(of_home(tmp_path))),) == trusted_in(tmp_path)


def test_the_keys_listed_are_trusted_and_no_other(tmp_path: Path) -> None:
    signing_key(of_home(tmp_path))
    listed = of_home(tmp_path, public_key(KEY), public_key(OTHER))
    assert trusted_keys(listed) == (public_key(KEY), public_key(OTHER))


def test_a_home_whose_file_lists_keys_trusts_them(tmp_path: Path) -> None:
    (tmp_path / "creditloop.toml").write_text(f'[signing]\ntrusted = ["{public_key(KEY)}"]\n')
    assert trusted_in(tmp_path) == TRUSTED


@pytest.mark.parametrize("text", ["", "0" * 63, "A" * 64, "0" * 65])
def test_what_is_no_public_key_is_refused_in_the_settings(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"signing\.trusted"):
        of_home(tmp_path, text)


def test_trainings_that_start_together_use_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: public_key(signing_key(of_home(tmp_path))), range(16)))
    assert len(made) == 1
    assert trusted_in(tmp_path) == tuple(made)


@pytest.mark.parametrize("text", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_private_key_that_is_none_is_refused_by_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "signing").mkdir()
    (tmp_path / "signing" / "key.pem").write_text(text)
    with pytest.raises(ConfigError, match=r"key\.pem: signing\.private_key: not a PEM private key"):
        signing_key(of_home(tmp_path))
