"""KubeFed: everything that bears its names. The module is the engine (``fedssh.engines.protocol.Engine``).

Facts are of KubeFed 0.10.0 unless a comment says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.engines.kubefed.checkup import checkup_commands, checkup_findings
from fedssh.engines.kubefed.clusters import (
    READY_SECONDS,
    after_join,
    correct_command,
    corrections,
    credential,
    label_command,
    list_commands,
    parse_labels,
    parse_list,
    parse_reconnect,
    reconnect_command,
    wait_command,
)
from fedssh.engines.kubefed.install import NAMESPACE, PART_SECONDS
from fedssh.engines.kubefed.join import JOIN_SECONDS, parse_join
from fedssh.engines.kubefed.journey import journey_line
from fedssh.engines.kubefed.leaving import (
    account_base,
    account_of,
    empty_namespace_command,
    expected_traces,
    forget_command,
    host_trace_commands,
    let_go_by_hand,
    let_go_command,
    member_trace_commands,
    note_command,
    parse_host_traces,
    parse_member_traces,
    secrets_of,
    usual_account,
    withdraw_command,
)
from fedssh.engines.kubefed.look import parse_state, state_commands, tool_commands
from fedssh.engines.kubefed.removal import installation_commands, parse_installation
from fedssh.engines.kubefed.residue import residue_commands, residue_findings
from fedssh.engines.kubefed.rotation import (
    account_commands,
    account_name,
    make_account_commands,
    next_account,
    parse_accounts,
    parse_made_account,
    remove_account_commands,
    swap_command,
)
from fedssh.engines.kubefed.supplies import artefacts, images
from fedssh.kubernetes.kubeconfig.entries import EntryNames

if TYPE_CHECKING:
    from fedssh.engines.protocol import Engine

__all__ = [
    "CLUSTER_TITLE",
    "HOST_JOINS",
    "JOIN_SECONDS",
    "MEMBER_NAMESPACE",
    "NAME",
    "PART_SECONDS",
    "READY_SECONDS",
    "TITLE",
    "account_base",
    "account_commands",
    "account_name",
    "account_of",
    "after_join",
    "artefacts",
    "broken_credential_hint",
    "checkup_commands",
    "checkup_findings",
    "correct_command",
    "corrections",
    "credential",
    "empty_namespace_command",
    "entry_names",
    "expected_traces",
    "forget_command",
    "host_trace_commands",
    "images",
    "installation_commands",
    "journey_line",
    "label_command",
    "let_go_by_hand",
    "let_go_command",
    "list_commands",
    "make_account_commands",
    "member_of",
    "member_trace_commands",
    "next_account",
    "note_command",
    "parse_accounts",
    "parse_host_traces",
    "parse_installation",
    "parse_join",
    "parse_labels",
    "parse_list",
    "parse_made_account",
    "parse_member_traces",
    "parse_reconnect",
    "parse_state",
    "reconnect_command",
    "remove_account_commands",
    "residue_commands",
    "residue_findings",
    "secrets_of",
    "state_commands",
    "swap_command",
    "tool_commands",
    "usual_account",
    "wait_command",
    "withdraw_command",
]

NAME: Final = "kubefed"
TITLE: Final = "KubeFed"
CLUSTER_TITLE: Final = "KubeFedCluster"
HOST_JOINS: Final = True
MEMBER_NAMESPACE: Final = NAMESPACE

_REMOTE: Final = "kubefed-remote-"


def entry_names(cluster: str) -> EntryNames:
    """Return how a member's entries are called in the host's kubeconfig: as KubeFed's users call them by hand."""
    return EntryNames(context=cluster, cluster=f"{_REMOTE}{cluster}", user=f"kubefed-{cluster}")


def member_of(cluster_entry: str) -> str:
    """Return the member whose cluster entry of ``entry_names`` bears that name, or ""."""
    return cluster_entry.removeprefix(_REMOTE) if cluster_entry.startswith(_REMOTE) else ""


def broken_credential_hint() -> str:
    """Return what to do where KubeFed's own credential for a cluster does not work."""
    return f"Run this again; if it stays so, look at the ServiceAccounts in {NAMESPACE} there."


if TYPE_CHECKING:
    import fedssh.engines.kubefed as _this

    _is_an_engine: Engine = _this
