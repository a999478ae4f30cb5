"""Completion: the scripts by which bash, zsh and fish ask ``fedssh``, and what it answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from fedssh.cli.flags import BEFORE_THE_VERB, HOSTS, LABEL, MEMBER, SHELL, Flag, by_spelling
from fedssh.cli.table import VERBS
from fedssh.errors import ConfigurationError, FedsshError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.inventory import Inventory
    from fedssh.output import Messages

# Each asks with all words up to the cursor, the one that is being typed last. No answer leaves the files to the shell.
_SCRIPTS: Final = {
    "bash": """\
# fedssh completion for bash: source <(fedssh completion bash)
_fedssh() {
    local line="${COMP_LINE:0:COMP_POINT}" words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    # bash takes = and : for ends of words; what stands before the last of them must not be repeated.
    local typed="${words[${#words[@]}-1]}" kept=""
    [[ $typed == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]] && kept="${typed%"${typed##*[=:]}"}"
    local IFS=$'\\n'
    COMPREPLY=($("$1" --complete -- "${words[@]:1}" 2>/dev/null))
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=,] ]] && compopt -o nospace
}
complete -o default -F _fedssh fedssh
""",
    "zsh": """\
#compdef fedssh
# fedssh completion for zsh: source <(fedssh completion zsh), after compinit
_fedssh() {
    local -a found
    found=("${(@f)$("${words[1]}" --complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n ${found[*]} ]]; then
        compadd -Q -- "${found[@]}"
    else
        _files
    fi
}
compdef _fedssh fedssh
""",
    "fish": """\
# fedssh completion for fish: fedssh completion fish > ~/.config/fish/completions/fedssh.fish
function __fedssh_complete
    set -l words (commandline --tokenize --cut-at-cursor) (commandline --current-token --cut-at-cursor)
    $words[1] --complete -- $words[2..-1] 2>/dev/null
end
complete --command fedssh --arguments '(__fedssh_complete)'
""",
}


def run(given: Mapping[str, Any], messages: Messages) -> str:
    """Return a shell's completion script.

    Args:
        given: The values of the verb's flags.
        messages: Not needed: there is nothing to tell.

    Raises:
        ConfigurationError: No shell is named, or one that is not known (2).
    """
    del messages
    shells = given[SHELL.name]
    if len(shells) != 1 or shells[0] not in _SCRIPTS:
        raise ConfigurationError("which shell? fedssh completion bash, zsh or fish")
    return _SCRIPTS[shells[0]]


def complete(words: Sequence[str]) -> list[str]:
    """Return what the word that is being typed may become.

    Args:
        words: The words behind ``fedssh``, the one that is being typed last.
    """
    *before, typed = words or [""]
    verb = next((verb for verb in VERBS if verb.name in _plain(before)), None)
    flags = verb.all_flags if verb else BEFORE_THE_VERB
    named = by_spelling(flags)
    start, equals, value = typed.partition("=")
    if before and before[-1] in named and named[before[-1]].takes_value:
        return _values(named[before[-1]], typed, words)
    if equals and start in named:
        return [f"{start}={candidate}" for candidate in _values(named[start], value, words)]
    if typed.startswith("-"):
        own = ["--help"] if verb else ["--help", "--version"]
        return [name for name in (*(flag.option for flag in flags), *own) if name.startswith(typed)]
    if verb is None:
        return [one.name for one in VERBS if one.name.startswith(typed)]
    taking = next((flag for flag in flags if flag.takes_words), None)
    return _values(taking, typed, words) if taking else []


def _plain(before: Sequence[str]) -> list[str]:
    """Return the words that are neither flags nor their values."""
    with_value = {spelling for spelling, flag in by_spelling(BEFORE_THE_VERB).items() if flag.takes_value}
    return [word for last, word in zip(["", *before], before, strict=False) if last not in with_value]


def _values(flag: Flag, typed: str, words: Sequence[str]) -> list[str]:
    """Return what a flag's value may become; several may stand in one, with commas between them."""
    done, comma, last = typed.rpartition(",")
    candidates: Sequence[str] = flag.choices
    if flag in {MEMBER, LABEL} and (inventory := _load(words)):
        candidates = [member.name for member in inventory.members]
        if flag is LABEL:
            labels = (f"{key}={value}" for member in inventory.members for key, value in member.labels.items())
            candidates = sorted(set(labels))
    taken = done.split(",")
    return [f"{done}{comma}{one}" for one in candidates if one.startswith(last) and one not in taken]


def _load(words: Sequence[str]) -> Inventory | None:
    """Return the hosts.yaml that the words mean; None where it is missing or has mistakes."""
    from fedssh.inventory import choose_hosts_file, load_inventory  # noqa: PLC0415  (slow to import)

    named = os.environ.get("FEDSSH_HOSTS", "")
    for last, word in zip(["", *words], words, strict=False):
        start, equals, value = word.partition("=")
        if last in HOSTS.spellings:
            named = word
        elif equals and start in HOSTS.spellings:
            named = value
        elif word.startswith(f"-{HOSTS.short}") and word[2:]:
            named = word[2:]
    try:
        return load_inventory(choose_hosts_file(named))
    except FedsshError:
        return None
