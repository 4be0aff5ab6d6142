#!/usr/bin/env python3
"""`ppl` against the same figures worked out here from what `logits` writes.

usage: test_ppl.py PROGRAM   (run from the source root)
"""
import array
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
GOLDEN = "tests/golden/gguf"
QUANTS = ["q8_0", "q6_k", "q4_k_m"]
BOS = 1


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=120)


def floats(path):
    values = array.array("f")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return values


def log_softmax(row):
    top = max(row)
    total = math.log(math.fsum(math.exp(x - top) for x in row))
    return [x - top - total for x in row]


class Ppl(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.model = f"{GOLDEN}/small-llama.q8_0.gguf"

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def ok(self, *args):
        done = run(*args)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done.stdout

    def ppl(self, *args):
        return json.loads(self.ok("ppl", *args, "--json"))

    def fails(self, code, named, *args):
        done = run("ppl", *args)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        self.assertIn(named, done.stderr)

    def write_ids(self, ids):
        with open(self.path("ids.json"), "w", encoding="utf-8") as file:
            json.dump(ids, file)
        return self.path("ids.json")

    def logits(self, model, ids):
        out = self.path("logits.f32")
        self.ok("logits", model, "--tokens", self.write_ids(ids), "-o", out)
        values = floats(out)
        n_vocab = len(values) // len(ids)
        return [values[i * n_vocab:(i + 1) * n_vocab] for i in range(len(ids))]

    def test_published_divergences(self):
        with open(f"{GOLDEN}/small-llama.kl.json", encoding="utf-8") as file:
            published = json.load(file)
        for name in QUANTS:
            got = self.ppl(f"{GOLDEN}/small-llama.{name}.gguf", "--ids", f"{GOLDEN}/tokens.json",
                           "--kl", f"{GOLDEN}/small-llama.f32.logits.f32")
            self.assertLess(got["kl"]["mean"], 1.1 * published[name] + 2e-6)
            self.assertGreater(got["kl"]["mean"], 0.5 * published[name])
            self.assertEqual((got["kl"]["positions"], got["predictions"]), (48, 47))
            self.assertLessEqual(got["kl"]["median"], got["kl"]["quantile_99"])
            self.assertLessEqual(got["kl"]["quantile_99"], got["kl"]["max"])

    def test_text_is_cut_as_published(self):
        text = "the quick brown fox jumps over it. " * 5
        with open(self.path("text"), "w", encoding="utf-8") as file:
            file.write(text)
        got = self.ppl(self.model, self.path("text"), "--ctx", "40")
        ids = json.loads(subprocess.run([PROGRAM, "tokenize", self.model], input=text,
                                        capture_output=True, text=True, check=True).stdout)
        ids = [BOS] + ids
        nll = []
        for at in range(0, len(ids) - 39, 40):
            chunk = [BOS] + ids[at + 1:at + 40]
            rows = self.logits(self.model, chunk)
            nll += [-log_softmax(rows[i])[chunk[i + 1]] for i in range(20, 39)]
        self.assertEqual((got["tokens"], got["chunks"], got["predictions"]),
                         (len(ids), len(ids) // 40, len(nll)))
        self.assertEqual(got["tokens_left_out"], len(ids) % 40)
        mean = math.fsum(nll) / len(nll)
        self.assertAlmostEqual(got["nll"], mean, places=10)
        self.assertAlmostEqual(got["perplexity"], math.exp(mean), places=7)
        variance = math.fsum(x * x for x in nll) / len(nll) - mean * mean
        error = math.sqrt(variance / (len(nll) - 1)) * math.exp(mean)
        self.assertAlmostEqual(got["perplexity_error"] / error, 1, places=8)
        only = self.ppl(self.model, self.path("text"), "--ctx", "40", "--chunks", "2")
        self.assertEqual((only["chunks"], only["predictions"]), (2, 38))

    def test_against_a_model(self):
        other = f"{GOLDEN}/small-llama.q4_k_m.gguf"
        prompts = [[5 + 7 * i % 300 for i in range(n)] for n in (30, 9, 1)]
        with open(self.path("all.json"), "w", encoding="utf-8") as file:
            json.dump({"prompts": prompts}, file)
        got = self.ppl(other, "--tokens", self.path("all.json"), "--kl", self.model)
        kl, nll, same = [], [], 0
        for ids in prompts:
            ours, theirs = self.logits(other, ids), self.logits(self.model, ids)
            for i, (a, b) in enumerate(zip(theirs, ours)):
                p, q = log_softmax(a), log_softmax(b)
                kl.append(math.fsum(math.exp(x) * (x - y) for x, y in zip(p, q)))
                same += list(a).index(max(a)) == list(b).index(max(b))
                if i + 1 < len(ids):
                    nll.append(-q[ids[i + 1]])
        self.assertEqual((got["kl"]["positions"], got["predictions"]), (40, 37))
        self.assertAlmostEqual(got["kl"]["mean"], math.fsum(kl) / len(kl), places=12)
        self.assertAlmostEqual(got["kl"]["max"], max(kl), places=12)
        self.assertAlmostEqual(got["kl"]["same_top"], same / len(kl))
        self.assertAlmostEqual(got["nll"], math.fsum(nll) / len(nll), places=10)

    def test_saved_logits_are_a_reference(self):
        tokens = ["--tokens", f"{GOLDEN}/tokens.json"]
        for more in ([], ["--ctx", "16"]):
            self.ppl(self.model, *tokens, *more, "--save-logits", self.path("saved.f32"))
            same = self.ppl(self.model, *tokens, *more, "--kl", self.path("saved.f32"))
            self.assertEqual((same["kl"]["mean"], same["kl"]["same_top"]), (0, 1))
            file = self.ppl(f"{GOLDEN}/small-llama.q4_k_m.gguf", *tokens, *more, "--kl",
                            self.path("saved.f32"), "--threads", "1")
            model = self.ppl(f"{GOLDEN}/small-llama.q4_k_m.gguf", *tokens, *more, "--kl", self.model,
                             "--threads", "2")
            del file["kl"]["reference"], model["kl"]["reference"]
            self.assertEqual(file, model)
            self.assertEqual(file["kl"]["positions"], 21 if more else 48)

    def test_refusals(self):
        tokens = f"{GOLDEN}/tokens.json"
        with open(self.path("text"), "w", encoding="utf-8") as file:
            file.write("short")
        self.fails(2, "--ctx", self.model, self.path("text"))
        self.fails(2, "--tokens", self.model)
        self.fails(2, "--tokens", self.model, self.path("text"), "--tokens", tokens)
        self.fails(7, "context", self.model, self.path("text"), "--ctx", "40000")
        self.fails(3, "nowhere", self.model, "--tokens", tokens, "--kl", "nowhere")
        self.fails(3, "nowhere", self.model, "nowhere")
        with open(self.path("few.f32"), "wb") as file:
            file.write(bytes(4 * 320))
        self.fails(4, "61440", self.model, "--tokens", tokens, "--kl", self.path("few.f32"))
        with open(self.path("nan.f32"), "wb") as file:
            file.write(bytes(61436) + b"\0\0\xc0\x7f")
        self.fails(4, "row 47", self.model, "--tokens", tokens, "--kl", self.path("nan.f32"))
        self.fails(2, "vocabulary", self.model, "--tokens", self.write_ids([5, 6]), "--kl",
                   self.other_vocabulary())

    def other_vocabulary(self):
        model = self.path("other.gguf")
        self.ok("synth", "qwen3-0.6b", "--type", "q4_k", "--layers", "1", "-o", model)
        return model

    def test_for_people(self):
        text = self.ok("ppl", self.model, "--tokens", f"{GOLDEN}/tokens.json", "--ctx", "30", "--kl",
                       self.model)
        for part in ("18 tokens at the end left out", "perplexity: ", "mean KL divergence: 0.000000",
                     "same likeliest token: 100.00 %"):
            self.assertIn(part, text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
