"""Writes a model that says what a script tells it to: every token has its successors.

The embedding is the identity and the layer adds nothing, so the output matrix alone decides: row
"next", column "now" is 2 where `next` may follow `now`, else 0. All of it is a Hugging Face folder
of ordinary parts; nothing in the program knows about it.
"""
import json
import os
import struct

FIRST_BYTE = 4
SPACE = "\u2581"


def tokenizer(words, special, pieces, bos, eos):
    names = ["<unk>", bos, "<pad>", SPACE] + [f"<0x{byte:02X}>" for byte in range(256)]
    vocab = {name: i for i, name in enumerate(names)}
    for word in special + words + list(pieces):
        vocab.setdefault(word, len(vocab))
    added = [{"id": vocab[word], "content": word, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": word not in words}
             for word in ["<unk>", bos, "<pad>"] + special + words]
    return vocab, {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": sorted(added, key=lambda token: token["id"]),
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False, "vocab": vocab,
                  "merges": [" ".join(piece) for piece in pieces if len(piece) == 2]},
    }


def weights(n_vocab, successors):
    """Tensors of a Llama with one layer that adds zero."""
    width = (n_vocab + 15) // 16 * 16
    table = [[0.0] * width for _ in range(n_vocab)]
    for current, following in successors.items():
        for then in following:
            table[then][current] = 2.0
    tensors = {"model.embed_tokens.weight": ([n_vocab, width],
                                             [float(i == j) for i in range(n_vocab) for j in range(width)]),
               "model.norm.weight": ([width], [1.0] * width),
               "lm_head.weight": ([n_vocab, width], [value for row in table for value in row])}
    layer = "model.layers.0."
    for name, shape in (("input_layernorm", [width]), ("post_attention_layernorm", [width]),
                        ("self_attn.q_proj", [16, width]), ("self_attn.k_proj", [16, width]),
                        ("self_attn.v_proj", [16, width]), ("self_attn.o_proj", [width, 16]),
                        ("mlp.gate_proj", [16, width]), ("mlp.up_proj", [16, width]),
                        ("mlp.down_proj", [width, 16])):
        size = shape[0] * (shape[1] if len(shape) > 1 else 1)
        tensors[layer + name + ".weight"] = (shape, [float(len(shape) == 1)] * size)
    return width, tensors


def write_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, (shape, values) in tensors.items():
        blob = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def dump(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)


def make(folder, script, start, special=(), template=None, context=2048, eos="<end>", bos="<s>",
         generation=None, pieces=()):
    """script: token text -> list of successors' texts. What it does not name is followed by
    `start`. Texts of one character below 128 may also be a key: that byte's token; "<0xXX>" is one
    everywhere. Words of the script are added tokens, but for `pieces`: ordinary ones, of one
    character or merged from two."""
    os.makedirs(folder)
    special = [eos] + [word for word in special if word != eos]
    others = {*special, *pieces, SPACE, *(f"<0x{byte:02X}>" for byte in range(256))}
    words = sorted(({word for following in script.values() for word in following}
                    | {word for word in script if len(word) > 1} | {start}) - others)
    vocab, data = tokenizer(words, special, pieces, bos, eos)

    def token(text):
        return vocab[text] if text in vocab else FIRST_BYTE + ord(text)

    successors = {i: [vocab[start]] for i in range(len(vocab))}
    for current, following in script.items():
        successors[token(current)] = [token(then) for then in following]
    width, tensors = weights(len(vocab), successors)
    write_safetensors(os.path.join(folder, "model.safetensors"), tensors)
    dump(folder, "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": width, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 16,
        "max_position_embeddings": context, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
        "torch_dtype": "float32", "vocab_size": len(vocab), "bos_token_id": vocab[bos],
        "eos_token_id": vocab[eos], "use_cache": True})
    dump(folder, "tokenizer.json", data)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos,
              "add_bos_token": False, "add_eos_token": False}
    if template:
        config["chat_template"] = template
    dump(folder, "tokenizer_config.json", config)
    if generation is not None:
        dump(folder, "generation_config.json", generation)
