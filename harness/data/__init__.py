"""Tables of data sets: from the Hugging Face Hub through ``datasets``, or from a folder with the same tables."""
