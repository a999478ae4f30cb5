"""The front door for ``invoke``: the same verbs as the program ``fedssh``."""

import sys
from importlib.util import find_spec

if sys.version_info < (3, 11):  # noqa: UP036  (whoever types `invoke` may have an older one on PATH)
    sys.stderr.write(f"fedssh needs Python 3.11 or newer, and this invoke ({sys.argv[0]}) runs on an older one.\n")
    sys.exit(2)

# Invoke switches bytecode off before it loads this file; every run would compile what it imports.
sys.dont_write_bytecode = False

# Most of them are imported only when a verb needs them; by then it would be too late to say so in one line.
missing = [name for name in ("fabric", "paramiko", "pydantic", "rich", "tenacity", "yaml") if find_spec(name) is None]
if missing:
    sys.stderr.write(
        f"This invoke ({sys.argv[0]}) lacks {', '.join(missing)}, which fedssh needs: "
        "`make setup`, then .venv/bin/invoke.\n"
    )
    sys.exit(2)

from fedssh.cli.tasks import namespace  # noqa: E402  (only where its libraries are there)

__all__ = ["namespace"]
