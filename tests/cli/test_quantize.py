#!/usr/bin/env python3
"""`quantize` and `imatrix`: what is written is read back here, independently of the program.

usage: test_quantize.py PROGRAM   (run from the source root)
"""
import array
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scripted_model  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1))
GOLDEN = "tests/golden"
LLAMA = f"{GOLDEN}/gguf/tiny-llama.f32.gguf"
F32, F16, Q8_0, Q4_K, Q6_K, BF16 = 0, 1, 8, 12, 14, 30
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class Gguf:
    """keys: name -> (type, value); tensors: name -> (dims outermost first, type, bytes)."""

    SIZES = {F32: (1, 4), F16: (1, 2), BF16: (1, 2), Q8_0: (32, 34), Q4_K: (256, 144), Q6_K: (256, 210)}

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.at = 4
        assert self.bytes[:4] == b"GGUF" and self.number("I") == 3
        n_tensor, n_key = self.number("Q"), self.number("Q")
        self.keys = {}
        for _ in range(n_key):
            name = self.string()
            kind = self.number("I")
            self.keys[name] = (kind, self.value(kind))
        infos = []
        for _ in range(n_tensor):
            name = self.string()
            dims = [self.number("Q") for _ in range(self.number("I"))]
            infos.append((name, dims[::-1], self.number("I"), self.number("Q")))
        start = (self.at + 31) // 32 * 32
        self.tensors = {}
        for name, dims, kind, offset in infos:
            block, size = self.SIZES[kind]
            n = math.prod(dims) // block * size
            self.tensors[name] = (dims, kind, self.bytes[start + offset:start + offset + n])

    def number(self, kind):
        value = struct.unpack_from("<" + kind, self.bytes, self.at)[0]
        self.at += struct.calcsize(kind)
        return value

    def string(self):
        n = self.number("Q")
        self.at += n
        return self.bytes[self.at - n:self.at].decode("utf-8", "surrogateescape")

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            inner = self.number("I")
            return [self.value(inner) for _ in range(self.number("Q"))]
        return self.number(FORMATS[kind])

    def floats(self, name):
        values = array.array("f")
        values.frombytes(self.tensors[name][2])
        return values


def safetensors(folder):
    """name -> (dtype, shape, bytes)"""
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        data = file.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    return {name: (info["dtype"], info["shape"], data[8 + n + info["data_offsets"][0]:
                                                     8 + n + info["data_offsets"][1]])
            for name, info in header.items()}


def run(*args, stdin=""):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=120, input=stdin)


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = self.path("out.gguf")

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def ok(self, *args, **kw):
        done = run(*args, **kw)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done

    def fails(self, code, named, *args):
        done = run(*args)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        self.assertIn(named, done.stderr)
        self.assertFalse(os.path.exists(self.out))

    def quantize(self, model, kind, *more, out=None):
        return self.ok("quantize", model, out or self.out, "--type", kind, *more)

    def logits(self, model, tokens, *options):
        self.ok("logits", model, "--tokens", tokens, "--kv", "f32", "-o", self.path("l.f32"), *options)
        with open(self.path("l.f32"), "rb") as file:
            return file.read()

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def write_text(self, text):
        with open(self.path("text"), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path("text")


class FromGguf(Base):
    def test_all_is_kept(self):
        self.quantize(LLAMA, "f32")
        old, new = Gguf(LLAMA), Gguf(self.out)
        self.assertEqual(new.tensors, old.tensors)
        self.assertEqual(list(new.tensors), list(old.tensors))
        added = {"general.file_type": (4, 0), "general.quantization_version": (4, 2)}
        self.assertEqual(new.keys, {**old.keys, **added})
        tokens = f"{GOLDEN}/gguf/tokens.json"
        self.assertEqual(self.logits(LLAMA, tokens), self.logits(self.out, tokens))

    def test_types_and_values(self):
        old = Gguf(LLAMA)
        for kind, number in (("f16", F16), ("BF16", BF16), ("q8_0", Q8_0)):
            said = self.quantize(LLAMA, kind).stdout
            self.assertIn(kind.upper(), said)
            new = Gguf(self.out)
            for name, (dims, was, data) in new.tensors.items():
                matrix = len(dims) == 2
                self.assertEqual((dims, was), (old.tensors[name][0], number if matrix else F32), name)
                if not matrix:
                    self.assertEqual(data, old.tensors[name][2])
            name = "blk.1.ffn_up.weight"
            values = old.floats(name)
            if number == BF16:
                got = struct.unpack(f"<{len(values)}f", b"".join(
                    b"\0\0" + new.tensors[name][2][i:i + 2] for i in range(0, 2 * len(values), 2)))
                self.assertLess(max(abs(a - b) for a, b in zip(got, values)), max(map(abs, values)) / 256)
            if number == F16:
                got = struct.unpack(f"<{len(values)}e", new.tensors[name][2])
                self.assertEqual(list(got), [struct.unpack("<e", struct.pack("<e", x))[0] for x in values])
            error = float(said.rpartition("changed: ")[2].split()[0])
            self.assertTrue(0 < error < {F16: 0.05, BF16: 0.3, Q8_0: 1}[number])

    def test_any_number_of_threads(self):
        for kind in ("q8_0", "q6_k", "f16"):
            source = f"{GOLDEN}/gguf/small-llama.q8_0.gguf"
            self.quantize(source, kind, "--threads", "1")
            first = self.read(self.out)
            self.quantize(source, kind, "--threads", "3")
            self.assertEqual(first, self.read(self.out))

    def test_requantizing(self):
        q8, q4 = (f"{GOLDEN}/gguf/small-llama.{kind}.gguf" for kind in ("q8_0", "q4_k_m"))
        self.assertIn("lose a second time", self.quantize(q8, "q6_k").stderr)
        os.remove(self.out)
        self.fails(2, "--allow-requantize", "quantize", q4, self.out, "--type", "q8_0")
        done = self.quantize(q4, "q8_0", "--allow-requantize")
        self.assertIn("lose a second time", done.stderr)
        again = self.quantize(q8, "q8_0")  # the same types: nothing changes
        self.assertEqual(again.stderr, "")
        self.assertEqual(Gguf(q8).tensors, Gguf(self.out).tensors)

    def test_kl_of_each_preset(self):
        """What is lost, against what the published files of these names lose; here from Q8_0."""
        golden = f"{GOLDEN}/gguf/small-llama"
        with open(f"{golden}.kl.json", encoding="utf-8") as file:
            published = json.load(file)
        for preset in ("q5_k_m", "q4_k_m", "q4_0", "iq4_nl", "iq4_xs", "q3_k_m", "q2_k"):
            self.quantize(f"{golden}.q8_0.gguf", preset, "--allow-requantize")
            done = self.ok("ppl", self.out, "--tokens", f"{GOLDEN}/gguf/tokens.json", "--json",
                           "--kl", f"{golden}.f32.logits.f32")
            self.assertLess(json.loads(done.stdout)["kl"]["mean"], 1.1 * published[preset], preset)

    def test_rows_that_fit_no_block(self):
        done = self.quantize(LLAMA, "q6_k")
        self.assertIn("multiple of 256: Q8_0 in place of Q6_K", done.stderr)
        self.assertIn("more tensors", done.stderr)
        self.assertEqual({kind for _, kind, _ in Gguf(self.out).tensors.values()}, {F32, Q8_0})
        self.assertIn("Q5_0 in place of Q4_K", self.quantize(LLAMA, "q4_k_m").stderr)

    def test_split_files_become_one(self):
        model = self.path("m-00001-of-00002.gguf")
        self.split(LLAMA, [model, self.path("m-00002-of-00002.gguf")])
        self.quantize(model, "f32")
        whole = self.read(self.out)
        self.quantize(LLAMA, "f32")
        self.assertEqual(whole, self.read(self.out))

    def split(self, path, parts):
        """As gguf-split does: the keys in the first part, tensors in both."""
        model = Gguf(path)
        names = list(model.tensors)
        half = len(names) // 2

        def string(text):
            data = text.encode("utf-8", "surrogateescape")
            return struct.pack("<Q", len(data)) + data

        def value(kind, item):
            if kind == 8:
                return string(item)
            if kind == 9:
                inner = 8 if isinstance(item[0], str) else 6 if isinstance(item[0], float) else 5
                return struct.pack("<IQ", inner, len(item)) + b"".join(value(inner, x) for x in item)
            return struct.pack("<" + FORMATS[kind], item)

        for i, chosen in enumerate((names[:half], names[half:])):
            keys = dict(model.keys) if i == 0 else {}
            keys.update({"split.no": (2, i), "split.count": (2, 2), "split.tensors.count": (5, len(names))})
            head = b"GGUF" + struct.pack("<IQQ", 3, len(chosen), len(keys))
            head += b"".join(string(k) + struct.pack("<I", t) + value(t, v) for k, (t, v) in keys.items())
            data = b""
            for name in chosen:
                dims, kind, content = model.tensors[name]
                head += string(name) + struct.pack("<I", len(dims))
                head += b"".join(struct.pack("<Q", d) for d in reversed(dims))
                head += struct.pack("<IQ", kind, len(data))
                data += content + b"\0" * (-len(content) % 32)
            with open(parts[i], "wb") as file:
                file.write(head + b"\0" * (-len(head) % 32) + data)

    def test_types_of_ones_own(self):
        self.quantize(LLAMA, "f32", "--tensor-type", "*ffn*=f16", "--tensor-type", "blk.0.ffn_up*=q8_0")
        new, n_f16 = Gguf(self.out), 0
        for name, (dims, kind, _) in new.tensors.items():
            wanted = F32
            if "ffn" in name and len(dims) == 2:
                wanted = Q8_0 if name == "blk.0.ffn_up.weight" else F16
            n_f16 += wanted == F16
            self.assertEqual(kind, wanted, name)
        self.assertGreater(n_f16, 3)

    def test_types_of_ones_own_refused(self):
        for said, text in (("blk.0.*", "is not PATTERN=TYPE"), ("=q8_0", "is not PATTERN=TYPE"),
                           ("blk.*=q9", "no type 'q9'"), ("nothing*=q8_0", "decides the type of no matrix"),
                           ("*norm*=q8_0", "decides the type of no matrix"), ("*=q4_k", "no multiple of 256")):
            self.fails(2, text, "quantize", LLAMA, self.out, "--type", "f32", "--tensor-type", said)

    def test_dry_run(self):
        text = self.ok("quantize", LLAMA, "--type", "q8_0", "--dry-run").stdout
        self.assertRegex(text, r"blk\.0\.attn_q\.weight +F32 -> Q8_0\n")
        self.assertRegex(text, r"output_norm\.weight +F32\n")
        self.assertFalse(os.path.exists(self.out))

    def test_refusals(self):
        self.fails(2, "--type", "quantize", LLAMA, self.out)
        self.fails(2, "Q8_0", "quantize", LLAMA, self.out, "--type", "q9")
        self.fails(2, "name the file", "quantize", LLAMA, "--type", "f16")
        self.fails(3, "nowhere", "quantize", "nowhere.gguf", self.out, "--type", "f16")
        self.fails(3, "nowhere", "quantize", LLAMA, self.out, "--type", "f16", "--imatrix", "nowhere")
        self.fails(4, "imatrix", "quantize", LLAMA, self.out, "--type", "f16", "--imatrix", LLAMA)
        shutil.copy(LLAMA, self.path("m.gguf"))
        os.symlink(self.path("m.gguf"), self.path("link.gguf"))
        self.fails(2, "the model itself", "quantize", self.path("m.gguf"), self.path("link.gguf"), "--type", "f16")
        self.assertEqual(self.read(self.path("m.gguf")), self.read(LLAMA))

    def test_values_that_cannot_be_written(self):
        with open(LLAMA, "rb") as file:
            data = bytearray(file.read())
        model = Gguf(LLAMA)
        at = data.find(model.tensors["blk.0.ffn_up.weight"][2])
        for value, kind, named in ((math.nan, "q8_0", "not finite"), (math.inf, "bf16", "not finite"),
                                   (1e6, "f16", "too large for F16"), (1e9, "q8_0", "too large for Q8_0")):
            struct.pack_into("<f", data, at + 4 * 64 * 3, value)
            with open(self.path("bad.gguf"), "wb") as file:
                file.write(data)
            self.fails(8, named, "quantize", self.path("bad.gguf"), self.out, "--type", kind)
            self.fails(8, "row 3 of tensor 'blk.0.ffn_up.weight'", "quantize", self.path("bad.gguf"), self.out,
                       "--type", kind)
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["bad.gguf"])


class FromFolder(Base):
    def stacked(self, tensors):
        """Experts' matrices one behind the other, as one tensor."""
        out, experts = {}, {}
        for name, tensor in tensors.items():
            match = re.fullmatch(r"(.*\.mlp\.experts\.)(\d+)\.(.*)", name)
            if match:
                experts.setdefault(match[1] + match[3], {})[int(match[2])] = tensor
            else:
                out[name] = tensor
        for name, parts in experts.items():
            dtype, shape, _ = parts[0]
            out[name] = (dtype, [len(parts)] + shape, b"".join(parts[e][2] for e in range(len(parts))))
        return out

    def check_tensors(self, folder, kind, permuted):
        source, new = safetensors(folder), Gguf(self.out)
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        hidden = config["hidden_size"]
        head = config.get("head_dim") or hidden // config["num_attention_heads"]
        names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
        parts = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
                 "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
                 "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
                 "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
                 "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp", "mlp.gate_up_proj": "ffn_up",
                 "post_self_attn_layernorm": "post_attention_norm", "post_mlp_layernorm": "post_ffw_norm",
                 "mlp.experts.gate_proj": "ffn_gate_exps", "mlp.experts.up_proj": "ffn_up_exps",
                 "mlp.experts.down_proj": "ffn_down_exps"}
        seen = set()
        for name, (dtype, shape, data) in self.stacked(source).items():
            stem, _, tail = name.rpartition(".")
            if stem in names:
                target = f"{names[stem]}.{tail}"
            else:
                layer, part = stem[len("model.layers."):].split(".", 1)
                target = f"blk.{layer}.{parts[part]}.{tail}"
            seen.add(target)
            dims, number, got = new.tensors[target]
            self.assertEqual(dims, shape, name)
            size = {"F32": 4, "F16": 2, "BF16": 2}[dtype]
            small = len(shape) == 1 or stem.endswith("mlp.gate")  # vectors and routers become F32
            if small and dtype == "BF16":
                data = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
                size = 4
            self.assertEqual(number, F32 if small else kind, name)
            if permuted and (".q_proj" in name or ".k_proj" in name):
                width = size * (shape[1] if len(shape) == 2 else 1)
                rows = [data[i:i + width] for i in range(0, len(data), width)]
                data = b"".join(rows[h + i % 2 * (head // 2) + i // 2]
                                for h in range(0, len(rows), head) for i in range(head))
            self.assertEqual(got, data, name)
        self.assertEqual(set(new.tensors) - seen - {"rope_freqs.weight"}, set())
        return new

    def test_names_rows_and_bits(self):
        for name, kind, permuted in (("llama", F32, True), ("llama-llama3rope-tied", BF16, True),
                                     ("qwen2", BF16, False), ("qwen3", BF16, False),
                                     ("qwen3-yarn", BF16, False), ("qwen3-moe", BF16, False),
                                     ("glm4", BF16, False)):
            folder, tokens = f"{GOLDEN}/{name}", f"{GOLDEN}/{name}/tokens.json"
            done = self.quantize(folder, {F32: "f32", BF16: "bf16"}[kind])
            self.assertIn("no tokenizer", done.stderr)
            new = self.check_tensors(folder, kind, permuted)
            self.assertEqual(new.keys["tokenizer.ggml.model"], (8, "none"))
            ours, theirs = self.logits(self.out, tokens), self.logits(folder, tokens)
            if not permuted:
                self.assertEqual(ours, theirs)
                continue
            # Sums inside a head run in the order of its rows, which is another one: equal only up to
            # rounding, of bf16 activations for the second.
            a, b = array.array("f", ours), array.array("f", theirs)
            limit = 2e-5 if kind == F32 else 0.1
            self.assertLess(max(abs(x - y) for x, y in zip(a, b)), limit)
            self.assertEqual(list(a[:320]), list(b[:320]))  # one key: no order yet

    def test_same_bits_in_other_families(self):
        for name in ("qwen3-next", "glm4-moe", "deepseek-v2", "deepseek-v2-lite", "deepseek-v3"):
            folder, tokens = f"{GOLDEN}/{name}", f"{GOLDEN}/{name}/tokens.json"
            self.quantize(folder, "bf16")
            self.assertEqual(self.logits(self.out, tokens), self.logits(folder, tokens), name)
            files = []
            for model in (folder, self.out):
                self.ok("imatrix", model, "--tokens", tokens, "-o", self.path("im.gguf"))
                files.append(Gguf(self.path("im.gguf")).tensors)
            self.assertEqual(*files)
        self.assertIn("blk.0.attn_kv_b.weight.in_sum2", files[0])
        new = Gguf(self.out)
        self.assertEqual(new.keys["deepseek2.block_count"], (4, 4))  # with the one that predicts further
        self.assertEqual(new.keys["deepseek2.nextn_predict_layers"], (4, 1))
        self.assertEqual(new.keys["deepseek2.expert_gating_func"], (4, 2))
        self.assertEqual(new.keys["deepseek2.attention.head_count_kv"], new.keys["deepseek2.attention.head_count"])
        self.assertNotIn("deepseek2.attention.value_length_mla", new.keys)
        self.assertIn("blk.3.nextn.eh_proj.weight", new.tensors)
        self.assertEqual(new.tensors["blk.1.ffn_down_exps.weight"][0][0], 8)

    def test_recurrent_layers(self):
        self.quantize(f"{GOLDEN}/qwen3-next", "q8_0")
        new = Gguf(self.out)
        self.assertEqual(new.keys["qwen3next.full_attention_interval"], (4, 2))
        self.assertEqual(new.keys["qwen3next.ssm.inner_size"], (4, 32))
        self.assertEqual(new.tensors["blk.0.ssm_conv1d.weight"][:2], ([128, 4], F32))
        self.assertEqual(new.tensors["blk.0.ffn_gate_exps.weight"][0], [6, 24, 64])
        self.assertNotIn("blk.0.ffn_gate_up_exps.weight", new.tensors)

    def test_values_of_fp8(self):
        folder = f"{GOLDEN}/deepseek-v3-fp8"
        tokens = f"{folder}/tokens.json"
        self.assertIn(" 0 %", self.quantize(folder, "f32").stdout)
        a, b = (array.array("f", self.logits(model, tokens, "--act", "f32")) for model in (self.out, folder))
        self.assertLess(max(abs(x - y) for x, y in zip(a, b)), 2e-4)  # there scales count sums, here values
        self.assertNotIn("scale", " ".join(Gguf(self.out).tensors))

    def test_hyperparameters(self):
        self.quantize(f"{GOLDEN}/llama-llama3rope-tied", "f16")
        new = Gguf(self.out)
        self.assertEqual(new.keys["general.architecture"], (8, "llama"))
        self.assertEqual(new.keys["general.name"], (8, "llama-llama3rope-tied"))
        self.assertEqual(new.keys["llama.rope.dimension_count"][0], 4)
        self.assertNotIn("llama.rope.scaling.type", new.keys)
        self.assertNotIn("output.weight", new.tensors)
        factors = new.floats("rope_freqs.weight")
        self.assertEqual((factors[0], factors[-1]), (1, 8))
        self.quantize(f"{GOLDEN}/qwen3-yarn", "f16")
        new = Gguf(self.out)
        self.assertEqual(new.keys["qwen3.rope.scaling.type"], (8, "yarn"))
        self.assertEqual(new.keys["qwen3.rope.scaling.factor"], (6, 4))
        self.assertEqual(new.keys["qwen3.block_count"], (4, 3))
        about = [json.loads(self.ok("inspect", model, "--json").stdout)["hparams"]
                 for model in (self.out, f"{GOLDEN}/qwen3-yarn")]
        for same in about:  # keys that GGUF does not have, and one that f32 rounds
            for key in ("tied", "attention_bias", "mlp_bias", "rms_eps"):
                same.pop(key)
        self.assertEqual(*about)

    def scripted(self, **more):
        script = {"Hello": [" you"], " you": ["!"], "!": ["<end>"]}
        scripted_model.make(self.path("model"), script, "Hello", special=["<|im_end|>"], **more)
        return self.path("model")

    def test_sampling_settings(self):
        """What generation_config.json asks for stands in the new file under GGUF's keys."""
        own = {"do_sample": True, "temperature": 0.5, "top_k": 20, "top_p": 0.75, "repetition_penalty": 1.25}
        self.quantize(self.scripted(generation=own), "q8_0")
        keys = {key: value for key, value in Gguf(self.out).keys.items() if key.startswith("general.sampling.")}
        self.assertEqual(keys, {"general.sampling.temp": (6, 0.5), "general.sampling.top_k": (5, 20),
                                "general.sampling.top_p": (6, 0.75), "general.sampling.penalty_repeat": (6, 1.25)})

    def test_tokenizer_and_template(self):
        template = "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
        folder = self.scripted(template=template, generation={"eos_token_id": [261, 260]})
        self.quantize(folder, "q8_0")
        new = Gguf(self.out)
        self.assertEqual(new.keys["tokenizer.ggml.model"], (8, "llama"))
        self.assertEqual(new.keys["tokenizer.chat_template"], (8, template))
        vocab = {token: i for i, token in enumerate(new.keys["tokenizer.ggml.tokens"][1])}
        self.assertEqual(new.keys["tokenizer.ggml.eos_token_id"], (4, vocab["<end>"]))
        self.assertEqual(new.keys["tokenizer.ggml.eot_token_id"], (4, vocab["<|im_end|>"]))
        self.assertEqual(new.keys["tokenizer.ggml.add_bos_token"], (7, False))
        for text in ("Hello you! \u4f60\u597d <end>  x", "", " Hello"):
            for special in ([], ["--special"]):
                ids = [self.ok("tokenize", model, *special, stdin=text).stdout for model in (self.out, folder)]
                self.assertEqual(*ids)
        said = [self.ok("run", model, "-p", "Hello", "-n", "8", "--greedy").stdout for model in (self.out, folder)]
        self.assertEqual(*said)
        chat = json.dumps({"messages": [{"role": "user", "content": "Hi"}]})
        said = [self.ok("render", model, stdin=chat).stdout for model in (self.out, folder)]
        self.assertEqual(*said)

    def test_tokenizer_that_gguf_cannot_hold(self):
        folder = self.scripted()
        with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
            tokenizer = json.load(file)
        tokenizer["normalizer"] = {"type": "Lowercase"}
        scripted_model.dump(folder, "tokenizer.json", tokenizer)
        self.fails(5, "--no-tokenizer", "quantize", folder, self.out, "--type", "f16")
        self.assertIn("no tokenizer", self.quantize(folder, "f16", "--no-tokenizer").stderr)
        self.assertEqual(Gguf(self.out).keys["tokenizer.ggml.model"], (8, "none"))

    @unittest.skipUnless(os.path.isdir("../shared/models/stories260K"), "SKIPPED: no real tiny model")
    def test_story(self):
        folder = "../shared/models/stories260K"
        self.quantize(folder, "f32")
        new, old = Gguf(self.out), Gguf(f"{folder}/stories260K.f32.gguf")
        self.assertEqual(new.tensors, old.tensors)
        for key in ("tokens", "token_type", "bos_token_id", "eos_token_id", "add_bos_token", "add_space_prefix"):
            self.assertEqual(new.keys[f"tokenizer.ggml.{key}"], old.keys[f"tokenizer.ggml.{key}"], key)


class Importance(Base):
    def test_same_whatever_runs_it(self):
        text = self.write_text("the quick brown fox jumps over the lazy dog. " * 8)
        for kind in ("q8_0", "q4_k_m"):
            model = f"{GOLDEN}/gguf/small-llama.{kind}.gguf"
            files = []
            for threads in ("1", "2"):
                said = self.ok("imatrix", model, text, "--ctx", "64", "--threads", threads, "-o", self.out).stdout
                files.append(self.read(self.out))
            self.assertIn("14 entries of 4 chunks of up to 64 tokens; 50 tokens at the end left out", said)
            self.assertEqual(*files)
        im = Gguf(self.out)
        self.assertEqual(im.keys, {"general.type": (8, "imatrix"), "imatrix.datasets": (9, [text]),
                                   "imatrix.chunk_count": (4, 4), "imatrix.chunk_size": (4, 64)})
        self.assertEqual(im.tensors["blk.1.ffn_down.weight.in_sum2"][:2], ([1, 512], F32))
        self.assertEqual(list(im.floats("blk.1.ffn_down.weight.counts")), [4 * 64])
        self.assertTrue(all(x > 0 for x in im.floats("blk.0.attn_q.weight.in_sum2")))

    def test_experts_one_by_one(self):
        model, files = f"{GOLDEN}/qwen3-moe", []
        for threads in ("1", "2"):
            said = self.ok("imatrix", model, "--tokens", f"{model}/tokens.json", "--threads", threads, "-o", self.out)
            files.append(self.read(self.out))
        self.assertEqual(*files)
        im, used, rows = Gguf(self.out), 2, 48 + 19
        unseen = 0
        for layer in range(3):
            counts = im.floats(f"blk.{layer}.ffn_gate_exps.weight.counts")
            self.assertEqual((len(counts), sum(counts)), (8, used * rows))
            self.assertEqual(counts, im.floats(f"blk.{layer}.ffn_down_exps.weight.counts"))
            unseen += 3 * list(counts).count(0)
            router = im.floats(f"blk.{layer}.ffn_gate_inp.weight.in_sum2")
            experts = im.floats(f"blk.{layer}.ffn_gate_exps.weight.in_sum2")
            self.assertEqual(im.tensors[f"blk.{layer}.ffn_gate_exps.weight.in_sum2"][0], [8, 64])
            self.assertEqual(experts, im.floats(f"blk.{layer}.ffn_up_exps.weight.in_sum2"))
            for i, want in enumerate(router):  # every row goes to two of them
                self.assertAlmostEqual(sum(experts[i::64]) / want, used, places=5)
        self.assertEqual("chose" in said.stderr, unseen > 0)
        self.quantize(model, "q8_0", "--imatrix", self.out, out=self.path("q.gguf"))
        self.assertEqual(Gguf(self.path("q.gguf")).tensors["blk.0.ffn_down_exps.weight"][:2], ([8, 64, 32], Q8_0))

    def test_quantize_takes_it(self):
        source = f"{GOLDEN}/gguf/small-llama.q8_0.gguf"
        tokens = f"{GOLDEN}/gguf/tokens.json"
        im = self.path("im.gguf")
        self.ok("imatrix", source, "--tokens", tokens, "-o", im)
        done = self.quantize(source, "q6_k", "--imatrix", im)
        self.assertIn("2 matrices are not in", done.stderr)  # embedding and head
        keys = Gguf(self.out).keys
        self.assertEqual(keys["quantize.imatrix.file"], (8, im))
        self.assertEqual(keys["quantize.imatrix.dataset"], (8, tokens))
        self.assertEqual(keys["quantize.imatrix.entries_count"], (5, 14))
        self.assertEqual(keys["quantize.imatrix.chunks_count"], (5, 1))
        text = self.ok("quantize", source, "--type", "q6_k", "--imatrix", im, "--dry-run").stdout
        self.assertRegex(text, r"blk\.0\.attn_q\.weight +Q8_0 -> Q6_K, weighed\n")
        os.remove(self.out)
        self.fails(2, "another model", "quantize", LLAMA, self.out, "--type", "q8_0", "--imatrix", im)


if __name__ == "__main__":
    unittest.main(verbosity=2)
