#!/usr/bin/env python3
"""tokenizer train as people call it: files in, a folder out that everything else here opens.

usage: test_tokenizer.py PROGRAM   (run from the source root)
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
MODEL = "tests/golden/llama"  # 320 tokens, and no tokenizer
TEXT = ("The golden scale of the golden carp is no thing of the pond.\n"
        "金鳞岂是池中物，一遇风云便化龙。\n    if (x == 12) return 345;\n\n") * 20
TEMPLATE = "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"


def run(*args, stdin=b""):
    return subprocess.run([PROGRAM, *args], capture_output=True, input=stdin, timeout=60)


class Train(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.text = self.file("corpus.txt", TEXT)
        self.out = os.path.join(self.folder.name, "out")

    def tearDown(self):
        self.folder.cleanup()

    def file(self, name, data):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        return path

    def ok(self, *args, **kw):
        done = run(*args, **kw)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def train(self, *args):
        return self.ok("tokenizer", "train", *args, "--out", self.out)

    def fails(self, code, named, *args):
        done = run("tokenizer", *args)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        self.assertIn(named, done.stderr.decode())

    def written(self, name="tokenizer.json"):
        with open(os.path.join(self.out, name), "rb") as file:
            return file.read()

    def test_folder(self):
        template = self.file("chat.jinja", TEMPLATE)
        done = self.train(self.text, "--vocab-size", "340", "--special", "<|start|>", "--eos",
                          "<|end|>", "--template", template, "--test", self.text)
        self.assertIn("340 tokens: 256 bytes, 82 merges, 2 special", done.stdout.decode())
        lines = done.stdout.decode().splitlines()
        size = len(TEXT.encode())
        self.assertRegex(lines[1], rf"^{self.text}: {size} bytes, \d+ tokens, \d+\.\d+ bytes a token$")
        self.assertRegex(lines[2], rf"^{self.text} \(test\): {size} bytes, ")
        self.assertEqual(done.stderr, b"")
        ids = self.ok("tokenize", self.out, stdin=TEXT.encode()).stdout
        self.assertEqual(len(json.loads(ids)), int(lines[1].split()[3]))
        self.assertEqual(self.ok("detokenize", self.out, stdin=ids).stdout.decode(), TEXT)
        chat = json.dumps({"messages": [{"role": "user", "content": "hi"}]})
        prompt = self.ok("render", self.out, stdin=chat.encode()).stdout.decode()
        self.assertIn("<|start|>user\nhi<|end|>", prompt)
        config = json.loads(self.written("tokenizer_config.json"))
        self.assertEqual(config["eos_token"], "<|end|>")

    def test_same_bytes(self):
        args = (self.text, "--vocab-size", "350", "--han", "single")
        self.train(*args, "-t", "1")
        first = self.written()
        self.train(*args, "-t", "5")
        self.assertEqual(self.written(), first)
        one_file = os.path.join(self.folder.name, "alone.json")
        self.ok("tokenizer", "train", *args, "--out", one_file)
        with open(one_file, "rb") as file:
            self.assertEqual(file.read(), first)

    def test_inputs(self):
        lines = self.file("a.jsonl", "".join(json.dumps({"text": line}) + "\n"
                                             for line in ("ab ab", "xy")))
        self.train(lines + "@3", "--vocab-size", "300", "--min-count", "3")
        merges = json.loads(self.written())["model"]["merges"]
        self.assertEqual(merges, ["a b", "Ġ ab", "x y"])
        odd = self.file("b@2", "cd cd")  # a file's whole name comes first
        self.train(odd, "--vocab-size", "300")
        self.assertEqual(json.loads(self.written())["model"]["merges"], ["c d"])
        self.train(self.text, "--limit-bytes", "4", "--vocab-size", "300", "--min-count", "1")
        self.assertEqual(json.loads(self.written())["model"]["merges"], ["T h", "Th e"])
        self.train(self.text, "--vocab-size", "300", "--max-token-bytes", "4")
        for merge in json.loads(self.written())["model"]["merges"]:
            self.assertLessEqual(len(merge), 5)

    def test_short_of_pairs(self):
        done = self.train(self.file("s.txt", "ab ab"), "--vocab-size", "1000")
        self.assertIn("257 tokens, not 1000", done.stderr.decode())
        done = self.train(self.file("empty.txt", ""), "--vocab-size", "1000")
        self.assertIn("256 tokens, not 1000", done.stderr.decode())
        self.assertIn("0 bytes, 0 tokens\n", done.stdout.decode())

    def test_gguf(self):
        """A model with a trained tokenizer becomes a GGUF file that gives the same ids."""
        for rules in ([], ["--han", "single", "--no-space-prefix"],
                      ["--pattern", "cl100k", "--newlines", "single", "--special-first"],
                      ["--pattern", "o200k", "--digits", "single", "--han", "single"],
                      ["--pattern", "gpt-2", "--add-bos"]):
            shutil.rmtree(self.out, ignore_errors=True)
            shutil.copytree(MODEL, self.out)
            self.train(self.text, "--vocab-size", "320", "--bos", "<s>", *rules)
            gguf = os.path.join(self.folder.name, "model.gguf")
            self.assertNotIn("cannot say", self.ok("quantize", self.out, gguf, "--type",
                                                   "f16").stderr.decode())
            for text in (TEXT, "  金  鳞1234\r\n\r\n x😀y", "<s>if"):
                want = self.ok("tokenize", self.out, "--special", stdin=text.encode()).stdout
                got = self.ok("tokenize", gguf, "--special", stdin=text.encode()).stdout
                self.assertEqual(got, want, (rules, text))

    def test_errors(self):
        out = ("--out", self.out)
        self.fails(2, "train", "frob")
        self.fails(2, "train")
        self.fails(2, "usage", "train", *out)
        self.fails(2, "--out", "train", self.text)
        self.fails(2, "at least 258", "train", self.text, *out, "--vocab-size", "257", "--bos", "<s>",
                   "--eos", "</s>")
        self.fails(2, "'two'", "train", self.text, *out, "--han", "two")
        self.fails(2, "qwen2", "train", self.text, *out, "--pattern", "none")
        self.fails(2, "two characters", "train", self.text, *out, "--special", "x")
        self.fails(2, "--min-count", "train", self.text, *out, "--han", "single", "--vocab-size", "260")
        self.fails(2, "weight", "train", self.text + "@0", *out)
        self.fails(2, "weight", "train", self.text + "@x", *out)
        self.fails(3, "none.txt", "train", "none.txt", *out)
        self.fails(4, "byte 3 (0xFF)", "train", self.file("bad.txt", b"abc\xff"), *out)
        self.fails(4, "line 2", "train", self.file("bad.jsonl", '{"text":"a"}\n{"txt":"b"}\n'), *out)
        self.fails(4, "bad.jinja", "train", self.text, *out, "--template",
                   self.file("bad.jinja", "{% if %}"))
        self.fails(2, "no place for the template", "train", self.text, "--out", self.out + ".json",
                   "--template", self.file("t.jinja", TEMPLATE))
        self.fails(2, "no folder", "train", self.text, "--out", self.text)
        self.assertFalse(os.path.exists(self.out))

    def test_help(self):
        for args in (("tokenizer", "--help"), ("tokenizer", "train", "--help"), ("help", "tokenizer")):
            self.assertIn("--vocab-size", self.ok(*args).stdout.decode())


if __name__ == "__main__":
    unittest.main()
