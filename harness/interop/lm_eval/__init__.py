"""Tasks for EleutherAI's lm-evaluation-harness that ask byte for byte what a run of ours asks."""
