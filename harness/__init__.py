"""quant-harness: says, with evidence, what quantizing a language model costs."""
