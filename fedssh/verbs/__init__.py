"""What fedssh does: one file a verb, each with ``run``, which ends with a ``Report`` in every case but a bug."""
