"""Next-token distributions of a reference model, recorded once and compared with while others score the same tokens."""
