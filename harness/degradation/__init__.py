"""Paired statistics over DataFrames: what a quantization changed against the reference."""
