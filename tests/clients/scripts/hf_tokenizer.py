"""Make a tokenizer of the transformers library from a GGUF's byte-level BPE.

Arguments: a folder with ``vocabulary.json`` (``tokens`` and ``merges``; the first two tokens are BOS and EOS), into
which the tokenizer is written too; and a text, whose ids are printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""What llama.cpp calls ``qwen2``."""
folder = Path(sys.argv[1])
vocabulary = json.loads((folder / "vocabulary.json").read_text())
tokens = vocabulary["tokens"]
bos, eos = tokens[:2]
made = Tokenizer(
    models.BPE(
        {token: number for number, token in enumerate(tokens)}, [tuple(m.split(" ")) for m in vocabulary["merges"]]
    )
)
made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in (bos, eos)])
made.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Split(Regex(WORDS), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
)
made.decoder = decoders.ByteLevel()
made.post_processor = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, 0)])
PreTrainedTokenizerFast(tokenizer_object=made, bos_token=bos, eos_token=eos).save_pretrained(folder)
print(json.dumps(AutoTokenizer.from_pretrained(folder)(sys.argv[2]).input_ids))
