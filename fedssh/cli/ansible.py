"""Ansible's inventory as a document: by Ansible's own program, or a file that is what this prints.

Values of the inventory may be passwords. Ansible quotes them when it complains; what it says is told without them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from fedssh.errors import ConfigurationError, visible
from fedssh.shell import last_words

PROGRAM: Final = "ansible-inventory"
SECONDS: Final = 60
"""How long an inventory may take; a dynamic one asks a cloud."""

_LARGEST_BYTES: Final = 64 << 20
_QUOTATION: Final = re.compile(r"['\"]|\bgot:")
_SAID: Final = re.compile(r"\s*(\[(ERROR|WARNING)\]|ERROR[:!])|Origin: [^'\"]*:\d+$")


def load_document(path: str) -> object:
    """Return what ``ansible-inventory --list`` says of an inventory, as Python data.

    Args:
        path: A file or a folder. A file that is such an answer already is read without Ansible.

    Raises:
        ConfigurationError: It cannot be read, Ansible is not there, or does not understand it (2).
    """
    source = Path(path).absolute()
    shown = visible(path)
    if not source.exists():
        raise ConfigurationError(f"{shown}: there is no such inventory")
    known = _read(source, shown)
    if known is not None:
        return known
    hint = (
        f"Run {PROGRAM} -i {shlex.quote(shown)} --list >inventory.json where Ansible is, then name inventory.json here"
    )
    if not shutil.which(PROGRAM):
        raise ConfigurationError(f"{PROGRAM} is not there, and {shown} is not what it prints", hint=hint)
    code, answer, words = _run(source)
    with suppress(ValueError, RecursionError):
        if code == 0:
            return json.loads(answer)
    # The exception, which holds the text, must not become the context.
    raise ConfigurationError(
        f"{PROGRAM} does not understand {shown} (exit code {code}): {_without_values(words) or 'it said nothing'}",
        hint=f"All that it says is shown by: {PROGRAM} -i {shlex.quote(shown)} --list",
    )


def _read(source: Path, shown: str) -> object | None:
    """Return the document in a file that is Ansible's answer already, None where it is something else."""
    if not source.is_file():
        return None
    try:
        with source.open("rb") as file:
            content = file.read(_LARGEST_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{shown}: {error.strerror}") from None
    if not content.lstrip().startswith(b"{"):
        return None
    with suppress(ValueError, RecursionError):
        document = json.loads(content)
        return document if isinstance(document, dict) and "_meta" in document else None
    return None


def _run(source: Path) -> tuple[int, str, str]:
    """Run Ansible's program; return its exit code and what it said. What it has started ends with it."""
    process = subprocess.Popen(
        [PROGRAM, f"--inventory={source}", "--list"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Else an inventory that nobody understands is an empty one.
        env={**os.environ, "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True", "ANSIBLE_NOCOLOR": "True"},
        start_new_session=True,
    )
    try:
        answer, words = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"{PROGRAM} did not answer within {SECONDS} s") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
    return process.returncode, answer.decode(errors="replace"), words.decode(errors="replace")


def _without_values(words: str) -> str:
    """Return what Ansible complains about, without what it quotes: that may be a password.

    It quotes whole lines of the inventory below its sentences, and values behind a "got:" or in quotation marks.
    """
    sentences = []
    for line in filter(_SAID.match, words.splitlines()):
        said, *quotation = _QUOTATION.split(re.sub(r"with '(\w+)' plugin", r"with the plugin \1", line), maxsplit=1)
        sentences.append(said.strip() + " …" * bool(quotation))
    return last_words("\n".join(dict.fromkeys(sentences)))
