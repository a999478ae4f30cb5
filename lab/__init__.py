"""The lab: real federations of Kubernetes clusters in containers, for tests and by hand.

Nothing is pulled from an image registry. ``build`` makes the images from Debian packages and Go modules,
``clusters`` starts and stops machines made from them, and ``python -m lab`` does both from a checkout.
"""
