"""The models of a run while they are served: files whose servers the run starts, and endpoints that already run."""
