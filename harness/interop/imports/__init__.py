"""Results of other harnesses, answer by answer, as a run of ours."""
