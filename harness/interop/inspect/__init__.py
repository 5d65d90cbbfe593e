"""Tasks for the UK AI Security Institute's Inspect that ask byte for byte what a run asks."""
