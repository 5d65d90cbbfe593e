"""Stanford's HELM (crfm-helm 0.5.16): a folder in which it asks what a run of ours asks."""
