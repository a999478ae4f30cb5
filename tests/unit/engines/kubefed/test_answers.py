"""Whatever the host's machine answers, a parser returns something or raises a FedsshError."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from fedssh.engines.kubefed.clusters import corrections, credential, parse_list, parse_reconnect
from fedssh.engines.kubefed.join import parse_join
from fedssh.engines.kubefed.kubefedctl import parse_tools
from fedssh.engines.kubefed.look import parse_state
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.errors import FedsshError
from fedssh.inventory import parse_inventory
from fedssh.kubernetes.credentials import Endpoint, Trust
from fedssh.kubernetes.kubeconfig.entries import render_credentials
from tests.fakes.hosts import DEPLOYMENTS, RELEASE
from tests.fakes.kubernetes import CA, base64_of
from tests.fakes.shells import result
from tests.unit.mangling import answer_of, mangled

CLUSTERS = {
    "items": [
        {
            "metadata": {"name": "member1", "labels": {"region": "eu"}},
            "spec": {
                "apiEndpoint": "https://m1:6443",
                "caBundle": CA,
                "disabledTLSValidations": ["SubjectName"],
                "secretRef": {"name": "member1.fedssh"},
            },
            "status": {"conditions": [{"type": "Ready", "status": "True", "message": "ok", "reason": "x"}]},
        }
    ]
}
SECRETS = {"items": [{"metadata": {"name": "member1.fedssh"}, "data": {"token": base64_of("a token")}}]}
INVENTORY = parse_inventory("host: {name: fedhost, address: a}\n", path=Path("hosts.yaml"))
ENDPOINT = Endpoint(server="https://m1:6443", trust=Trust(word="ca", ca=CA))
CODES = st.sampled_from([0, 0, 0, 1, 127])


@given(
    answers=st.tuples(mangled(CLUSTERS), st.just(json.dumps(SECRETS)))
    | st.tuples(st.just(json.dumps(CLUSTERS)), mangled(SECRETS)),
    code=CODES,
)
def test_the_list_of_clusters(answers: tuple[str, str], code: int) -> None:
    """What is read of it can be used: for a credential, for corrections, and for a kubeconfig."""
    clusters, secrets = answers
    found = answer_of(lambda: parse_list([result(clusters, code=code), result(secrets)], machine="fedhost"))
    if isinstance(found, FedsshError):
        return
    for name, cluster in found.items():
        assert (name, name.isprintable()) == (cluster.name, True)
        assert cluster.endpoint.server.isprintable()
        json.dumps(corrections(cluster, ENDPOINT))
        own = credential(cluster, server_name="m1")
        if own:
            render_credentials({name: own}).encode()


@given(
    release=mangled(json.loads(RELEASE)),
    deployments=mangled(json.loads(DEPLOYMENTS)),
    version=st.sampled_from(["v3.18.4", "", "v4", "\x1b[31m"]) | st.text(max_size=10),
    code=CODES,
)
@example(release=RELEASE, deployments=DEPLOYMENTS, version="v3.18.4", code=0)
def test_the_state_of_kubefed(release: str, deployments: str, version: str, code: int) -> None:
    """A state comes of it always; its refusals and what is missing can be told."""
    nobody = [result("{}"), result("{}")]
    tools = [result(version, code=code), result(), result(version)]
    state = parse_state(tools, [result(release), result(deployments), *nobody], machine="fedhost")
    assert isinstance(state, KubeFedState)
    assert state.version.isprintable()
    for error in [*state.refusals(INVENTORY, kubernetes=""), *state.gaps]:
        assert isinstance(error, FedsshError)
    assert state.missing(INVENTORY)


@example(said='path /\nVersion:"\n"')
@given(
    said=st.text() | st.lists(st.sampled_from(["path /", "path ", "\n", 'Version:"v', '"', "0.10.0", "x"])).map("".join)
)
def test_the_tools(said: str) -> None:
    """Two at most, each with a path that can be shown."""
    tools = parse_tools(result(said))
    assert len(tools) <= 2
    assert all(tool.path.startswith("/") for tool in tools)
    assert all((tool.path + tool.version).replace("\t", "").isprintable() for tool in tools)


@given(stdout=st.text(), stderr=st.text() | st.text().map("F1123 10:00:00.1 1 join.go:1] {}\n".format), code=CODES)
def test_the_end_of_a_join(stdout: str, stderr: str, code: int) -> None:
    """A time that can be compared and stand in a command, or why it failed."""
    end = answer_of(lambda: parse_join(result(stdout, code=code, stderr=stderr), machine="m"))
    assert isinstance(end, FedsshError) or end.isprintable()


@given(stdout=st.text() | st.sampled_from(["x/m1 annotated\n", "annotated", "/ annotated"]), code=CODES)
def test_the_answer_to_reconnecting(stdout: str, code: int) -> None:
    """Errors for clusters that were asked for, and for no other."""
    failed = parse_reconnect(result(stdout, code=code), ["m1", "m2"], machine="fedhost")
    assert set(failed) <= {"m1", "m2"}
    assert not failed or code
