"""llama.cpp behind typed objects: one thread owns the context, everything else talks to that thread."""
