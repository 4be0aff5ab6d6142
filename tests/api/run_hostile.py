#!/usr/bin/env python3
"""Runs tests/api/hostile.c on the files of a small model as a folder and as a GGUF file, and on
those of the families' checkpoints in tests/golden.

    run_hostile.py PROGRAM JINLIN STRIDE      1: each byte; else some bytes, the fewer the larger
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import model_parts  # noqa: E402
import scripted_model  # noqa: E402

TEMPLATE = "{% for m in messages %}{{ m.role }} {{ m.content }}{% endfor %}"
GOLDEN = "tests/golden"
# Experts, latent attention, scaled blocks of FP8, recurrence, each with what only it has.
FOLDERS = ("qwen3-moe", "glm4-moe", "deepseek-v2-lite", "deepseek-v3-fp8", "qwen3-next", "qwen3-yarn")
FILES = ("gguf/small-llama.q4_k_m.gguf", "gguf/small-llama.q2_k.gguf")
TYPES = ("F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "IQ4_XS", "IQ4_NL", "Q3_K_M", "Q2_K")
POISON_FEWER = 11
COMMIT_STRIDE = 13  # a sanitizer's is larger: it takes less of everything
LONG_STRIDE = 7  # even where every byte is asked for: checkpoints have long headers, all alike
FEWER = 37  # bytes of a checkpoint are this much rarer than those of the first model

NUMBERS = ("-1", "0", "1", "3", "65536", "1073741823", "2147483647", "2147483648", "4294967297",
           "9007199254740993", "-9223372036854775808", "1e308", "1e-320", "0.5", "NaN", "1e999")
OTHERS = ("null", "true", '"x"', "[]", "{}", "[1,2]")


def header_bytes(path):
    """Of a safetensors file."""
    with open(path, "rb") as file:
        return 8 + struct.unpack("<Q", file.read(8))[0]


def gguf_header(path):
    """Up to the first tensor's data, roughly: what stands before is all small."""
    return min(20000, os.path.getsize(path))


def changed(value):
    """(where, JSON text) for each place of a JSON value: every other value there could be."""
    for text in NUMBERS + OTHERS:
        yield text
    if isinstance(value, dict):
        for key in value:
            rest = {name: item for name, item in value.items() if name != key}
            yield json.dumps(rest)
            for text in changed(value[key]):
                head = json.dumps(rest)[:-1]
                yield f"{head}{', ' if rest else ''}{json.dumps(key)}: {text}}}"
    if isinstance(value, list) and value:
        for text in changed(value[0]):
            yield f"[{text}]"
            yield json.dumps(value)[:-1] + f", {text}]"


REPLACE, PATCH, POISON = range(3)  # as in hostile.c


def write_variants(path, variants):
    """(kind, offset, bytes) each."""
    with open(path, "wb") as file:
        for kind, at, data in variants:
            file.write(struct.pack("<QII", at, len(data), kind) + data)


# What is no number, and what overflows, in each type; by GGUF's number and by safetensors' name.
FLOATS = {"F32": ("7fc00000 ff800000 7f800000", "7f7fffff ff7fffff"),
          "F16": ("7e00 fc00 7c00", "7bff fbff"), "BF16": ("7fc0 ff80 7f80", "7f7f ff7f"),
          "F8_E4M3": ("7f ff", "7e fe")}
# type: (bytes of a block, where its scales in F16 lie); a block's numbers hold nothing else.
BLOCKS = {2: (18, (0,)), 8: (34, (0,)), 10: (84, (80, 82)), 11: (110, (108,)), 12: (144, (0, 2)),
          13: (176, (0, 2)), 14: (210, (208,)), 20: (18, (0,)), 23: (136, (0,))}
PLAIN = {0: "F32", 1: "F16", 30: "BF16"}


def poison(kind, at, size):
    """Variants with one bad value in a tensor of `size` bytes: its first, one inside, its last."""
    step, fields = BLOCKS[kind] if kind in BLOCKS else (len(FLOATS[kind][1].split()[0]) // 2, (0,))
    for field in fields:
        for place in sorted({0, size // step // 2, size // step // 3, size // step - 1}):
            for sort, words in zip((POISON, PATCH), FLOATS["F16" if kind in BLOCKS else kind]):
                for word in words.split():
                    yield sort, at + place * step + field, bytes.fromhex(word)[::-1]


def poison_gguf(path):
    for _, kind, at, size in model_parts.Gguf(path).places:
        yield from poison(PLAIN.get(kind, kind), at, size)


def poison_safetensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
    for info in header.values():
        if "dtype" in info:
            begin, end = info["data_offsets"]
            yield from poison(info["dtype"], 8 + size + begin, end - begin)


class Runs:
    def __init__(self, program, stride):
        self.program, self.stride, self.failed = program, stride, 0

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], check=False)
        self.failed += done.returncode != 0

    def bytes(self, model, path, n, fewer=1):
        self.run(model, path, n, self.stride * fewer if self.stride > 1 else min(fewer, LONG_STRIDE))

    def values(self, model, path, scratch, fewer=1):
        """Every value of a JSON file is another one."""
        with open(path, encoding="utf-8") as file:
            texts = list(changed(json.load(file)))
        self.variants(model, path, scratch, fewer, [(REPLACE, 0, text.encode()) for text in texts])

    def variants(self, model, path, scratch, fewer, variants):
        variants = list(variants)
        if self.stride > 1:
            fewer *= -(-self.stride // COMMIT_STRIDE)
            variants = variants[self.stride % fewer::fewer]
        file = os.path.join(scratch, "variants")
        write_variants(file, variants)
        self.run(model, path, file)


def scripted(runs, jinlin, scratch):
    folder, gguf = os.path.join(scratch, "model"), os.path.join(scratch, "model.gguf")
    scripted_model.make(folder, {"Hello": [" there"]}, "Hello", template=TEMPLATE)
    subprocess.run([jinlin, "quantize", folder, gguf, "--type", "q8_0"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tensors = os.path.join(folder, "model.safetensors")
    runs.bytes(gguf, gguf, gguf_header(gguf))
    runs.bytes(folder, tensors, header_bytes(tensors))
    for name, n in (("config.json", 2000), ("tokenizer_config.json", 400), ("tokenizer.json", 4000)):
        runs.bytes(folder, os.path.join(folder, name), n)
    runs.values(folder, os.path.join(folder, "tokenizer_config.json"), scratch)
    runs.variants(folder, tensors, scratch, 1, poison_safetensors(tensors))


def checkpoints(runs, scratch):
    for name in FOLDERS:
        folder = os.path.join(scratch, name)
        os.mkdir(folder)
        for file in ("config.json", "model.safetensors"):
            shutil.copy(os.path.join(GOLDEN, name, file), folder)
        tensors, config = (os.path.join(folder, file) for file in ("model.safetensors", "config.json"))
        runs.bytes(folder, tensors, header_bytes(tensors), FEWER)
        runs.bytes(folder, config, os.path.getsize(config), 4)
        runs.values(folder, config, scratch, 5)
        runs.variants(folder, tensors, scratch, POISON_FEWER, poison_safetensors(tensors))
    for name in FILES:
        path = os.path.join(scratch, os.path.basename(name))
        shutil.copy(os.path.join(GOLDEN, name), path)
        runs.bytes(path, path, gguf_header(path), FEWER)
        runs.variants(path, path, scratch, POISON_FEWER, poison_gguf(path))


# ---- texts ----

def nested(opening, inside, closing, n):
    return opening * n + inside + closing * n


def lying_tokenizers(path, size):
    """tokenizer.json with one thing that is huge, deep, doubled or nonsense."""
    with open(path, encoding="utf-8") as file:
        good = json.load(file)
    place = "HERE"

    def with_text(key, text):
        keys = key.split(".")
        root = json.loads(json.dumps(good))
        at = root
        for name in keys[:-1]:
            at = at[name]
        at[keys[-1]] = place
        return json.dumps(root, ensure_ascii=False).replace(f'"{place}"', text)

    deep = size // 10
    string = json.dumps("a" * size)
    for key in ("normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens",
                "model", "model.vocab", "model.merges", "version", "truncation"):
        for n in (deep, 2000, 500):
            yield with_text(key, nested("[", "", "]", n))
            yield with_text(key, nested('{"a":', "1", "}", n))
            yield with_text(key, "[" * n)
        yield with_text(key, string)
    sequences = (("normalizer", "normalizers", '{"type":"NFC"}'),
                 ("pre_tokenizer", "pretokenizers", '{"type":"ByteLevel"}'),
                 ("decoder", "decoders", '{"type":"Fuse"}'),
                 ("post_processor", "processors", '{"type":"ByteLevel"}'))
    for key, name, inside in sequences:
        opening = '{"type":"Sequence","' + name + '":['
        for n in (deep, 900, 30):
            yield with_text(key, nested(opening, inside, "]}", n))
        yield with_text(key, opening + ",".join([inside] * (size // 20)) + "]}")
        yield with_text(key, opening + ",".join([nested(opening, inside, "]}", 10)] * 1000) + "]}")
    patterns = ["(" * deep + ")" * deep, "a" * size, "(a*)*b", "((a{999}){999}){999}",
                "|".join(f"x{i}" for i in range(size // 10)), "[" + "a-" * deep, "(?:" * deep,
                "\\\\p{L}" * (size // 10), ".*a.{999}", "(?=a*b)" * 1000, "a{1,99999}", "(.*)*" * 500,
                "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+(" * 100]
    for pattern in patterns:
        for kind in ("Split", "Replace"):
            text = json.dumps(pattern)
            if kind == "Split":
                yield with_text("pre_tokenizer", '{"type":"Split","pattern":{"Regex":' + text +
                                '},"behavior":"Isolated","invert":false}')
                yield with_text("pre_tokenizer", '{"type":"Split","pattern":{"String":' + text +
                                '},"behavior":"Isolated","invert":false}')
            else:
                yield with_text("normalizer", '{"type":"Replace","pattern":{"Regex":' + text +
                                '},"content":' + string + "}")
                yield with_text("normalizer", '{"type":"Replace","pattern":{"String":"l"},"content":' +
                                string + "}")
    growing = '{"type":"Replace","pattern":{"String":"l"},"content":"llllllllll"}'
    yield with_text("normalizer", '{"type":"Sequence","normalizers":[' + ",".join([growing] * 30) + "]}")
    yield with_text("normalizer", '{"type":"Prepend","prepend":' + string + "}")
    vocab = json.dumps(good["model"]["vocab"], ensure_ascii=False)[:-1]
    for text, id in ((string, len(good["model"]["vocab"])), ('"zz"', 2147483647), ('"zz"', -1),
                     ('"zz"', 4294967296), ('"zz"', 10 ** 30), ('"zz"', 1.5), ('"zz"', 0)):
        yield with_text("model.vocab", f"{vocab}, {text}: {id}}}")
    yield with_text("model.vocab", vocab + "".join(f', "v{i}": {len(good["model"]["vocab"]) + i}'
                                                   for i in range(size // 15)) + "}")
    token = dict(good["added_tokens"][-1])
    for change in ({"id": 2147483647}, {"id": -1}, {"id": 0}, {"content": "a" * size}, {"content": ""}):
        yield with_text("added_tokens", json.dumps(good["added_tokens"] + [{**token, **change}]))
    yield with_text("added_tokens", "[" + ",".join([json.dumps(token)] * (size // 100)) + "]")
    merges = [["a", "b"], ["b", "a"], ["ab", "ab"], ["a", ""], ["", ""], ["a a", "a"], ["zz", "zz"],
              [string, string], ["<unk>", "<unk>"], ["<s>", "a"]]
    for merge in merges:
        yield with_text("model.merges", json.dumps([merge]))
        yield with_text("model.merges", json.dumps([" ".join(merge)] * (1000 if merge[0] != string else 1)))
    circle = dict(good["model"]["vocab"])  # each token out of each other: no rank can be first
    for text in ("a", "aa", "aaa", "aaaa", "aaaaa", "aaaaaaaa"):
        circle.setdefault(text, len(circle))
    root = json.loads(json.dumps(good))
    root["model"]["vocab"] = circle
    root["model"]["merges"] = [["aa", "aaa"], ["aaaa", "aaaa"], ["aaa", "aa"], ["a", "aaaa"], ["aa", "aa"],
                               ["a", "aa"], ["aa", "a"], ["a", "a"]]
    yield json.dumps(root)


HOSTILE_TEMPLATES = (
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{{ g(n) }}{% endmacro %}{% macro g(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% set ns = namespace(x='x') %}{% for i in range(999) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(999) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=messages) %}{% for i in range(999) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
    "{{ ns.x }}",
    "{{ messages|tojson * 99999999 }}", "{{ 'x' * 99999999999 }}", "{{ [1] * 99999999999 }}",
    "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "{% block a %}{{ self.a() }}{% endblock %}", "{% include 'x' %}", "{% extends 'x' %}",
    "{% import '/etc/passwd' as x %}", "{{ ''.__class__.__mro__ }}", "{{ cycler.__init__.__globals__ }}",
    "{{ range(9999999999) }}", "{{ '%9999999999d' % 1 }}", "{{ '{:9999999999}'.format(1) }}",
    "{{ messages[0]['content'].replace('', 'x' * 9999).replace('', 'x' * 9999) }}",
    "{% for i in range(99999) %}{{ 'x' * 9999 }}{% endfor %}",
    "{{ 'x'.join(range(99999)|map('string')|list * 999) }}",
    "{% set ns = namespace(d={}) %}{% for i in range(99999) %}{% set ns.d = dict(ns.d, **{i|string: i}) %}"
    "{% endfor %}",
    "{{ (range(99999)|list)|sort|unique|list|join|length }}", "{{ ('a' * 99999)|wordwrap(1) }}",
    "{{ ('a' * 999999)|replace('a', 'aaaaaaaaaa')|replace('a', 'aaaaaaaaaa') }}",
    "{{ 9 ** 9 ** 9 ** 9 }}", "{{ 1 // 0 }}", "{{ 9223372036854775807 + 1 }}", "{{ -9223372036854775808 // -1 }}",
    "{{ 10 ** 400 }}", "{{ '\u0000' * 10 }}", "{{ 1e999 - 1e999 }}", "{% raw %}", "{# ", "{{ ",
)


def lying_templates(path, size):
    with open(path, encoding="utf-8") as file:
        good = json.load(file)
    deep = size // 10
    texts = list(HOSTILE_TEMPLATES)
    for opening, inside, closing in (("{% if 1 %}", "x", "{% endif %}"), ("{% for i in [1] %}", "x", "{% endfor %}"),
                                     ("{{ " + "(" * deep, "1", ")" * deep + " }}"), ("{{ " + "[" * deep, "1", " }}"),
                                     ("{{ " + "-" * deep, "1", " }}"), ("{{ 1" + " + 1" * deep, "", " }}"),
                                     ("{{ a" + ".a" * deep, "", " }}"), ("{{ a" + "|e" * deep, "", " }}")):
        n = deep if opening.startswith("{%") else 1
        texts.append(nested(opening, inside, closing, n))
    texts += ["x" * size, "{{ '" + "x" * size + "' }}", "{{ " + "x" * size + " }}", "{{ 1 }}" * (size // 10),
              "{% set a = 1 %}" * (size // 20), "{#" * deep, "{%" * deep,
              "".join("{% set a" + str(i) + " = 1 %}" for i in range(size // 20))]
    for text in texts:
        yield json.dumps({**good, "chat_template": text})
    yield json.dumps({**good, "chat_template": [{"name": f"t{i}", "template": "x"} for i in range(size // 40)]})
    yield json.dumps({**good, "bos_token": "x" * size})


def texts(runs, scratch):
    folder, size = os.path.join(scratch, "talker"), 5000000 if runs.stride == 1 else 100000
    scripted_model.make(folder, {"Hello": [" there"]}, "Hello", template=TEMPLATE)
    for name, lies in (("tokenizer.json", lying_tokenizers), ("tokenizer_config.json", lying_templates)):
        path = os.path.join(folder, name)
        runs.variants(folder, path, scratch, 3,
                      [(REPLACE, 0, text.encode()) for text in lies(path, size)])


def types(runs, jinlin, scratch):
    """Bad scales in blocks of every type that can be written."""
    for name in TYPES:
        path = os.path.join(scratch, name + ".gguf")
        subprocess.run([jinlin, "quantize", f"{GOLDEN}/gguf/small-llama.q8_0.gguf", path, "--type", name,
                        "--allow-requantize"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        runs.variants(path, path, scratch, POISON_FEWER, poison_gguf(path))


def main():
    program, jinlin, stride = sys.argv[1:]
    runs = Runs(program, int(stride))
    with tempfile.TemporaryDirectory() as scratch:
        scripted(runs, jinlin, scratch)
        checkpoints(runs, scratch)
        types(runs, jinlin, scratch)
        texts(runs, scratch)
    sys.exit(runs.failed != 0)


main()
