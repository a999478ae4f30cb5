"""fedssh, and at its end the most memory that it has held: ``python -m bench.peak FILE ARGUMENTS…``.

The kernel's own count for an ended process begins with the process that it was forked from, which is the bench.
"""

from __future__ import annotations

import atexit
import re
import sys
from pathlib import Path

from fedssh.cli import main

if __name__ == "__main__":
    file = Path(sys.argv[1])
    status = Path("/proc/self/status")
    atexit.register(lambda: file.write_text(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())[0]))
    sys.argv = ["fedssh", *sys.argv[2:]]
    main()
