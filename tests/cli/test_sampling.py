#!/usr/bin/env python3
"""How tokens are chosen, as the commands offer it: options, the model's own settings, stop strings,
log-probabilities and scores.

usage: test_sampling.py PROGRAM   (run from the source root)
"""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scripted_model  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1))
GOLDEN = "tests/golden/llama"
TOKENS = f"{GOLDEN}/tokens.json"
SCRIPT = {
    "Hello": [" you"], " you": ["!"], "!": ["<end>"],
    "L": ["la "], "la ": ["la "],
    "C": ["<0xE6>"], "<0xE6>": ["<0xB1>"], "<0xB1>": ["<0x89>"], "<0x89>": ["\u5b57"], "\u5b57": ["<end>"],
    "R": ["red", "blue", "green", "grey"], "red": ["<end>"], "blue": ["<end>"], "green": ["<end>"],
    "grey": ["<end>"],
}


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.models = tempfile.TemporaryDirectory()
        cls.model = os.path.join(cls.models.name, "plain")
        scripted_model.make(cls.model, SCRIPT, "Hello", context=200)

    @classmethod
    def tearDownClass(cls):
        cls.models.cleanup()

    def path(self, name):
        return os.path.join(self.models.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def run_program(self, *args, stdin=""):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, input=stdin, check=False,
                              timeout=120)

    def ok(self, *args, **kw):
        done = self.run_program(*args, **kw)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done.stdout

    def fails(self, code, named, *args):
        done = self.run_program(*args)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        self.assertIn(named, done.stderr)
        self.assertEqual(done.stdout, "")

    def generate(self, *args, model=GOLDEN, tokens=TOKENS):
        return json.loads(self.ok("generate", model, "--tokens", tokens, *args, "--json"))


class StopStrings(Base):
    def run_text(self, prompt, *args):
        return self.ok("run", self.model, "-p", prompt, "--greedy", *args)

    def test_across_tokens(self):
        for stops, wanted in ((["o y"], "xHell\n"), (["you!"], "xHello \n"), (["Hello you!"], "x\n"),
                              (["H"], "x\n"), (["!", "u"], "xHello yo\n"), (["nothing"], "xHello you!\n"),
                              (["you?"], "xHello you!\n"), (["!!", "Hello youth"], "xHello you!\n"),
                              (["ello you!", "o"], "xHell\n")):
            args = [word for stop in stops for word in ("--stop", stop)]
            self.assertEqual(self.run_text("x", *args), wanted, stops)

    def test_across_the_bytes_of_a_character(self):
        self.assertEqual(self.run_text("C"), "C\u6c49\u5b57\n")
        self.assertEqual(self.run_text("C", "--stop", "\u6c49"), "C\n")
        self.assertEqual(self.run_text("C", "--stop", "\u6c49\u5b57"), "C\n")
        self.assertEqual(self.run_text("C", "--stop", "\u5b57"), "C\u6c49\n")
        self.assertEqual(self.run_text("C", "--stop", "\u6c48"), "C\u6c49\u5b57\n")

    def test_what_was_held_comes_out_at_the_end(self):
        self.assertEqual(self.run_text("L", "-n", "3", "--stop", "la la la la"), "Lla la la \n")
        self.assertEqual(self.run_text("L", "--stop", "a la la l"), "Ll\n")

    def test_refused(self):
        self.fails(2, "stop string 1 is empty", "run", self.model, "-p", "x", "--stop", "")
        args = [word for i in range(65) for word in ("--stop", f"s{i}")]
        self.fails(2, "--stop", "run", self.model, "-p", "x", *args)
        self.fails(2, "longer", "run", self.model, "-p", "x", "--stop", "x" * 70000)

    def test_generate(self):
        ids = self.write("hello.json", json.dumps([scripted_model.FIRST_BYTE + ord("x")]))
        whole = self.generate("--greedy", "-n", "4", model=self.model, tokens=ids)
        self.assertEqual((len(whole["ids"]), whole["finish"]), (4, "length"))
        got = self.generate("--greedy", "-n", "4", "--stop", "o y", model=self.model, tokens=ids)
        self.assertEqual((got["ids"], got["finish"]), (whole["ids"][:2], "stop"))
        got = self.generate("--greedy", "--stop-id", str(whole["ids"][2]), "--stop-id", "1", model=self.model,
                            tokens=ids)
        self.assertEqual((got["ids"], got["finish"]), (whole["ids"][:2], "stop"))
        self.fails(2, "--stop-id", "generate", self.model, "--tokens", ids, "--stop-id", "-1")


class Settings(Base):
    def colours(self, *args, model=None):
        return {self.ok("run", model or self.model, "-p", "R", "--seed", str(seed), *args)[1:-1]
                for seed in range(12)}

    def test_stages(self):
        """Four colours stand at logit 2, in the order of the vocabulary blue, green, grey, red."""
        self.assertGreater(len(self.colours("--temp", "1", "--min-p", "0.9")), 2)
        self.assertEqual(self.colours("--temp", "1", "--top-k", "1"), {"blue"})
        self.assertEqual(self.colours("--temp", "100", "--min-p", "0.5", "--top-k", "2"), {"blue", "green"})
        self.assertEqual(self.colours("--temp", "1", "--top-p", "0"), {"blue"})
        self.assertEqual(self.colours(), {"blue"})

    def test_seed(self):
        def text(*args):
            return self.ok("run", "../shared/models/stories260K", "-p", "Once", "-n", "40", "--temp", "1.2", *args)
        if not os.path.isdir("../shared/models/stories260K"):
            self.skipTest("the model is not here")
        one = text("--seed", "5", "--threads", "1")
        self.assertEqual(text("--seed", "5", "--threads", "2"), one)
        self.assertNotEqual(text("--seed", "6"), one)
        cold = text("--seed", "5", "--repeat-penalty", "1.3", "--dry-multiplier", "0.8")
        self.assertNotEqual(cold, one)
        self.assertEqual(text("--seed", "5", "--repeat-penalty", "1.3", "--dry-multiplier", "0.8"), cold)

    def test_biases(self):
        first = self.generate("--greedy", "-n", "3")["ids"]
        banned = self.generate("--greedy", "-n", "3", "--logit-bias", f"{first[0]}=-inf")["ids"]
        self.assertNotIn(first[0], banned)
        self.assertEqual(self.generate("--greedy", "-n", "3", "--logit-bias", "7=1000,9=5")["ids"], [7, 7, 7])
        got = self.generate("--greedy", "-n", "3", "--logit-bias", "7=1000", "--logit-bias", "7=-inf")["ids"]
        self.assertNotIn(7, got)
        self.fails(2, "token 320", "generate", GOLDEN, "--tokens", TOKENS, "--logit-bias", "320=1")
        every = ",".join(f"{i}=-inf" for i in range(320))
        self.fails(2, "bans every token", "generate", GOLDEN, "--tokens", TOKENS, "--logit-bias", every)

    def test_penalties(self):
        ids = self.generate("--greedy", "-n", "40", "--frequency-penalty", "100")["ids"]
        self.assertEqual(len(set(ids)), 40)  # nothing comes twice
        with open(TOKENS, encoding="utf-8") as file:
            prompt = json.load(file)["prompts"][0]
        ids = self.generate("--greedy", "-n", "10", "--logit-bias",
                            ",".join(f"{i}=50" for i in range(320)), "--repeat-penalty", "100")["ids"]
        self.assertFalse(set(ids) & set(prompt))

    def test_refused(self):
        for option, bad in (("--temp", "101"), ("--temp", "-0.1"), ("--temp", "nan"), ("--top-k", "1.5"),
                            ("--top-k", "-2"), ("--top-p", "1.01"), ("--min-p", "inf"), ("--typical", "-1"),
                            ("--repeat-penalty", "0"), ("--repeat-last-n", "-2"), ("--presence-penalty", "x"),
                            ("--frequency-penalty", "101"), ("--dry-multiplier", "-1"), ("--dry-base", "0.9"),
                            ("--dry-allowed-length", "0"), ("--dry-penalty-last-n", "-2"),
                            ("--xtc-probability", "2"), ("--xtc-threshold", ""), ("--seed", "-1"),
                            ("--seed", "18446744073709551616"), ("--seed", " 1"), ("--logit-bias", "1"),
                            ("--dry-breaker", "")):
            for command in (("run", self.model, "-p", "x"), ("chat", self.model),
                            ("generate", GOLDEN, "--tokens", TOKENS)):
                self.fails(2, option[2:].split("-")[0], *command, option, bad)
        self.fails(2, "--greedy", "run", self.model, "-p", "x", "--greedy", "--temp", "1")
        self.fails(2, "twice", "run", self.model, "-p", "x", "--top-k", "1", "--top-k", "2")
        self.fails(2, "--logprobs", "generate", GOLDEN, "--tokens", TOKENS, "--logprobs", "2")
        self.fails(5, "tokenizer", "generate", GOLDEN, "--tokens", TOKENS, "--dry-multiplier", "1")

    def test_of_the_model(self):
        model = self.path("own")
        scripted_model.make(model, SCRIPT, "Hello", generation={
            "do_sample": True, "temperature": 0.9, "top_k": 1, "repetition_penalty": 1.1, "num_beams": 4})
        self.assertEqual(self.colours(model=model), {"blue"})
        self.assertGreater(len(self.colours("--top-k", "0", "--min-p", "0.5", model=model)), 2)
        said = self.run_program("chat", model, stdin="/set\n/set top-k 3\n/set top_p\n/set nothing 1\n/set top_p 2\n")
        self.assertIn("top_k 1", said.stderr)
        self.assertIn("num_beams 4", said.stderr)
        for wanted in ("xtc_threshold", "temperature 0.9, top_k 3, repetition_penalty 1.1, seed"):
            self.assertIn(wanted, said.stdout)
        for wanted in ("no setting nothing", "top_p is a number from 0 to 1, not '2'"):
            self.assertIn(wanted, said.stderr)
        about = json.loads(self.ok("inspect", model, "--json"))["sampling"]
        self.assertEqual(about, {"settings": "temperature 0.9, top_k 1, repetition_penalty 1.1",
                                 "not_offered": "num_beams 4"})
        self.assertIn("sampling: temperature 0.9, top_k 1", self.ok("inspect", model))
        bad = self.path("bad")
        scripted_model.make(bad, SCRIPT, "Hello", generation={"do_sample": True, "top_p": 1.5})
        self.fails(4, "top_p", "run", bad, "-p", "x")
        self.assertEqual(self.ok("run", bad, "-p", "x", "--top-p", "1", "--greedy"), "xHello you!\n")


class Logprobs(Base):
    def raw(self, prompt=0):
        """Log-probabilities of the golden logits, row by row."""
        import array
        values = array.array("f")
        with open(f"{GOLDEN}/logits_{prompt}.f32", "rb") as file:
            values.frombytes(file.read())
        for at in range(0, len(values), 320):
            row = values[at:at + 320]
            top = max(row)
            total = top + math.log(sum(math.exp(x - top) for x in row))
            yield [x - total for x in row]

    def test_generate(self):
        exact = ("--act", "f32", "--kv", "f32")
        got = self.generate("-n", "5", "--greedy", "--logprobs", "20", *exact)
        last = list(self.raw())[-1]
        ranked = sorted(range(320), key=lambda i: -last[i])
        first = got["logprobs"][0]
        self.assertEqual([item["id"] for item in got["logprobs"]], got["ids"])
        self.assertEqual([item["id"] for item in first["top"]], ranked[:20])
        for item in first["top"]:
            self.assertAlmostEqual(item["logprob"], last[item["id"]], delta=1e-3)
        for item in got["logprobs"]:
            self.assertEqual(item["logprob"], item["top"][0]["logprob"])
        # The stages do not touch them, nor do threads and chunks.
        hot = self.generate("-n", "5", "--temp", "2", "--top-k", "5", "--logit-bias", "3=9", "--seed", "1",
                            "--logprobs", "20", *exact)
        self.assertEqual(hot["logprobs"][0]["top"], first["top"])
        for more in (("--threads", "2"), ("--chunk", "7")):
            self.assertEqual(self.generate("-n", "5", "--greedy", "--logprobs", "20", *exact, *more), got)
        none = self.generate("-n", "2", "--greedy", "--logprobs", "0")
        self.assertEqual(none["logprobs"][0]["top"], [])
        every = self.generate("-n", "1", "--greedy", "--logprobs", "1000")["logprobs"][0]["top"]
        self.assertEqual(len(every), 320)
        self.assertAlmostEqual(sum(math.exp(item["logprob"]) for item in every), 1, delta=1e-9)

    def score(self, *args, model=GOLDEN):
        return [json.loads(line) for line in self.ok("score", model, *args, "--json").splitlines()]

    def test_score_of_tokens(self):
        exact = ("--act", "f32", "--kv", "f32")
        got = self.score("--tokens", TOKENS, *exact)
        with open(TOKENS, encoding="utf-8") as file:
            prompts = json.load(file)["prompts"]
        self.assertEqual(len(got), len(prompts))
        for prompt, (ids, line) in enumerate(zip(prompts, got)):
            self.assertEqual((line["tokens"], line["ids"]), (len(ids), ids[1:]))
            for row, at, logprob in zip(self.raw(prompt), ids[1:], line["logprobs"]):
                self.assertAlmostEqual(logprob, row[at], delta=1e-3)
            self.assertAlmostEqual(line["logprob"], sum(line["logprobs"]), delta=1e-9)
        for more in (("--parallel", "1"), ("--threads", "2"), ("--parallel", "2", "--threads", "1")):
            self.assertEqual(self.score("--tokens", TOKENS, *exact, *more), got)
        ppl = json.loads(self.ok("ppl", GOLDEN, "--tokens", TOKENS, "--json", *exact))
        n = sum(line["scored"] for line in got)
        self.assertAlmostEqual(ppl["nll"], -sum(line["logprob"] for line in got) / n, delta=1e-12)

    def test_score_of_pairs(self):
        with open(TOKENS, encoding="utf-8") as file:
            ids = json.load(file)["prompts"][0]
        lines = [{"prompt": ids[:k], "continuation": ids[k:]} for k in (1, 5, 20, len(ids) - 1, len(ids))]
        path = self.write("pairs.jsonl", "\n\n".join(map(json.dumps, lines)) + "\n")
        whole = self.score("--tokens", TOKENS)[0]
        for line, got in zip(lines, self.score("--pairs", path)):
            self.assertEqual(got["ids"], line["continuation"])
            n = len(line["continuation"])
            self.assertEqual(got["logprobs"], whole["logprobs"][len(ids) - 1 - n:])
        text = self.write("text.jsonl", json.dumps({"prompt": "x", "continuation": "Hello you"}) + "\n"
                          + json.dumps({"prompt": "xHello", "continuation": " me"}))
        got = self.score("--pairs", text, model=self.model)
        self.assertEqual([line["greedy"] for line in got], [True, False])
        self.assertEqual(got[0]["scored"], 2)
        self.assertEqual(self.ok("score", self.model, self.write("t.txt", "xHello you!")).count("\n"), 1)

    def test_score_refused(self):
        for text, named in (("{}", "line 1"), ('{"prompt": "a"}', "continuation"), ("[1]", "object"),
                            ('{"prompt": "a", "continuation": [1]}', "two texts or two lists"),
                            ('{"prompt": [1], "continuation": [1.5]}', "whole numbers"),
                            ('{"prompt": [], "continuation": [1]}', "needs an id"),
                            ('{"prompt": "", "continuation": "x"}', "longer"), ("\n", "no pair"),
                            ('{"prompt": "a", "continuation": "b", "more": 1}', "no more"), ("{", "line 1")):
            self.fails(4, named, "score", self.model, "--pairs", self.write("bad.jsonl", text))
        bad = self.write("bad.jsonl", '{"prompt": [1], "continuation": [99999]}')
        self.fails(2, "99999", "score", self.model, "--pairs", bad)
        far = self.write("far.json", json.dumps([1] * 300))
        self.fails(7, "200", "score", self.model, "--tokens", far)
        self.fails(2, "give one of", "score", self.model)
        self.fails(2, "give one of", "score", self.model, bad, "--pairs", bad)
        self.fails(3, "nowhere", "score", self.model, "nowhere.txt")


class Drafts(Base):
    LAYER = "tests/golden/deepseek-v3"

    def spoiled(self, name):
        """A copy of the model whose tensor of that name is not finite."""
        folder = self.path("spoiled-" + name)
        shutil.copytree(self.LAYER, folder)
        path = os.path.join(folder, "model.safetensors")
        with open(path, "rb") as file:
            data = bytearray(file.read())
        head = 8 + int.from_bytes(data[:8], "little")
        found = json.loads(data[8:head])[name]
        begin, end = (head + at for at in found["data_offsets"])
        data[begin:end] = b"\xff" * (end - begin)  # NaN in every float type
        with open(path, "wb") as file:
            file.write(data)
        return folder

    def names(self):
        with open(os.path.join(self.LAYER, "model.safetensors"), "rb") as file:
            return list(json.loads(file.read(int.from_bytes(file.read(8), "little"))))

    def test_same_ids(self):
        for model in (GOLDEN, "tests/golden/qwen3-next", self.LAYER):
            tokens = f"{model}/tokens.json"
            for args in (("--greedy",), ("--temp", "1", "--seed", "3", "--logit-bias", "7=8,9=8")):
                plain = self.generate("-n", "60", *args, model=model, tokens=tokens)
                self.assertNotIn("draft", plain)
                for draft in ("none", "auto", "lookup", "mtp"):
                    if draft == "mtp" and model != self.LAYER:
                        continue
                    got = self.generate("-n", "60", *args, "--draft", draft, model=model, tokens=tokens)
                    told = got.pop("draft")
                    self.assertEqual(got, plain)
                    self.assertLessEqual(told["accepted"], told["drafted"])
                    if draft == "none":
                        self.assertEqual((told["passes"], told["drafted"]), (59, 0))

    def test_a_layer_that_fails(self):
        layer = max(int(name.split(".")[2]) for name in self.names() if name.startswith("model.layers."))
        folder = self.spoiled(f"model.layers.{layer}.eh_proj.weight")
        tokens = f"{self.LAYER}/tokens.json"
        plain = self.generate("-n", "30", "--greedy", model=self.LAYER, tokens=tokens)
        for draft in ("mtp", "auto"):
            got = self.generate("-n", "30", "--greedy", "--draft", draft, model=folder, tokens=tokens)
            told = got.pop("draft")
            self.assertEqual(got, plain)
            if draft == "mtp":
                self.assertEqual((told["passes"], told["drafted"]), (29, 0))

    def test_refused(self):
        for command in (("run", self.model, "-p", "x"), ("generate", GOLDEN, "--tokens", TOKENS)):
            self.fails(2, "--draft takes", *command, "--draft", "guess")
            self.fails(2, "--draft-max", *command, "--draft-max", "17")
            self.fails(2, "with none there is no draft", *command, "--draft", "none", "--draft-max", "4")
            self.fails(5, "no layer that predicts", *command, "--draft", "mtp")
        self.fails(2, "only when told to, so say --draft auto", "generate", GOLDEN, "--tokens", TOKENS,
                   "--draft-max", "4")
        self.fails(2, "with none there is no draft", "chat", self.model, "--draft", "none", "--draft-max", "4")
        plain = self.ok("run", self.model, "-p", "L", "--greedy", "-n", "60")  # its default drafts
        self.assertEqual(self.ok("run", self.model, "-p", "L", "--greedy", "-n", "60", "--draft-max", "4"), plain)

    def test_in_a_text(self):
        for draft in ("none", "auto", "lookup"):
            self.assertEqual(self.ok("run", self.model, "-p", "L", "--greedy", "-n", "60", "--draft", draft),
                             "L" + "la " * 60 + "\n")
            self.assertEqual(self.ok("run", self.model, "-p", "L", "--greedy", "--draft", draft, "--stop",
                                     "la " * 40 + "l"), "L\n")


if __name__ == "__main__":
    unittest.main()
