"""What federates nothing by itself: kubectl, Helm, certificates, kubeconfigs, and what a member grants."""
