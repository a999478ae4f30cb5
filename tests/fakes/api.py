"""An API server in memory: its objects, what kubectl does to them, and whom it lets in."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.conftest import CANARY
from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from tests.fakes.lines import Call

TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105  (a Secret's type)
_FIXED: Final = {"ClusterRoleBinding": "roleRef", "Secret": "type"}
_OWNED: Final = ("rules", "subjects")
_LISTED: Final = {
    "clusterrolebindings,rolebindings": "clusterrolebinding/",
    "secrets": "secret/",
    "serviceaccounts": "serviceaccount/",
}
Objects = dict[str, dict[str, Any]]


def base64_of(text: str) -> str:
    """Return the base64 of a text."""
    return base64.b64encode(text.encode()).decode()


def token_of(subject: Any, *, header: str = "eyJhbGciOiJSUzI1NiJ9", serial: int = 1, secret: str = "") -> str:
    """Return a token as a cluster mints it for ``system:serviceaccount:…``; its signature is the canary.

    It has no time in it: an account that is the ``serial``-th of its name always gets the same one in a Secret of the
    same name. The name is left out where it is the usual one.
    """
    said = {"sub": subject, **({"serial": serial} if serial > 1 else {}), **({"secret": secret} if secret else {})}
    claims = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    return f"{header}.{claims}.{CANARY}"


def error(words: str, *, code: int = 1) -> Answer:
    """Return the answer of a command that failed."""
    return Answer(code=code, stderr=words)


def as_list(items: list[dict[str, Any]]) -> Answer:
    """Return objects as ``kubectl get -o json`` prints several."""
    return Answer(json.dumps({"kind": "List", "items": items}))


def namespace(uid: str) -> dict[str, Any]:
    """Return the namespace kube-system of the cluster with that UID."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": uid}}


def reference_of(item: dict[str, Any]) -> str:
    """Return what kubectl calls an object: ``kind/name``."""
    return f"{item['kind'].lower()}/{item['metadata']['name']}"


@dataclass
class Api:
    """The API server of one cluster.

    Attributes:
        ca: The cluster's CA, which every token Secret holds.
        objects: What stands in it, by kind/name; tests change it as an administrator there would.
        rights: Whether roles count: without, nobody may do everything.
        changes: What was applied or deleted, in order.
        seconds: How many objects were ever created: the seconds of their creation times.
        minted: The tokens that were asked for and kept nowhere, with the account and which of its name it was.
    """

    ca: str
    objects: Objects = field(default_factory=dict)
    rights: bool = True
    changes: list[str] = field(default_factory=list)
    seconds: int = 0
    minted: dict[str, tuple[str, int]] = field(default_factory=dict)
    _serials: dict[str, int] = field(default_factory=dict)
    _applied: Objects = field(default_factory=dict)

    def kubectl(self, call: Call) -> Answer:
        """Do what kubectl's verb says."""
        match call.key[1]:
            case "get" | "create":
                return self._get(call) if call.key[1] == "get" else self._mint_for(call.names[1])
            case "patch" | "remove":
                return self._add_subject(call) if call.key[1] == "patch" else self._remove_subject(call)
            case "apply":
                is_forced = "--force-conflicts" in call.flags
                return _answer([self._apply(item, force=is_forced) for item in _items(call)])
            case "replace":
                return _answer([self._replace(item, force="--force" in call.flags) for item in _items(call)])
            case "delete" if call.names:
                for reference in call.names:
                    self.changes.append(f"delete {reference}")
                    self.delete(reference)
                return Answer()
        return error("error: resource(s) were provided, but no name was specified")

    def create(self, item: dict[str, Any]) -> None:
        """Create an object; the controllers fill in a token Secret."""
        reference = reference_of(item)
        if item["kind"] == "ServiceAccount":
            self._serials[reference] = self._serials.get(reference, 0) + 1
        self.seconds += 1
        created = f"1970-01-12T13:{self.seconds // 60 + 46:02}:{self.seconds % 60:02}Z"
        if item["kind"] in {"Secret", "ServiceAccount"}:  # of others nobody asks
            item["metadata"] = {**item["metadata"], "creationTimestamp": created}
        self.objects[reference] = item
        self._fill_in()

    def delete(self, reference: str) -> None:
        """Delete an object; with a ServiceAccount go its token Secrets."""
        self.objects.pop(reference, None)
        kind, _, name = reference.partition("/")
        if kind == "serviceaccount":
            gone = [key for key, item in self.objects.items() if _account_of(item) == name]
            for key in gone:
                del self.objects[key]

    def print_token(self, name: str) -> Answer:
        """Return the token of a Secret as kubectl prints it, once it is there."""
        secret = self.objects.get(f"secret/{name}")
        return Answer(f"{_held(secret)}\n") if secret else error("Error from server (NotFound)")

    def account(self, token: str) -> str:
        """Return whose token it is, as in ``system:serviceaccount:default:member1``; "" for one that is not valid.

        A token is valid while the account that it was minted for is there; one of a Secret's, while that holds it.
        """
        name, serial = self.minted.get(token, ("", 0))
        reference = f"serviceaccount/{name}"
        if reference in self.objects and self._serials[reference] == serial:
            return self._subject(name)
        for item in self.objects.values():
            name = _account_of(item)
            if name and _held(item) == base64_of(token) and self._mint(name, item) == token:
                return self._subject(name)
        return ""

    def may_do_everything(self, account: str) -> bool:
        """Whether a binding gives an account a role that may do everything."""
        return self.rights and any(
            _names(subject) == account
            for item in self.objects.values()
            if item["kind"] == "ClusterRoleBinding" and self._is_all_powerful(item["roleRef"]["name"])
            for subject in item.get("subjects") or []
        )

    def _get(self, call: Call) -> Answer:
        if call.names[0] in _LISTED:
            return self._list(call)
        found = [item for reference, item in self.objects.items() if reference in call.names]
        return as_list(found) if found else Answer()

    def _list(self, call: Call) -> Answer:
        """List all objects of a kind in a namespace, or with labels; of bindings their subjects alone."""
        kind = _LISTED[call.names[0]]
        found = [item for reference, item in self.objects.items() if reference.startswith(kind)]
        if kind == "clusterrolebinding/":
            lines = ["\t".join([f"{item['kind']}//{item['metadata']['name']}", *_subjects(item)]) for item in found]
            return Answer("".join(f"{line}\n" for line in lines))
        where = call.flags.get("--namespace", "default")
        found = [item for item in found if item["metadata"].get("namespace", "default") == where]
        labels = dict(word.split("=") for word in filter(None, call.flags.get("--selector", "").split(",")))
        return as_list([item for item in found if labels.items() <= _labels(item).items()])

    def _add_subject(self, call: Call) -> Answer:
        kind, name = call.names
        self.changes.append(f"patch {kind.lower()}/{name}")
        (change,) = json.loads(call.flags["--patch"])
        self.objects[f"{kind.lower()}/{name}"]["subjects"].append(change["value"])
        return Answer()

    def _remove_subject(self, call: Call) -> Answer:
        subject, _, binding = call.names
        kind, _, name = binding.split("/", 2)
        self.changes.append(f"remove {subject} of {name}")
        item = self.objects.get(f"{kind.lower()}/{name}")
        if item and subject in _subjects(item):
            item["subjects"].pop(_subjects(item).index(subject))
        return Answer()

    def _apply(self, item: dict[str, Any], *, force: bool) -> str:
        reference, kind = reference_of(item), item["kind"]
        self.changes.append(reference)
        there = self.objects.get(reference)
        if there is None:
            self.create(copy.deepcopy(item))
            self._applied[reference] = copy.deepcopy(item)
            return ""
        fixed = _FIXED.get(kind)
        if fixed and there.get(fixed) != item[fixed]:
            return f'The {kind} "{item["metadata"]["name"]}" is invalid: {fixed}: Invalid value: field is immutable'
        # What others have set since fedssh's last apply is theirs, unless it is what fedssh wants.
        ours = self._applied.get(reference, {})
        theirs = [key for key in _OWNED if key in item and there.get(key) not in (item[key], ours.get(key))]
        if theirs and not force:
            return f'error: Apply failed with 1 conflict: conflict with "kubectl-edit": .{theirs[0]}'
        metadata = there["metadata"]
        for key in ("labels", "annotations"):
            if key in item["metadata"]:
                kept = metadata.get(key)
                metadata[key] = {**(kept if isinstance(kept, dict) else {}), **item["metadata"][key]}
        there.update({key: copy.deepcopy(value) for key, value in item.items() if key != "metadata"})
        self._applied[reference] = copy.deepcopy(item)
        self._fill_in()
        return ""

    def _replace(self, item: dict[str, Any], *, force: bool) -> str:
        reference, kind = reference_of(item), item["kind"]
        self.changes.append(f"replace {reference}")
        fixed = _FIXED.get(kind)
        if force:
            self.delete(reference)
            self.create(item)
        elif reference not in self.objects:
            return f'Error from server (NotFound): {kind} "{item["metadata"]["name"]}" not found'
        elif fixed and self.objects[reference].get(fixed) != item.get(fixed):
            return f'The {kind} "{item["metadata"]["name"]}" is invalid: {fixed}: Invalid value: field is immutable'
        else:
            self.objects[reference] = item
        return ""

    def _fill_in(self) -> None:
        """Do the token controller's work: a token Secret of an account that is there gets its token."""
        for item in self.objects.values():
            name = _account_of(item)
            if f"serviceaccount/{name}" in self.objects and not _held(item):
                item["data"] = {"token": base64_of(self._mint(name, item)), "ca.crt": self.ca}

    def _mint_for(self, name: str) -> Answer:
        reference = f"serviceaccount/{name}"
        if reference not in self.objects:
            return error(f'Error from server (NotFound): serviceaccounts "{name}" not found')
        token = token_of(self._subject(name), secret=f"none-{len(self.minted)}")
        self.minted[token] = (name, self._serials[reference])
        return Answer(f"{token}\n")

    def _mint(self, name: str, item: dict[str, Any]) -> str:
        """Return the token of an account in a Secret."""
        reference, secret = f"serviceaccount/{name}", item["metadata"]["name"]
        if reference not in self.objects:
            return ""
        usual = "" if secret in {name, f"{name}-fedssh-1"} else secret
        return token_of(self._subject(name), serial=self._serials.get(reference, 1), secret=usual)

    def _subject(self, name: str) -> str:
        account = self.objects[f"serviceaccount/{name}"]
        return f"system:serviceaccount:{account['metadata'].get('namespace', 'default')}:{name}"

    def _is_all_powerful(self, role: str) -> bool:
        rules = self.objects.get(f"clusterrole/{role}", {}).get("rules") or []
        return any("*" in rule.get("resources", []) and "*" in rule["verbs"] for rule in rules) and any(
            "*" in rule.get("nonResourceURLs", []) for rule in rules
        )


def _items(call: Call) -> list[dict[str, Any]]:
    return list(json.loads(call.stdin)["items"])


def _answer(problems: list[str]) -> Answer:
    """Return kubectl's answer after it has gone through a list, whatever went wrong on its way."""
    said = [problem for problem in problems if problem]
    return error("\n".join(said)) if said else Answer()


def _account_of(item: dict[str, Any]) -> str:
    """Return whose tokens a Secret holds; "" for what is no token Secret."""
    if item["kind"] != "Secret" or item.get("type") != TOKEN_SECRET:
        return ""
    return str((item["metadata"].get("annotations") or {}).get("kubernetes.io/service-account.name", ""))


def _held(item: dict[str, Any]) -> Any:
    """Return the token in a Secret, as it stands there; "" where there is none."""
    data = item.get("data")
    return data.get("token", "") if isinstance(data, dict) else ""


def _names(subject: dict[str, Any]) -> str:
    return f"system:serviceaccount:{subject.get('namespace')}:{subject['name']}"


def _subjects(item: dict[str, Any]) -> list[str]:
    return [
        f"{subject['kind']}/{subject.get('namespace', '')}/{subject['name']}" for subject in item.get("subjects") or []
    ]


def _labels(item: dict[str, Any]) -> dict[str, str]:
    labels = item["metadata"].get("labels")
    return labels if isinstance(labels, dict) else {}
