#!/usr/bin/env python3
"""tokenize and detokenize as checks call them: lists, lines, any bytes, exit codes, messages.

usage: test_tokenize.py PROGRAM   (run from the source root)
"""
import base64
import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
FIXTURE = "tests/text/tokenizer/fixtures/hf_byte_level.json"
SHARED = "../shared/vocab"


def run(*args, stdin=b""):
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return subprocess.run([PROGRAM, *args], capture_output=True, input=data, timeout=60)


class Tokenize(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        with open(FIXTURE, encoding="utf-8") as file:
            fixture = json.load(file)
        cls.cases = fixture["variants"][0]["cases"]
        cls.json = os.path.join(cls.folder.name, "tokenizer.json")
        with open(cls.json, "w", encoding="utf-8") as file:
            json.dump(fixture["base"], file)
        cls.ranks = os.path.join(cls.folder.name, "bytes.tiktoken")
        with open(cls.ranks, "w", encoding="ascii") as file:
            for rank, token in enumerate([*(bytes([i]) for i in range(256)), b"ab", b"abc"]):
                file.write(f"{base64.b64encode(token).decode()} {rank}\n")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ok(self, *args, **kw):
        done = run(*args, **kw)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, code, named, *args, **kw):
        done = run(*args, **kw)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        self.assertIn(named, done.stderr.decode())

    def test_list(self):
        self.assertEqual(self.ok("tokenize", self.ranks, "--pre", "gpt-2", stdin="abcab x"),
                         b"[257, 256, 32, 120]\n")
        self.assertEqual(self.ok("tokenize", self.json), b"[]\n")
        for model in (self.json, self.folder.name):
            ids = json.loads(self.ok("tokenize", model, stdin="hi<s>"))
            self.assertEqual(len(ids), 5)
            self.assertEqual(json.loads(self.ok("tokenize", model, "--special", stdin="hi<s>")),
                             ids[:2] + [506])

    def test_any_bytes(self):
        for data in (b"", b"\0", b"a\0b", b"\xff\xfe\x80", b"\xe9\x87", b"\xed\xa0\x80 x\r\n\n",
                     bytes(range(256))):
            for args in ((self.json,), (self.ranks, "--pre", "qwen2")):
                ids = self.ok("tokenize", *args, stdin=data)
                self.assertEqual(self.ok("detokenize", *args, stdin=ids), data)

    def test_lines(self):
        lines = "".join(json.dumps({"text": case["text"], "special": True}) + "\n"
                        for case in self.cases if "only" not in case)
        want = [case["ids"] for case in self.cases if "only" not in case]
        out = self.ok("tokenize", self.json, "--jsonl", stdin=lines)
        self.assertEqual([json.loads(line) for line in out.splitlines()], want)
        back = self.ok("detokenize", self.json, "--jsonl", "--special", stdin=out)
        self.assertEqual(len(back.splitlines()), len(want))
        lines = '\n{"text":"<s>a\\u0000"}\n \n{"special":false,"text":"<s>"}\n'
        out = self.ok("tokenize", self.json, "--jsonl", stdin=lines)
        self.assertEqual([len(json.loads(line)) for line in out.splitlines()], [5, 3])
        out = self.ok("tokenize", self.json, "--jsonl", "--special", stdin=lines)
        self.assertEqual([len(json.loads(line)) for line in out.splitlines()], [3, 3])

    def test_text(self):
        self.assertEqual(self.ok("detokenize", self.json, stdin="[506, 97, 508, 507]"), b"a<tool>")
        self.assertEqual(self.ok("detokenize", self.json, "--special", stdin="[506,97,507]"),
                         b"<s>a</s>")
        self.assertEqual(self.ok("detokenize", self.json, "--jsonl", stdin="[]\n[506]\n[97]\n"),
                         b'""\n""\n"a"\n')
        odd = '"\\\n\t\x01é'
        ids = self.ok("tokenize", self.ranks, "--pre", "gpt-2", stdin=odd)
        out = self.ok("detokenize", self.ranks, "--pre", "gpt-2", "--jsonl", stdin=ids)
        self.assertEqual(json.loads(out), odd)
        out = self.ok("detokenize", self.ranks, "--pre", "gpt-2", "--jsonl", stdin="[195, 97]")
        self.assertEqual(json.loads(out), "\ufffda")  # lines hold characters, not bytes

    def test_errors(self):
        lines = ("tokenize", self.json, "--jsonl")
        self.fails(4, "line 2", *lines, stdin='{"text":"a"}\n{"text":\n')
        self.fails(4, "line 1", *lines, stdin='"a"\n')
        self.fails(4, "line 1", *lines, stdin='{"text":7}\n')
        self.fails(4, "line 1", *lines, stdin='{"text":"a","special":1}\n')
        self.fails(4, "line 1", *lines, stdin='{"text":"a","more":1}\n')
        self.fails(4, "line 1", *lines, stdin='{"text":"a","text":"b"}\n')
        self.fails(4, "line 1", *lines, stdin=b'{"text":"\xff"}\n')
        back = ("detokenize", self.json)
        self.fails(4, "line 1", *back, stdin="")
        self.fails(4, "line 2", *back, stdin="[1,\n2,,]")
        self.fails(4, "a list", *back, stdin="{}")
        self.fails(4, "item 1", *back, stdin='[1, "a"]')
        self.fails(4, "item 0", *back, stdin="[-1]")
        self.fails(4, "0 to 510", *back, stdin="[511]")
        self.fails(4, "item 0", *back, stdin="[9223372036854775807]")
        self.fails(4, "line 3", *back, "--jsonl", stdin="[1]\n[2]\n[1.5]\n")
        self.fails(2, "kimi-k2", "tokenize", self.ranks, stdin="a")
        self.fails(5, "'nosuch'", "tokenize", self.ranks, "--pre", "nosuch", stdin="a")
        self.fails(2, "--pre", "tokenize", self.json, "--pre", "gpt-2", stdin="a")
        self.fails(3, "none.gguf", "tokenize", "none.gguf", stdin="a")
        self.fails(5, "tests", "tokenize", "tests", stdin="a")
        self.fails(2, "usage", "tokenize")
        self.fails(2, "usage", "detokenize")

    def test_gguf_without_weights(self):
        if not os.path.isdir(SHARED):
            self.skipTest("SKIPPED: no shared vocabularies beside the checkout")
        model = f"{SHARED}/gguf/ggml-vocab-gpt-2.gguf"
        ids = self.ok("tokenize", model, stdin="Hello world")
        self.assertEqual(json.loads(ids), [15496, 995])
        self.assertEqual(self.ok("detokenize", model, stdin=ids), b"Hello world")


if __name__ == "__main__":
    unittest.main(verbosity=2)
