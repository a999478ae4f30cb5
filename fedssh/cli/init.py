"""``fedssh init``: a hosts.yaml for somebody's own clusters, from words, from Ansible's inventory, or from answers."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssh.cli.ansible import load_document
from fedssh.cli.flags import CLUSTER, FROM_ANSIBLE, HOST, OUTPUT_FILE, PROBE
from fedssh.cli.questions import ask_beside, ask_for_clusters, ask_openly
from fedssh.errors import ConfigurationError, FedsshError, visible
from fedssh.federation.look.probe import Probed
from fedssh.federation.look.probe import probe as look_at_machines
from fedssh.federation.report import Progress
from fedssh.inventory import FILE_NAME, parse_inventory
from fedssh.inventory.ansible import parse_ansible
from fedssh.inventory.draft import Draft, make_draft, parse_words, render_draft
from fedssh.output import ProgressView
from fedssh.ssh import Connections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fedssh.cli.questions import Ask
    from fedssh.inventory import Inventory, Machine
    from fedssh.inventory.draft import DraftedCluster
    from fedssh.output import Messages
    from fedssh.shell import Shell

    Tell = Callable[[str], object]
    Probe = Callable[[Inventory], Mapping[str, Probed | FedsshError]]
    """Looks at the machines of an inventory; returns by cluster what was found, or why it could not be looked at."""


def run(given: Mapping[str, Any], messages: Messages) -> str:
    """Do what ``fedssh init`` is asked for; return what belongs on stdout.

    Args:
        given: The values of the verb's flags.
        messages: Where remarks and progress are told.

    Raises:
        ConfigurationError: See ``write_draft``.
    """
    path = given[OUTPUT_FILE.name]
    text = write_draft(
        given[CLUSTER.name],
        host=given[HOST.name],
        ansible=given[FROM_ANSIBLE.name],
        path=path,
        probe=partial(_look, messages) if given[PROBE.name] else None,
        tell=messages.say,
        warn=messages.warn,
    )
    if path:
        messages.say(f"Written: {visible(path)}")
    return "" if path else text


def write_draft(
    words: Sequence[str],
    *,
    host: str = "",
    ansible: str = "",
    path: str = "",
    probe: Probe | None = None,
    tell: Tell,
    warn: Tell | None = None,
    ask: Ask = ask_openly,
) -> str:
    """Draft a hosts.yaml, and write it where a path is given; return its text.

    Args:
        words: The clusters, ``NAME=USER@ADDRESS:PORT`` or less of it each; with ``ansible``, hosts and groups of that
            inventory. Without both, four questions are put.
        host: Which of them is the federation's host, by name or address; "" is the first.
        ansible: The file or folder of an Ansible inventory; "" takes the words alone.
        path: The file to write; it must not be there yet. "" writes none.
        probe: Looks at the machines for what hosts.yaml has to say besides; None leaves them alone.
        tell: Told what has become of what was named, a sentence at a time, escaped for a terminal.
        warn: Told what is not as it was named, and what is missing; by default the same as ``tell``.
        ask: Puts a question.

    Raises:
        ConfigurationError: What is named cannot be a hosts.yaml, or the file cannot be written (2). What a machine
            does not tell is no error.
    """
    warn = warn or tell
    _check_free(path)
    clusters = _find_clusters(words, host=host, ansible=ansible, warn=warn, ask=ask)
    draft, remarks = make_draft(clusters, host=host)
    for remark in remarks:
        warn(remark)
    tell(f"{draft.host.name} ({draft.host.address}) is the host cluster" + ", the first one" * (not host))
    if not draft.members:
        tell("there are no members yet")
    inventory = _check(draft, path)
    if probe:
        draft = _completed(draft, probe(inventory), tell, warn)
        _check(draft, path)
    text = render_draft(draft)
    if path:
        _write(path, text)
    return text


def _find_clusters(words: Sequence[str], *, host: str, ansible: str, warn: Tell, ask: Ask) -> list[DraftedCluster]:
    if ansible:
        clusters, remarks = parse_ansible(load_document(ansible), words=words, host=host, folder=Path.cwd())
        for remark in remarks:
            warn(remark)
        if not clusters:
            raise ConfigurationError(f"{visible(ansible)} names no machine that is reached by SSH")
        return clusters
    return parse_words(words) if words else ask_for_clusters(ask, warn)


def _check(draft: Draft, path: str) -> Inventory:
    """Return what the draft's text comes to: it is a right hosts.yaml, whatever it was made of."""
    return parse_inventory(render_draft(draft), path=Path(path or FILE_NAME))


def _look(messages: Messages, inventory: Inventory) -> Mapping[str, Probed | FedsshError]:
    """Look at the machines, over connections that end with this call."""
    progress = ProgressView(messages)

    def connect(machine: Machine) -> Shell:
        progress(Progress(cluster=machine.name, text="looking at the machine", state="running"))
        return connections.connect(machine)

    with Connections(ask_beside(progress)) as connections, progress:
        return look_at_machines(inventory, connect)


def _completed(draft: Draft, found: Mapping[str, Probed | FedsshError], tell: Tell, warn: Tell) -> Draft:
    """Return the draft with what the machines have told."""

    def completed(cluster: DraftedCluster) -> DraftedCluster:
        told = found[cluster.name]
        if isinstance(told, FedsshError):
            hint = f"\n  next: {told.hint}" * bool(told.hint)
            warn(f"{cluster.name}: its machine could not be looked at: {told.message}{hint}")
            return cluster
        for problem in told.problems:
            warn(f"{cluster.name}: {problem}")
        if told == Probed():
            tell(f"{cluster.name}: kubectl works there, and there is nothing to add")
        for key, value in (("kubeconfig", told.kubeconfig), ("api_server", told.api_server)):
            if value:
                tell(f"{cluster.name}: {key} {value} was found")
        return replace(cluster, kubeconfig=told.kubeconfig, api_server=told.api_server)

    host, *members = map(completed, draft.clusters)
    return Draft(host=host, members=tuple(members))


def _check_free(path: str) -> None:
    """Check, before anybody is asked anything, that a file can be made there.

    Raises:
        ConfigurationError: There is one, or no folder for it (2).
    """
    if not path:
        return
    if os.path.lexists(path):
        raise _taken(path)
    if not Path(path).parent.is_dir():
        folder = visible(str(Path(path).parent))
        raise ConfigurationError(
            f"{visible(path)}: there is no folder {folder}", hint=f"mkdir -p {shlex.quote(folder)}"
        )


def _taken(path: str) -> ConfigurationError:
    return ConfigurationError(
        f"{visible(path)} is there already, and stays as it is", hint="Name another file, or move that one away."
    )


def _write(path: str, text: str) -> None:
    """Write a file that is not there yet: all of it, or nothing under its name.

    Raises:
        ConfigurationError: It is there, or cannot be written (2).
    """
    file = Path(path)
    try:
        with file.open("x", encoding="utf-8") as opened:
            try:
                opened.write(text)
                opened.flush()
            except BaseException:
                file.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise ConfigurationError(f"{visible(path)}: {error.strerror}") from None
