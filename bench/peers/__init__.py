"""What fedssh is measured against, each set up as its users would: settings, scripts, and pinned versions.

Each tool has a file of versions (``*.txt``), its own ones first; from it the bench makes a virtual environment below
``bench/.venvs``. What can be chosen is written down, with the reason, in the file that the tool itself reads.
"""
