"""The machines, for pyinfra; ``SITE`` names their machines.json. Host keys are verified."""

import json
import os
from pathlib import Path

_site = json.loads(Path(os.environ["SITE"]).read_text())
_common = {
    "ssh_user": "root",
    "ssh_key": _site["identity_file"],
    "ssh_known_hosts_file": _site["known_hosts"],
    "ssh_strict_host_key_checking": "yes",
    "ssh_look_for_keys": False,
    "ssh_allow_agent": False,
}


def _described(one: dict[str, str]) -> tuple[str, dict[str, object]]:
    return one["name"], {**_common, "ssh_hostname": one["address"], "ssh_port": one["port"]}


members = [_described(one) for one in _site["members"]]
federation_host = [_described(_site["host"])] if os.environ.get("WITH_HOST") else []
