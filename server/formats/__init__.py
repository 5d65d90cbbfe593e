"""Engine results into response bodies. Done in the HTTP layer, never in the inference thread."""
