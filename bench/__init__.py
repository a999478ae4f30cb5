"""Measures fedssh beside other ways to do the same: ``make bench``, as root.

``make bench BENCH='--only real --rounds 1'`` measures a part, and ``python -m bench --help`` tells what there is:

* ``start``: what takes no machine.
* ``members``: each tool's work on members, by their number and by the length of the links.
* ``host``: the work on the host, by the number of members.
* ``idle`` and ``memory``: nothing to do, and the most memory.
* ``real``: real clusters (``lab``), from nothing joined to everything joined.
* ``ssh``: what fedssh's own connections and uploads take, by the length of the link.

All but ``real`` run on machines that are not there: one real sshd behind a slow link (``wan``, ``sshd``) with many
addresses (``fleet``), and stand-ins of kubectl, kubefedctl and helm that take a fixed time each (``standin``). What
fedssh is measured against is set up in ``peers``, each in a virtual environment of its own (``venvs``, ``ways``).
"""
