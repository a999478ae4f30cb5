# ruff: noqa: INP001 - a script beside the documentation, no package
"""Records commands on a terminal and writes what stands there at the end as an SVG.

``.venv/bin/python docs/record.py docs/federate.svg "invoke federate --member member1"`` makes the README's picture.
"""

from __future__ import annotations

import argparse
import fcntl
import html
import os
import pty
import re
import shlex
import struct
import sys
import termios
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

COLUMNS: Final = 100
ROWS: Final = 50
CHECKOUT: Final = Path(__file__).resolve().parents[1]

_DISTURBING: Final = {"COLUMNS", "LINES", "NO_COLOR"}
# Readers' own fonts: a picture in a README has nothing to fetch.
_FONT: Final = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
_FONT_FACE: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_PIECE: Final = re.compile(
    r'<text class="(?P<kind>[-\w]+)" x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength="[\d.]+"'
    r"(?P<clip>[^>]*)>(?P<content>[^<]*)</text>"
)
_SPACE: Final = "&#160;"
_CELL: Final = 12.2  # how wide rich draws a character
_TOKEN: Final = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+|\x1b)")


def main() -> int:
    """Record what the command line names; return the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description="Record commands as an SVG.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("commands", nargs="+", metavar="command")
    arguments = parser.parse_args()
    shown, codes = [], []
    for command in arguments.commands:
        code, answer = run(shlex.split(command))
        shown.append("\n".join([f"\x1b[1;32m$\x1b[0m \x1b[1m{command}\x1b[0m", *screen(answer)]))
        codes.append(code)
    arguments.picture.write_text(render("\n\n".join(shown), title="fedssh"))
    return next((code for code in codes if code), 0)


def run(argv: list[str]) -> tuple[int, str]:
    """Run a command of the checkout on a terminal of its own; return its exit code and all that it wrote."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(CHECKOUT)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in _DISTURBING}
        path = f"{CHECKOUT / '.venv' / 'bin'}:{environment['PATH']}"
        os.execvpe(argv[0], argv, environment | {"PATH": path, "TERM": "xterm-256color"})  # noqa: S606  (no shell)
    written = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not chunk:
            break
        written += chunk
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), written.decode()


def screen(written: str) -> list[str]:
    """Return the lines that are left when the live ones have been erased, with their colours.

    Only what rich writes is understood: whole lines, erased before they are written again.
    """
    lines, row = [""], 0
    for parameters, letter, control, text in _TOKEN.findall(written):
        if control == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif letter == "A":
            row = max(row - int(parameters or 1), 0)
        elif letter == "K":
            lines[row] = ""
        elif letter == "m":
            lines[row] += f"\x1b[{parameters}m"
        else:
            lines[row] += text
    while lines and not lines[-1]:
        lines.pop()
    return lines


def render(ansi: str, *, title: str) -> str:
    """Render text with colours as an SVG that fetches nothing; longer lines are broken, as a terminal does."""
    whole = Text.from_ansi(ansi).split("\n", allow_blank=True)
    lines = [line[start : start + COLUMNS] for line in whole for start in range(0, max(1, len(line)), COLUMNS)]
    text = Text("\n").join(lines)
    width = max(line.cell_len for line in lines) + 1
    console = Console(width=width, record=True, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(text, soft_wrap=True)
    svg = console.export_svg(title=title, unique_id="fedssh")
    svg = _FONT_FACE.sub("", svg).replace("font-family: Fira Code, monospace", f"font-family: {_FONT}")
    svg = _PIECE.sub(_place_words, svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _place_words(piece: re.Match[str]) -> str:
    """Put every word of a piece of text at its own column: not every viewer keeps spaces, or has rich's font."""
    placed, column = [], 0
    for part in re.split(rf"((?:{_SPACE})+)", piece["content"].strip("\n")):
        length = len(html.unescape(part))
        if part and not part.startswith(_SPACE):
            x = round(float(piece["x"]) + column * _CELL, 1)
            placed.append(f'<text class="{piece["kind"]}" x="{x}" y="{piece["y"]}"{piece["clip"]}>{part}</text>')
        column += length
    return "".join(placed)


if __name__ == "__main__":
    sys.exit(main())
