from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fedssh.kubernetes.certificates import find_root, fingerprint, from_base64, parse_chain, parse_store, to_base64
from tests.fakes.authorities import Issued, issue
from tests.fakes.kubernetes import base64_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

ROOT = issue("root")
MIDDLE = issue("middle", by=ROOT)
LEAF = issue("leaf", by=MIDDLE)
OTHER = issue("other root")
# The bytes of object identifiers: of a key on an elliptic curve, of one curve, of a signature.
EC_KEY, CURVE, SIGNATURE = (bytes.fromhex(one) for one in ("2a8648ce3d0201", "2a8648ce3d030107", "2a8648ce3d040302"))


def certificates(*issued: Issued) -> list[Certificate]:
    """Return their certificates."""
    return [one.certificate for one in issued]


def found(chain: list[Issued], *store: Issued) -> Certificate | None:
    """Look for the root of a chain."""
    return find_root(certificates(*chain), certificates(*store))


def test_a_chain_leads_to_its_root() -> None:
    """Whether the server sends the root along or not; and through a store with others in it."""
    assert found([LEAF, MIDDLE, ROOT], OTHER, ROOT) == ROOT.certificate
    assert found([LEAF, MIDDLE], OTHER, ROOT) == ROOT.certificate
    assert found([MIDDLE], ROOT, OTHER) == ROOT.certificate


def test_a_store_may_hold_less_than_the_root() -> None:
    """An intermediate certificate, or the server's own, is trusted where it stands in the store."""
    assert found([LEAF, MIDDLE, ROOT], MIDDLE) == MIDDLE.certificate
    assert found([LEAF], MIDDLE) == MIDDLE.certificate
    assert found([LEAF, MIDDLE], LEAF) == LEAF.certificate
    assert found([OTHER], OTHER) == OTHER.certificate


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_the_rest_does_not_matter(order: tuple[int, ...]) -> None:
    """Servers send their chains in any order, with certificates that have nothing to do with them."""
    lower = issue("lower", by=MIDDLE)
    leaf = issue("leaf", by=lower)
    rest = [lower, MIDDLE, ROOT, OTHER]
    assert found([leaf, *(rest[one] for one in order)], ROOT) == ROOT.certificate


@pytest.mark.parametrize("swapped", [False, True])
def test_a_cross_signed_authority_leads_to_whichever_root_is_trusted(*, swapped: bool) -> None:
    """Two certificates of one name and key, by two roots: the one that leads nowhere is not the end."""
    across = issue("middle", by=OTHER, like=MIDDLE)
    chain = [LEAF, across, MIDDLE] if swapped else [LEAF, MIDDLE, across]
    assert found(chain, ROOT) == ROOT.certificate
    assert found(chain, OTHER) == OTHER.certificate


def test_authorities_that_sign_each_other_end() -> None:
    """A circle of certificates is searched once."""
    one, two = issue("one"), issue("two")
    circle = [issue("one", by=two, like=one), issue("two", by=one, like=two)]
    leaf = issue("leaf", by=one)
    assert found([leaf, *circle], ROOT) is None
    assert found([leaf, *circle], two) == two.certificate


def test_an_unknown_issuer_is_no_root() -> None:
    """Neither an issuer that is missing, nor a root that the server sends itself, nor an empty chain or store."""
    assert found([LEAF, MIDDLE, ROOT], OTHER) is None
    assert found([LEAF], ROOT) is None
    assert found([OTHER], ROOT) is None
    assert found([], ROOT) is None
    assert found([LEAF, MIDDLE, ROOT]) is None


def test_a_name_alone_makes_no_issuer() -> None:
    """A certificate of the same subject but with another key has signed nothing."""
    namesake = issue("root")
    assert found([LEAF, MIDDLE], namesake) is None
    assert found([LEAF, MIDDLE], namesake, ROOT) == ROOT.certificate
    assert found([LEAF, issue("middle", by=ROOT), MIDDLE], ROOT) == ROOT.certificate


def test_a_chain_without_end_is_not_followed() -> None:
    """A server may send as many as it likes; only its first are looked at."""
    chain = [issue("0")]
    for number in range(1, 30):
        chain.append(issue(str(number), by=chain[-1]))
    assert found(chain[:0:-1], chain[0]) is None
    assert found(chain[15:0:-1], chain[0]) == chain[0].certificate


@pytest.mark.parametrize(
    "broken",
    [
        MIDDLE.altered(EC_KEY, EC_KEY[:-1] + b"\x09"),
        MIDDLE.altered(CURVE, CURVE[:-1] + b"\x0f"),
        MIDDLE.altered(SIGNATURE, SIGNATURE[:-1] + b"\x0f"),
        MIDDLE.altered(b"\x0c\x06middle", b"\x0c\x06middl\xff"),
        MIDDLE.altered(b"\x0c\x04root", b"\x0c\x04roo\xff"),
    ],
    ids=["kind of key", "curve", "signature", "subject", "issuer"],
)
def test_a_certificate_that_cannot_be_understood_has_issued_nothing(broken: Issued) -> None:
    """A server may present anything; what is wrong with one must not hide the others."""
    assert found([LEAF, broken], ROOT) is None
    assert found([broken], ROOT) is None
    assert found([LEAF, broken, MIDDLE], ROOT) == ROOT.certificate
    assert found([LEAF, MIDDLE], broken, ROOT) in certificates(ROOT, broken)


def test_an_old_certificate_gives_no_warning() -> None:
    """A trust store holds some with a serial number below 1, or a country of more than two letters."""
    number = ROOT.certificate.serial_number.to_bytes(20)
    assert number[0] < 0x80
    old = ROOT.altered(number, bytes([number[0] | 0x80]) + number[1:])
    assert parse_store(old.pem) == [old.certificate]
    common_name, country = bytes.fromhex("0603550403"), bytes.fromhex("0603550406")
    strange, leaf = (one.altered(common_name, country) for one in (ROOT, issue("leaf", by=ROOT)))
    assert found([leaf], strange) is None


def test_certificates_are_found_among_other_text() -> None:
    """As openssl prints them, in their order."""
    text = f"CONNECTED(3)\n 0 s:CN = \u00e9\n{LEAF.pem}\n 1 s:CN = middle\r\n{MIDDLE.pem}---\nServer certificate\n"
    assert parse_chain(text) == certificates(LEAF, MIDDLE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n",
        LEAF.pem.replace("MII", "AAA", 1),
        LEAF.pem[:200] + "\n-----END CERTIFICATE-----\n",
        LEAF.pem + ROOT.pem.replace("MII", "AAA", 1),
    ],
)
def test_broken_pem_holds_no_chain(text: str) -> None:
    """Half a chain is none, either."""
    assert parse_chain(text) == []


def test_a_broken_certificate_in_a_store_is_left_out() -> None:
    """The others count."""
    broken = ROOT.pem.replace("MII", "AAA", 1)
    text = f"# one\n{ROOT.pem}{broken}# two\n{OTHER.pem}rest"
    assert parse_store(text) == certificates(ROOT, OTHER)
    assert parse_store("") == []


def test_a_certificate_is_kept_as_a_kubeconfig_holds_it() -> None:
    """And comes back out of it."""
    assert to_base64(ROOT.certificate) == ROOT.ca
    assert from_base64(ROOT.ca) == [ROOT.certificate]


@pytest.mark.parametrize("text", ["", "%", "a", "\u00e9", base64_of("nothing"), "/w==", "{'a': 1}"])
def test_what_is_no_certificate_in_base64_gives_none(text: str) -> None:
    """Whatever stands in a kubeconfig."""
    assert from_base64(text) == []


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not there")
def test_a_fingerprint_is_the_one_that_openssl_prints() -> None:
    """People compare the two; before it stands what hosts.yaml says, too."""
    argv = ["openssl", "x509", "-noout", "-fingerprint", "-sha256"]
    done = subprocess.run(argv, input=LEAF.pem, capture_output=True, text=True, check=True, timeout=30)
    assert fingerprint(LEAF.certificate) == "SHA256:" + done.stdout.strip().partition("=")[2]


def test_what_looks_into_certificates_is_imported_for_the_first() -> None:
    """Cryptography's part for them is slow to import, and most runs see no certificate."""
    program = (
        "import sys; from fedssh.kubernetes.certificates import parse_chain; "
        "print(parse_chain(''), 'cryptography' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[] False\n"
