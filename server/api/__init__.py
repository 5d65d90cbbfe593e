"""Routes, one file a group. They validate, hand jobs to the engine and format what comes back."""
