"""Running the tasks of a run on one model after another."""
