from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig import parse_kubeconfig
from fedssh.kubernetes.kubeconfig.entries import EntryNames, put_member
from fedssh.sensitive import Sensitive
from tests.fakes.kubernetes import CA, account_token

NAMES = EntryNames(context="member1", cluster="kubefed-remote-member1", user="kubefed-member1")
CREDENTIAL = Credential(
    endpoint=Endpoint(server="https://member1.example.com:6443", trust=Trust(word="ca", ca=CA)),
    token=Sensitive(account_token("member1")),
)
PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | PLAIN | st.sampled_from(["0123", "on", "~", "1e3"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"k-[a-z]{1,5}", fullmatch=True), inner),
    max_leaves=8,
)


def as_texts(value: Any) -> Any:
    """Return a value with nothing but texts in it: only those can be quoted."""
    if isinstance(value, dict):
        return {key: as_texts(inner) for key, inner in value.items()}
    return [as_texts(inner) for inner in value] if isinstance(value, list) else str(value)


@given(unknown=VALUES, style=st.sampled_from([None, '"', "'"]), flow=st.sampled_from([None, True, False]))
def test_whatever_a_document_holds_survives_a_member(unknown: Any, style: str | None, flow: bool | None) -> None:
    """In any style that YAML has, and twice."""
    unknown = as_texts(unknown) if style else unknown
    text = yaml.safe_dump({"x": unknown}, default_style=style, default_flow_style=flow, allow_unicode=True)
    document = parse_kubeconfig(text, source="config")
    put_member(document, NAMES, CREDENTIAL, cluster_uid="uid", namespace="default")
    written = document.render()
    assert yaml.safe_load(written)["x"] == unknown
    assert parse_kubeconfig(written, source="config").render() == written
