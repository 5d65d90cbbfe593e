"""What is done with runs on disk: read, recomputed, held against a margin, compared, planned from."""
