#!/usr/bin/env python3
"""--adapter as commands take it: what it changes, scales, both forms, merging, and what is refused.

usage: test_adapter.py PROGRAM   (run from the source root)
"""
import array
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
MODEL = "tests/golden/qwen3"
TOKENS = f"{MODEL}/tokens.json"
EXACT = ("--act", "f32", "--kv", "f32")


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=120)


def config_of(model):
    with open(f"{model}/config.json", encoding="utf-8") as file:
        return json.load(file)


def peft_tensors(modules, size, rank):
    """name -> (shape, values), as PEFT calls them; modules: name, outputs, inputs."""
    draw = random.Random(1)
    tensors = {}
    for module, n_out, n_in in modules:
        for half, shape in (("A", (rank, n_in)), ("B", (n_out, rank))):
            end = f"lora_embedding_{half}" if module.endswith("embed_tokens") else f"lora_{half}.weight"
            tensors[f"base_model.model.{module}.{end}"] = shape, array.array(
                "f", (draw.uniform(-size, size) for _ in range(shape[0] * shape[1])))
    return tensors


def write_folder(folder, tensors, rank=2, **config):
    header, data, at = {}, b"", 0
    for name, (shape, values) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * len(values)]}
        data += values.tobytes()
        at += 4 * len(values)
    os.makedirs(folder)
    text = json.dumps(header).encode()
    with open(f"{folder}/adapter_model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    targets = sorted({name.split(".lora_")[0].split(".")[-1] for name in tensors})
    with open(f"{folder}/adapter_config.json", "w", encoding="utf-8") as file:
        json.dump({"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "bias": "none",
                   "target_modules": targets, **config}, file)
    return folder


def write_peft(folder, modules, size, rank, **config):
    return write_folder(folder, peft_tensors(modules, size, rank), rank, **config)


def write_adapter(folder, size=0.3, rank=2, **config):
    """On every query projection and every way down."""
    model = config_of(MODEL)
    n_q, width = model["num_attention_heads"] * model["head_dim"], model["hidden_size"]
    return write_peft(folder, [module for layer in range(model["num_hidden_layers"])
                               for module in ((f"model.layers.{layer}.self_attn.q_proj", n_q, width),
                                              (f"model.layers.{layer}.mlp.down_proj", width,
                                               model["intermediate_size"]))], size, rank, **config)


def write_ends(folder, model, kv_b):
    """On the embedding, the output head, and latent attention's kv_b."""
    c = config_of(model)
    ends = [("model.embed_tokens", c["hidden_size"], c["vocab_size"]), ("lm_head", c["vocab_size"], c["hidden_size"])]
    heads = c["num_attention_heads"] * (c["qk_nope_head_dim"] + c["v_head_dim"]) if kv_b else 0
    return write_peft(folder, ends + [(f"model.layers.{layer}.self_attn.kv_b_proj", heads, c["kv_lora_rank"])
                                      for layer in range(c["num_hidden_layers"]) if kv_b], 0.3, 3)


MIXTURE = "tests/golden/qwen3-moe"


def expert_tensors(experts, rank=2, size=0.3):
    """name -> (shape, values): on the way up of some experts of layer 0."""
    model = config_of(MIXTURE)
    return peft_tensors([(f"model.layers.0.mlp.experts.{expert}.up_proj", model["moe_intermediate_size"],
                          model["hidden_size"]) for expert in experts], size, rank)


def write_gguf(path, tensors, n_expert, rank=2):
    """The same by hand, as llama.cpp has it: one tensor for all experts, those without a pair zeros."""
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()
    keys = b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in (
        ("general.type", "adapter"), ("general.architecture", "qwen3moe"), ("adapter.type", "lora")))
    keys += text("adapter.lora.alpha") + struct.pack("<If", 6, 2 * rank)
    heads, data = b"", b""
    for half in "AB":
        shape = next(shape for name, (shape, _) in tensors.items() if f"lora_{half}" in name)
        values = b""
        for expert in range(n_expert):
            name = f"base_model.model.model.layers.0.mlp.experts.{expert}.up_proj.lora_{half}.weight"
            values += tensors[name][1].tobytes() if name in tensors else bytes(4 * shape[0] * shape[1])
        data += bytes(-len(data) % 32)
        heads += text(f"blk.0.ffn_up_exps.weight.lora_{half.lower()}") + struct.pack(
            "<IQQQIQ", 3, shape[1], shape[0], n_expert, 0, len(data))
        data += values
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 4) + keys + heads
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % 32) + data)
    return path


class Adapters(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.adapter = write_adapter(self.path("adapter"))

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def ok(self, *args):
        done = run(*args)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done

    def fails(self, code, named, *args):
        done = run(*args)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        self.assertIn(named, done.stderr)

    def logits(self, model, *args, tokens=TOKENS):
        self.ok("logits", model, "--tokens", tokens, "-o", self.path("out.f32"), *EXACT, *args)
        with open(self.path("out.f32"), "rb") as file:
            return array.array("f", file.read())

    def far(self, a, b):
        return max(abs(x - y) for x, y in zip(a, b))

    def test_logits(self):
        """It acts, scaled; at scale 0 and with itself taken back the base is there again."""
        base, one = self.logits(MODEL), self.logits(MODEL, "--adapter", self.adapter)
        half = self.logits(MODEL, "--adapter", f"{self.adapter}@0.5")
        self.assertGreater(self.far(base, one), 0.1)
        self.assertGreater(self.far(one, half), 0.05)
        self.assertEqual(base, self.logits(MODEL, "--adapter", f"{self.adapter}@0"))
        twice = self.logits(MODEL, "--adapter", f"{self.adapter}@0.5", "--adapter", f"{self.adapter}@0.5")
        self.assertLess(self.far(one, twice), 1e-4)
        back = self.logits(MODEL, "--adapter", self.adapter, "--adapter", f"{self.adapter}@-1")
        self.assertLess(self.far(base, back), 1e-4)

    def test_merged(self):
        self.ok("export", MODEL, self.path("merged"), "--adapter", self.adapter, "--type", "f32")
        one, merged = self.logits(MODEL, "--adapter", self.adapter), self.logits(self.path("merged"))
        self.assertLess(self.far(one, merged), 1e-4)
        self.ok("export", MODEL, self.path("kept"), "--adapter", self.adapter)
        kinds = [{t["name"]: t["dtype"] for t in json.loads(self.ok("inspect", path, "--json").stdout)["tensors"]
                  if t["name"].endswith("_proj.weight")} for path in (MODEL, self.path("kept"))]
        self.assertEqual(*kinds)

    def test_experts(self):
        """On three of a layer's experts: both forms give the same, merging nearly so."""
        n_expert = config_of(MIXTURE)["num_experts"]
        tensors = expert_tensors((0, 2, 3))
        folder = write_folder(self.path("experts"), tensors)
        gguf = write_gguf(self.path("experts.gguf"), tensors, n_expert)
        base, one = self.logits(MIXTURE), self.logits(MIXTURE, "--adapter", folder)
        self.assertGreater(self.far(base, one), 0.01)
        self.assertEqual(one, self.logits(MIXTURE, "--adapter", gguf))
        self.assertEqual(base, self.logits(MIXTURE, "--adapter", f"{folder}@0"))
        self.ok("export", MIXTURE, self.path("merged"), "--adapter", folder, "--type", "f32")
        self.assertLess(self.far(one, self.logits(self.path("merged"))), 1e-4)
        out = json.loads(self.ok("inspect", MIXTURE, "--json", "--adapter", folder).stdout)
        plain = json.loads(self.ok("inspect", MIXTURE, "--json").stdout)
        self.assertEqual(out["adapters"][0]["matrices"], 1)
        numbers = n_expert * sum(len(values) for _, values in tensors.values()) // 3
        self.assertEqual(out["adapters"][0]["numbers"], numbers)
        self.assertEqual(out["weight_bytes"] - plain["weight_bytes"], 4 * numbers)
        added = [step for step in out["program"] if step.get("out") in ("la", "lb")]
        self.assertEqual([step["op"] for step in added], ["experts", "experts"])
        half = {name: value for name, value in tensors.items() if "experts.2.up_proj.lora_B" not in name}
        self.fails(4, "experts.2.up_proj.lora_A.weight' has no lora_B", "inspect", MIXTURE, "--adapter",
                   write_folder(self.path("half"), half))

    def test_kv_b_and_ends(self):
        """Latent attention's matrix, the embedding and the head: beside, merged, and tuned by name."""
        model, tokens = "tests/golden/deepseek-v2", "tests/golden/deepseek-v2/tokens.json"
        adapter = write_ends(self.path("ends"), model, True)
        base, one = self.logits(model, tokens=tokens), self.logits(model, "--adapter", adapter, tokens=tokens)
        self.assertGreater(self.far(base, one), 0.1)
        self.assertEqual(base, self.logits(model, "--adapter", f"{adapter}@0", tokens=tokens))
        self.ok("export", model, self.path("merged"), "--adapter", adapter, "--type", "f32")
        self.assertLess(self.far(one, self.logits(self.path("merged"), tokens=tokens)), 2e-4 * max(map(abs, one)))
        out, plain = (json.loads(self.ok("inspect", model, "--json", *more).stdout)
                      for more in (("--adapter", adapter), ()))
        n_layer = out["hparams"]["n_layer"]
        self.assertEqual([(a["matrices"], a["rank_least"], a["rank_most"]) for a in out["adapters"]],
                         [(n_layer + 2, 3, 3)])
        self.assertEqual(out["weight_bytes"] - plain["weight_bytes"], 4 * out["adapters"][0]["numbers"])
        self.assertEqual(len(out["program"]) - len(plain["program"]), 6 * n_layer + 3 + 2)
        self.assertEqual([sum(step["op"] == op for step in out["program"]) for op in ("lookup", "linear_add")],
                         [1, 1])

    def test_tied(self):
        """On a tied embedding only what tokens give is changed; what would change both is refused."""
        model = "tests/golden/llama-llama3rope-tied"
        adapter = write_ends(self.path("ends"), model, False)
        tokens = f"{model}/tokens.json"
        self.assertNotEqual(self.logits(model, tokens=tokens), self.logits(model, "--adapter", adapter, tokens=tokens))
        self.fails(5, "one tensor", "export", model, self.path("no"), "--adapter", adapter, "--type", "f32")
        self.assertFalse(os.path.exists(self.path("no")))

    def test_other_commands(self):
        out = json.loads(self.ok("inspect", MODEL, "--json", "--adapter", self.adapter).stdout)
        base = json.loads(self.ok("inspect", MODEL, "--json").stdout)
        self.assertEqual(base["adapters"], [])
        n_layer = out["hparams"]["n_layer"]
        self.assertEqual([a["matrices"] for a in out["adapters"]], [2 * n_layer])
        self.assertEqual(out["weight_bytes"] - base["weight_bytes"], 4 * out["adapters"][0]["numbers"])
        self.assertEqual(len(out["program"]) - len(base["program"]), 3 * 2 * n_layer)
        self.assertIn("adapter: ", self.ok("inspect", MODEL, "--adapter", self.adapter).stdout)
        for command in ("generate", "score"):
            args = [MODEL, "--tokens", TOKENS, "--prompt", "0", "-n", "4", "--greedy"]
            if command == "score":
                args = [MODEL, "--tokens", TOKENS]
            plain, adapted = (run(command, *args, *more) for more in ((), ("--adapter", self.adapter)))
            self.assertEqual((plain.returncode, adapted.returncode), (0, 0), plain.stderr + adapted.stderr)
            self.assertNotEqual(plain.stdout, adapted.stdout)
        kl = json.loads(self.ok("ppl", MODEL, "--tokens", TOKENS, "--json", "--adapter", self.adapter, "--kl",
                                MODEL).stdout)
        self.assertGreater(kl["kl"]["mean"], 0.001)

    def test_refused(self):
        tokens = ("--tokens", TOKENS, "-o", self.path("out.f32"))
        self.fails(2, "no scale", "logits", MODEL, *tokens, "--adapter", f"{self.adapter}@big")
        self.fails(2, "no scale", "logits", MODEL, *tokens, "--adapter", f"{self.adapter}@nan")
        self.fails(3, "adapter_config.json", "logits", MODEL, *tokens, "--adapter", self.folder.name)
        self.fails(4, "no matrix of the base", "logits", "tests/golden/deepseek-v3", *tokens, "--adapter",
                   self.adapter)
        dora = write_adapter(self.path("dora"), use_dora=True)
        self.fails(5, "use_dora", "logits", MODEL, *tokens, "--adapter", dora)
        self.fails(5, "quantised", "export", "tests/golden/gguf/small-llama.q8_0.gguf", self.path("no"),
                   "--adapter", write_llama(self.path("llama")), "--type", "f32")
        self.assertFalse(os.path.exists(self.path("no")))
        os.rename(self.adapter, self.path("name@2"))
        self.ok("logits", MODEL, *tokens, "--adapter", self.path("name@2"))


def write_llama(folder):
    """For the small quantised llama: its shapes are in its file."""
    done = run("inspect", "tests/golden/gguf/small-llama.q8_0.gguf", "--json")
    rows, cols = next(t["shape"] for t in json.loads(done.stdout)["tensors"]
                      if t["name"] == "blk.0.ffn_up.weight")
    name = "base_model.model.model.layers.0.mlp.up_proj.lora_"
    tensors = {name + "A.weight": {"dtype": "F32", "shape": [1, cols], "data_offsets": [0, 4 * cols]},
               name + "B.weight": {"dtype": "F32", "shape": [rows, 1],
                                   "data_offsets": [4 * cols, 4 * (cols + rows)]}}
    header = json.dumps(tensors).encode()
    os.makedirs(folder)
    with open(f"{folder}/adapter_model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + bytes(4 * (cols + rows)))
    with open(f"{folder}/adapter_config.json", "w", encoding="utf-8") as file:
        json.dump({"peft_type": "LORA", "r": 1, "lora_alpha": 1}, file)
    return folder


if __name__ == "__main__":
    unittest.main()
