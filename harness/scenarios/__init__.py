"""What is asked: instances, independent of how they are put to a model."""
