"""``python -m fedssh``: the program."""

from __future__ import annotations

from fedssh.cli import main

main()
