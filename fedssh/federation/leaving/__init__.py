"""How clusters leave a federation: what is found, what forbids it, what is to be done, and what is left.

All but ``execute`` is pure.
"""
