"""Scenarios whose questions are tables of the Hugging Face Hub, or of an offline mirror of it: a file a family."""
