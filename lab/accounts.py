"""Users of the machines who are not root: one whom sudo lets through, one whom it asks for a password."""

from typing import Final

from lab.clusters import Lab, each
from lab.versions import SOURCE

# In group sudo, with homes of their own, and the lab's key.
ADMIN: Final = "admin"  # becomes root without a password; bash; a noisy .bashrc, a banner, a motd
ASKED_ADMIN: Final = "adminpw"  # becomes root with this password; dash
PASSWORD: Final = "correct horse 'battery' $taple"  # noqa: S105 - of a user in a container


def add_accounts(lab: Lab) -> None:
    """Add the users to every machine; they are there until the machine is made anew."""
    key = lab.identity_file.with_suffix(".pub").read_bytes()
    script = (SOURCE / "servers" / "accounts").read_text()

    each(lambda machine: machine.check("sh", "-c", script, "accounts", PASSWORD, stdin=key), lab.machines)
