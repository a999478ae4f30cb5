"""A cluster in memory: its objects, and what kubectl does to them and prints of them.

It answers by the kind of request, whatever the command line is. What it does not know is an error that says so.
"""

from __future__ import annotations

import base64
import copy
import json
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import yaml

from bench.standin import jsonpath
from bench.standin.calls import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.standin.calls import Call

CA: Final = base64.b64encode(b"""\
-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUA+VVgVQRJSRVRFWWEh6MeGr0eEwwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjMwNzIxMzRaGA8yMTI2MTAz
MDA3MjEzNFowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABKyB6SiYe/4y7cOMQvMC1FKi+HZljbYdfvzJVhNxMU1E/pP0tl1I
6rp9mr8T6CFxqJGpmjkXmkBzVeEZVSpyWqWjUzBRMB0GA1UdDgQWBBS6r5VZmE7O
ANF8EcyxLMkleFE0NTAfBgNVHSMEGDAWgBS6r5VZmE7OANF8EcyxLMkleFE0NTAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIBu+hD7IdFOlavS10h8A
qY99WamLrm5BPcWeFnytwDVBAiAfD57WvCsFskS4sixlTdyjqjX6K3Y0jLjH2h9a
w0nCzw==
-----END CERTIFICATE-----
""").decode()
"""The CA of every cluster, as a kubeconfig holds it."""

KUBERNETES: Final = "v1.24.17"
"""The newest for which fedssh has no notice to give."""

_WATCHED_MILLISECONDS: Final = 30_000
_ACCOUNT: Final = "kubernetes.io/service-account.name"
_TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105  (a Secret's type)
_LONG: Final = {"deploy": "deployment", "ns": "namespace", "sa": "serviceaccount"}
_CLUSTERS_OWN: Final = frozenset({"namespace", "node", "clusterrole", "clusterrolebinding"})
_DONE: Final = {
    "annotate": "annotated", "apply": "serverside-applied", "create": "created", "label": "labeled",
    "patch": "patched", "replace": "replaced",
}  # fmt: skip
_CHANGED: Final = {"annotate": "annotations", "label": "labels"}
Object = dict[str, Any]


def token_of(subject: str) -> str:
    """Return a token as a cluster would mint it for ``system:serviceaccount:…``; nobody verifies its signature."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(said).encode()).decode() for said in ({"alg": "none"}, {"sub": subject})
    ]
    return ".".join([*(part.rstrip("=") for part in parts), "signature"])


def uid_of(cluster: str, kind: str, name: str) -> str:
    """Return the UID of a cluster's object; it is always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{kind}.{cluster}"))


@dataclass
class Cluster:
    """A cluster.

    Attributes:
        name: What it is called.
        server: The address of its API server.
        kinds: Which kinds of custom resources it has.
        objects: What it holds, by kind and name.
    """

    name: str
    server: str
    kinds: frozenset[str] = frozenset()
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})
        self.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-of-{self.name}"}})

    def put(self, item: Object) -> Object:
        """Create an object, or replace it; return it as the API server has it then."""
        kind, metadata = _kind(item["kind"]), item["metadata"]
        own = {
            "uid": uid_of(self.name, kind, metadata["name"]),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        put = {**item, "metadata": {**metadata, **own}}
        if kind == "secret" and item.get("type") == _TOKEN_SECRET:
            where = metadata.get("namespace", "default")
            token = token_of(f"system:serviceaccount:{where}:{metadata['annotations'][_ACCOUNT]}")
            put["data"] = {"token": base64.b64encode(token.encode()).decode(), "ca.crt": CA}
        self.objects[kind, metadata["name"]] = put
        return put

    def kubectl(self, call: Call, *, user: str) -> Answer:
        """Do what a call of kubectl says, as ``user``."""
        verbs: dict[str, Callable[[Call], Answer]] = {
            "annotate": self._change,
            "apply": self._put_all,
            "config": self._config,
            "create": lambda call: self._create(call, user),
            "delete": self._delete,
            "get": self._get,
            "label": self._change,
            "patch": self._change,
            "replace": self._put_all,
            "rollout": lambda _: Answer("successfully rolled out\n"),
            "version": lambda _: Answer(_VERSION),
            "wait": lambda _: Answer("condition met\n"),
        }
        if call.verb not in verbs:
            return unknown(call)
        return verbs[call.verb](call)

    def _config(self, call: Call) -> Answer:
        if call.names[:1] != ["view"]:
            return Answer(f"{call.names[0]} done.\n")
        stanza = {"server": self.server, "certificate-authority-data": CA}
        names = {"cluster": self.name, "user": f"{self.name}-admin"}
        return _print(call, {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.name,
            "clusters": [{"name": self.name, "cluster": stanza}],
            "contexts": [{"name": self.name, "context": names}],
            "users": [{"name": names["user"], "user": {}}],
        })  # fmt: skip

    def _get(self, call: Call) -> Answer:
        if "--raw" in call.flags:
            return unknown(call)
        first, *names = call.names
        wanted = [tuple(word.split("/", 1)) for word in call.names] if "/" in first else []
        if names and not wanted:
            wanted = [(first, name) for name in names]
        kinds = [_kind(kind) for kind in first.split(",")] if not wanted else [_kind(kind) for kind, _ in wanted]
        strange = [kind for kind in kinds if kind not in _KNOWN | self.kinds]
        if strange:
            return Answer(stderr=f'error: the server doesn\'t have a resource type "{strange[0]}"\n', code=1)
        if not wanted:
            found = [item for (kind, _), item in self.objects.items() if kind in kinds and _is_asked(call, item)]
            return _print(call, _list(found), found)
        there = [self.objects.get((_kind(kind), name)) for kind, name in wanted]
        found = [item for item in there if item is not None]
        if len(found) < len(wanted) and "--ignore-not-found" not in call.flags:
            return Answer(stderr="Error from server (NotFound): not found\n", code=1)
        if not found:
            return Answer()
        return _print(call, found[0] if len(wanted) == 1 else _list(found), found)

    def _create(self, call: Call, user: str) -> Answer:
        if call.names[:1] == ["token"]:
            return Answer(token_of(f"system:serviceaccount:default:{call.names[1]}") + "\n")
        if call.names:
            return unknown(call)
        items = [
            _review(item, user) if item["kind"].endswith("Review") else self.put(item) for item in _items(call.stdin)
        ]
        return _told(call, items)

    def _put_all(self, call: Call) -> Answer:
        return _told(call, [self.put(item) for item in _items(call.stdin)])

    def _delete(self, call: Call) -> Answer:
        first, *names = call.names or [""]
        wanted = (
            [tuple(word.split("/", 1)) for word in call.names] if "/" in first else [(first, name) for name in names]
        )
        for kind, name in wanted:
            self.objects.pop((_kind(kind), name), None)
        return Answer()

    def _change(self, call: Call) -> Answer:
        pairs = dict(word.split("=", 1) for word in call.names if "=" in word)
        words = [word for word in call.names if "=" not in word]
        first, *names = words
        references = (
            [tuple(word.split("/", 1)) for word in words] if "/" in first else [(first, name) for name in names]
        )
        items = [self.objects.get((_kind(kind), name)) for kind, name in references]
        for item in filter(None, items):
            if call.verb == "patch":
                _merge(item, json.loads(call.flags["--patch"]))
            else:
                item["metadata"].setdefault(_CHANGED[call.verb], {}).update(pairs)
        if None in items:
            return Answer(stderr="Error from server (NotFound): not found\n", code=1)
        return _told(call, [item for item in items if item])


def unknown(call: Call) -> Answer:
    """Return that the stand-in does not know what to answer."""
    return Answer(stderr=f"the stand-in does not know this: {call.tool} {' '.join(call.argv)}\n", code=1)


_VERSION: Final = json.dumps(
    {"clientVersion": {"gitVersion": KUBERNETES}, "serverVersion": {"gitVersion": KUBERNETES}}, indent=2
)
_KNOWN: Final = _CLUSTERS_OWN | {"deployment", "role", "rolebinding", "secret", "serviceaccount"}


def _kind(name: str) -> str:
    """Return a kind by any of its names: ``Secret``, ``secrets``, ``deployments.apps``, ``sa``."""
    short = name.lower().partition(".")[0]
    return _LONG.get(short, short.removesuffix("s"))


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Sequence[Object]:
    documents = [json.loads(text)] if text.lstrip().startswith("{") else yaml.safe_load_all(text)
    return [item for one in documents if one for item in one.get("items", [one])]


def _items(text: str) -> list[Object]:
    """Return copies of the objects in a manifest: JSON, or YAML documents."""
    return copy.deepcopy(list(_parsed(text)))


def _list(items: Sequence[Object]) -> Object:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def _is_asked(call: Call, item: Mapping[str, Any]) -> bool:
    """Whether a list holds an object, by its namespace, its labels and the fields that are selected by."""
    flags, metadata = call.flags, item["metadata"]
    where = metadata.get("namespace")
    if where and "--all-namespaces" not in flags and flags.get("--namespace", "default") != where:
        return False
    labels = metadata.get("labels", {})
    selected = [pair.split("=", 1) for pair in flags.get("--selector", "").replace("==", "=").split(",") if pair]
    fields = [pair.split("=", 1) for pair in flags.get("--field-selector", "").split(",") if pair]
    return all(labels.get(key) == value for key, value in selected) and all(
        jsonpath.find(f".{path}", item) == [value] for path, value in fields
    )


def _review(item: Object, user: str) -> Object:
    """Return a review as the API server answers it: everybody may do everything."""
    is_who = item["kind"] == "SelfSubjectReview"
    return {**item, "status": {"userInfo": {"username": user}} if is_who else {"allowed": True}}


def _merge(item: Object, patch: Mapping[str, Any]) -> None:
    """Do what a merge patch (RFC 7386) says."""
    for key, value in patch.items():
        if value is None:
            item.pop(key, None)
        elif isinstance(value, dict):
            _merge(item.setdefault(key, {}), value)
        else:
            item[key] = value


def _told(call: Call, items: Sequence[Object]) -> Answer:
    """Return what kubectl prints of objects that it has changed, one after the other."""
    if "--output" in call.flags:
        return Answer("".join(_print(call, item, [item]).stdout for item in items))
    return Answer("".join(f"{_reference(item)} {_DONE[call.verb]}\n" for item in items))


def _reference(item: Object) -> str:
    group = item.get("apiVersion", "v1").rpartition("/")[0]
    kind = item["kind"].lower() + (f".{group}" if group else "")
    return f"{kind}/{item['metadata']['name']}"


def _print(call: Call, root: Object, items: Sequence[Object] = ()) -> Answer:
    """Return an object, or a List of several, in the format that is asked for."""
    form = call.flags.get("--output", "")
    kind, _, template = form.partition("=")
    stays = _WATCHED_MILLISECONDS if {"--watch", "--watch-only"} & call.flags.keys() else 0
    if kind.startswith("jsonpath"):
        roots = items if stays else [root]  # a watch prints one object after the other
        return Answer("".join(jsonpath.render(template, one) for one in roots), stays=stays)
    if kind == "name":
        return Answer("".join(f"{_reference(item)}\n" for item in items), stays=stays)
    if kind == "custom-columns":
        paths = [column.partition(":")[2] for column in template.split(",")]
        rows = ["   ".join(jsonpath.render(f"{{{path}}}", item) or "<none>" for path in paths) for item in items]
        head = (
            []
            if "--no-headers" in call.flags
            else ["   ".join(column.partition(":")[0] for column in template.split(","))]
        )
        return Answer("".join(f"{row}\n" for row in [*head, *rows]), stays=stays)
    if kind in {"", "wide"}:
        return Answer("".join(f"{item['metadata']['name']}   \n" for item in items), stays=stays)
    text = yaml.safe_dump(root) if kind == "yaml" else json.dumps(root)
    return Answer(text + "\n", stays=stays)
