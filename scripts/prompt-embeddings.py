#!/usr/bin/env python3
"""Embeddings of a prompt for `family = "flux2-klein"`, by the text encoder of a FLUX.2 klein folder.

    python3 scripts/prompt-embeddings.py PATH/TO/FLUX.2-klein-4B prompt.safetensors --prompt "the person wears the garment"
    python3 scripts/prompt-embeddings.py PATH/TO/FLUX.2-klein-4B empty.safetensors --prompt ""

For a transformer without its folder, or a machine whose memory the text encoder does not fit into: else the setting `prompt` does the same.

Reads the folders `text_encoder` and `tokenizer`; the network is not used. The prompt is one message of a user in the tokenizer's chat template,
with a generation prompt and without thinking, filled up to 512 tokens. The states after layers 9, 18 and 27 stand side by side.

Writes a safetensors file with
- `embeddings` [512, 3 * width of the text encoder]: 7680 wide for klein 4B, 12288 for 9B;
- `attention_mask` [512], 1 for tokens of the prompt and 0 for its padding. The transformer reads all of them; the mask lets records and
  interventions tell them apart.

Needs torch, transformers (4.56 or later) and safetensors. Klein 4B's text encoder takes 8 GB in bfloat16; `--dtype float32` needs twice that.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

LAYERS = (9, 18, 27)
TOKENS = 512


def embed(folder: Path, prompt: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings [tokens, width] and which tokens are the prompt's, [tokens]."""
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    encoder = AutoModelForCausalLM.from_pretrained(folder / "text_encoder", local_files_only=True, dtype=dtype).eval()
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    tokens = tokenizer(text, return_tensors="pt", padding="max_length", truncation=True, max_length=TOKENS)
    with torch.no_grad():
        states = encoder(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            output_hidden_states=True,
            use_cache=False,
        ).hidden_states
    if len(states) <= LAYERS[-1]:
        raise SystemExit(f"{folder / 'text_encoder'}: expected more than {LAYERS[-1]} layers, found {len(states) - 1}")
    embeddings = torch.cat([states[layer][0] for layer in LAYERS], dim=1)
    return embeddings, tokens["attention_mask"][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a FLUX.2 klein folder with text_encoder and tokenizer")
    parser.add_argument("out", type=Path, help="the safetensors file to write")
    parser.add_argument("--prompt", required=True, help="what is asked of the model; empty for the pass without a prompt")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16", help="what the encoder computes in")
    arguments = parser.parse_args()
    embeddings, mask = embed(arguments.folder, arguments.prompt, getattr(torch, arguments.dtype))
    tensors = {"embeddings": embeddings.contiguous(), "attention_mask": mask.to(torch.uint8)}
    save_file(tensors, arguments.out, metadata={"prompt": arguments.prompt})
    print(f"{arguments.out}: {list(embeddings.shape)}, {int(mask.sum())} tokens of the prompt")


if __name__ == "__main__":
    main()
