"""How the next token is to be chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampling:
    """Parameters of the chain under llama.cpp's names; the defaults change nothing but the draw."""

    temperature: float = 1.0
    """0 is greedy, unless ``dynatemp_range`` raises it."""
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    top_k: int = 0
    """0: all."""
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    top_n_sigma: float = -1.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    min_keep: int = 0
    repeat_last_n: int = 64
    """How many of the latest tokens, the prompt's included, the penalties look at; -1: all."""
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[tuple[int, float], ...] = ()
    ignore_eos: bool = False
    min_tokens: int = 0
    """Tokens before which the model may not end."""
    grammar: str = ""
    """GBNF that the completion must follow."""
    seed: int = 0

    @property
    def penalizes(self) -> bool:
        """Whether what was said before changes what is said next."""
        return self.repeat_penalty != 1 or self.presence_penalty != 0 or self.frequency_penalty != 0

    @property
    def is_greedy(self) -> bool:
        """Whether the chain would choose the most likely token, after biases and bans."""
        reshapes = self.penalizes or self.dry_multiplier > 0 or self.xtc_probability > 0 or self.typical_p < 1
        is_cold = self.temperature == 0 and self.dynatemp_range == 0
        return is_cold and self.mirostat == 0 and not reshapes and not self.grammar


NEUTRAL = Sampling()
"""A plain draw from the model's own distribution."""
