"""Next-token distributions of every quantization against the reference's, over one text, token by token."""
