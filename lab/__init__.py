"""The lab: real federations of Kubernetes clusters in containers, for tests and by hand.

Nothing is pulled from an image registry. ``build`` makes the images from Debian packages and Go modules,
``clusters`` starts and stops machines made from them, and ``python -m lab`` does both from a checkout.
Tests add what they need: ``doors`` (a jump host and a gate), ``accounts`` (users who are not root), ``proxies``
(a member behind HTTPS with other certificates) and ``kubeconfigs``; ``audit`` tells them who changed what in a cluster.
"""
