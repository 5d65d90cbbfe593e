"""A made-up world that the bundled model was trained on, and the scenarios that ask about it."""
