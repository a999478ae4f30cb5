"""The front door for ``invoke``: the same verbs as the program ``fedssh``."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (whoever types `invoke` may have an older one on PATH)
    sys.stderr.write(f"fedssh needs Python 3.11 or newer, and this invoke ({sys.argv[0]}) runs on an older one.\n")
    sys.exit(2)

# Invoke switches bytecode off before it loads this file; every run would compile what it imports.
sys.dont_write_bytecode = False

try:
    from fedssh.cli import namespace
except ImportError as error:
    sys.stderr.write(
        f"This invoke ({sys.argv[0]}) lacks {error.name}, which fedssh needs: `make setup`, then .venv/bin/invoke.\n"
    )
    sys.exit(2)

__all__ = ["namespace"]
