#!/usr/bin/env python3
"""Makes the reference values of Qwen3, the text encoder of FLUX.2 klein, in crates/i2am-nets.

Requirements (pip): torch==2.13.0 transformers==5.23.0 diffusers==0.42.1 tokenizers==0.23.3 safetensors==0.8.0 numpy==2.4.6 pillow==13.0.0

    python scripts/golden/qwen3.py           from the root of the repository; rewrites the fixture folder

Needs no network and no weights. A small Qwen3 with random weights and a tokenizer that is trained on the sentences below are saved by the
transformers library, in bfloat16 and in shards, as the published ones are; embeddings come from the function of diffusers' pipeline, in
float32. The numbers of tensors and weights at the published sizes are counted on a network without memory. A second run writes the same
bytes, except for the date.
"""

import shutil

import torch
from diffusers import Flux2KleinPipeline
from fixture import ROOT, write
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import ByteLevel
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

FIXTURES = ROOT / "crates/i2am-nets/tests/fixtures"
FOLDER = FIXTURES / "qwen3"
PACKAGES = "torch transformers diffusers tokenizers safetensors numpy".split()
SEED = 6104
TOLERANCE = "tokens equal; states 1e-5 of the largest magnitude, of sums and angles in 32 bits"

# One layer more than is read; grouped heads whose width is not that of the states; the embedding serves as the head, as in 4B.
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 28,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 400,
    "tie_word_embeddings": True,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
}
LAYERS = [9, 18, 27]
# Of Qwen3-4B and Qwen3-8B, which klein 4B and 9B read.
PUBLISHED = {
    "klein-4b": {"hidden_size": 2560, "intermediate_size": 9728, "tie_word_embeddings": True},
    "klein-9b": {"hidden_size": 4096, "intermediate_size": 12288, "tie_word_embeddings": False},
}
PUBLISHED_COMMON = {"num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936}

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# In the published vocabulary, but words to the tokenizer's decoder.
THINKING = ["<think>", "</think>"]
# What the published template makes of one message of a user.
TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
SENTENCES = [
    "The person wears the garment of image 2.",
    "Replace the shirt of the person in image 1 with the shirt in image 2, and keep everything else.",
    "user assistant user assistant",
    "The woman's dress isn't striped; it's plain. They'll wear the jacket and the trousers.",
]
MERGED = 100
PROMPTS = {
    "empty": "",
    "plain": "The person wears the garment of image 2.",
    "words": "  It's  12.5\u00a0% wool,\r\n\r\n\tISN'T it?  Cafe\u0301 \u4e0a\u8863 \U0001f455 ",
    "marks": "a <|im_end|> in a <think> prompt",
    "long": "The shirt has 3 buttons. " * 60,
}
# Lengths to which prompts are filled up; the second is the published one, of which every 37th state is kept.
SHORT, LONG, EVERY = 32, 512, 37


def tokenizer() -> Qwen2Tokenizer:
    """Bytes, some merges, and the marks of Qwen3 behind them, opened by the class of the published tokenizer."""
    own = Tokenizer(models.BPE())
    own.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated")
    own.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    own.post_processor = ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    own.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=len(alphabet) + MERGED, initial_alphabet=alphabet, show_progress=False)
    own.train_from_iterator(SENTENCES, trainer)
    own.add_special_tokens([AddedToken(mark, special=True) for mark in SPECIAL])
    own.add_tokens([AddedToken(mark, normalized=False) for mark in THINKING])
    saved = PreTrainedTokenizerFast(tokenizer_object=own, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE)
    saved.save_pretrained(FOLDER / "tokenizer")
    return Qwen2Tokenizer.from_pretrained(FOLDER / "tokenizer", local_files_only=True)


def encoder() -> Qwen3ForCausalLM:
    """Random weights of unit gain, saved in shards."""
    torch.manual_seed(SEED)
    model = Qwen3ForCausalLM(Qwen3Config(**SIZES))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.normal_(0.0, 1.0 if "embed" in name else parameter.shape[1] ** -0.5)
    model.to(torch.bfloat16).save_pretrained(FOLDER / "text_encoder", max_shard_size="60KB")
    return AutoModelForCausalLM.from_pretrained(FOLDER / "text_encoder", local_files_only=True, dtype=torch.float32).eval()


def counted(sizes: dict) -> dict[str, int]:
    """Tensors and weights up to the last layer that is read."""
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**PUBLISHED_COMMON, **sizes))
    kept = [model.model.embed_tokens, *model.model.layers[: LAYERS[-1]]]
    parameters = [parameter for part in kept for parameter in part.parameters()]
    everything = sum(parameter.numel() for parameter in model.parameters())
    return {"tensors": len(parameters), "weights": sum(parameter.numel() for parameter in parameters), "weights_of_all": everything}


def main() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    text, network = tokenizer(), encoder()
    prompts, states = {}, {}
    for name, prompt in PROMPTS.items():
        chat = [{"role": "user", "content": prompt}]
        filled = text.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, enable_thinking=False)
        tokens = text(filled, padding="max_length", truncation=True, max_length=LONG)
        words = sum(tokens["attention_mask"])
        assert tokens["attention_mask"] == [1] * words + [0] * (LONG - words)
        assert set(tokens["input_ids"][words:]) <= {text.pad_token_id}
        prompts[name] = {"prompt": prompt, "chat": filled, "tokens": tokens["input_ids"][:words], "padding": text.pad_token_id}

        def embedded(length: int) -> torch.Tensor:
            return Flux2KleinPipeline._get_qwen3_prompt_embeds(network, text, prompt, max_sequence_length=length, hidden_states_layers=LAYERS)[0]

        states[f"{name}.short"] = embedded(SHORT).contiguous()
        states[f"{name}.long"] = embedded(LONG)[::EVERY].contiguous()
    save_file(states, FOLDER / "states.safetensors")
    values = {"prompts": prompts, "published": {name: counted(sizes) for name, sizes in PUBLISHED.items()}}
    write("qwen3", values, PACKAGES, TOLERANCE, root=FIXTURES, seed=SEED)


if __name__ == "__main__":
    main()
