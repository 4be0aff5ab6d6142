#!/usr/bin/env python3
"""runs as people call it, over trainings of two tiny models; and what recording them must not do.

usage: test_runs.py PROGRAM   (run from the source root)
"""
import csv
import glob
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import xml.etree.ElementTree as xml

PROGRAM = os.path.abspath(sys.argv.pop(1))
WEIGHTS = os.path.abspath("models/fry/weights")
DENSE = """
[run]
checkpoint_every = 10
eval_every = 8
sample = the golden carp
sample_every = 9
[model]
tokenizer = tok
dtype = f32
[config]
architectures = ["Qwen3ForCausalLM"]
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
head_dim = 16
max_position_embeddings = 128
rms_norm_eps = 1e-6
rope_theta = 10000
hidden_act = silu
tie_word_embeddings = true
[data]
source = corpus.jsonl
seq_len = 32
rows = 64
holdout = 0.1
[stage pre]
steps = 16
rate = 3e-3
[stage last, "one"]
steps = 8
"""
EXPERTS = DENSE.replace("Qwen3ForCausalLM", "Qwen3MoeForCausalLM").replace("intermediate_size = 64", """
intermediate_size = 64
moe_intermediate_size = 16
num_experts = 4
num_experts_per_tok = 2
norm_topk_prob = true
decoder_sparse_step = 1""").replace("dtype = f32", "dtype = bf16")
STEPS = 24
BRAILLE = range(0x2801, 0x2900)


def make_corpus(folder):
    words = "the golden carp swims in a pond and jumps over water 一 鱼 龙".split()
    draw = random.Random(1)
    with open(os.path.join(folder, "corpus.jsonl"), "w", encoding="utf-8") as file:
        for _ in range(120):
            text = " ".join(draw.choice(words) for _ in range(draw.randint(8, 40)))
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


class Runs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory()
        cls.folder = cls.kept.name
        cls.runs = os.path.join(cls.folder, "data", "jinlin", "runs.db")
        make_corpus(cls.folder)
        for name, text in (("dense", DENSE), ("experts", EXPERTS)):
            cls.write(name, text)
        cls.call("tokenizer", "train", "corpus.jsonl", "--out", "tok", "--vocab-size", "280", "--eos", "<end>")
        cls.said = {name: cls.call("train", name) for name in ("dense", "experts")}

    @classmethod
    def tearDownClass(cls):
        cls.kept.cleanup()

    @classmethod
    def write(cls, name, text):
        with open(os.path.join(cls.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    @classmethod
    def environment(cls, **more):
        left = {k: v for k, v in os.environ.items() if k != "JINLIN_RUNS"}
        return {**left, "XDG_DATA_HOME": os.path.join(cls.folder, "data"), **more}

    @classmethod
    def call(cls, *args, code=0, **env):
        done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=120,
                              cwd=cls.folder, env=cls.environment(**env), stdin=subprocess.DEVNULL)
        if done.returncode != code:
            raise AssertionError(f"{args}: {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def fails(self, code, named, *args, **env):
        self.assertIn(named, self.call(*args, code=code, **env).stderr)

    def json(self, *args, **env):
        return json.loads(self.call("runs", *args, "--json", **env).stdout)

    def rows(self, id, **env):
        return list(csv.DictReader(self.call("runs", str(id), "--csv", "-", **env).stdout.splitlines()))

    def test_list(self):
        head, *lines = self.call("runs").stdout.splitlines()
        self.assertEqual(head.split()[:4], ["ID", "NAME", "STATE", "STEP"])
        found = [line.split() for line in lines if line.split()[1] in ("dense", "experts")]
        self.assertEqual([words[:4] for words in found[-2:]],  # the newest first
                         [["2", "experts", "done", "24/24"], ["1", "dense", "done", "24/24"]])
        one = [run for run in self.json() if run["id"] == 1][0]
        self.assertEqual((one["name"], one["state"], one["step"], one["steps"]),
                         ("dense", "done", STEPS, STEPS))
        self.assertEqual(one["folder"], os.path.realpath(os.path.join(self.folder, "dense.run")))
        self.assertEqual(one["tokens"], sum(int(row["rows"]) for row in self.rows(1)))
        self.assertTrue(0 < one["loss"] < 10 and one["tokens_per_second"] > 0 and one["active"] > 0)

    def test_one(self):
        said = self.call("runs", "1").stdout
        self.assertIn("run 1 dense: done, step 24 of 24", said)
        self.assertIn("● held out", said)
        self.assertTrue(any(ord(c) in BRAILLE for c in said))
        self.assertTrue(all(len(line) <= 80 for line in said.splitlines() if "┤" in line or "│" in line))
        self.assertIn("checkpoint", said)
        self.assertIn("the golden carp|", said)
        both = self.call("runs", "2", "--compare", "1", "--log", *(
            word for name in ("loss", "norm", "rate", "tokens", "share", "load", "held_out")
            for word in ("--metric", name))).stdout
        self.assertIn("loss (log)", both)
        self.assertIn("2 experts", both)
        self.assertIn("+ 1 dense", both)
        self.assertIn("most loaded expert over the mean (log)", both)
        self.assertIn("nothing has been recorded", self.call("runs", "1", "--metric", "load").stdout)

    def test_json(self):
        one = self.json("1")
        self.assertEqual([h["step"] for h in one["held_out_losses"]], [8, 16, 24])
        self.assertEqual([s["step"] for s in one["samples"]], [9, 16, 18, 24])
        self.assertEqual(one["samples"][0]["prompt"], "the golden carp")
        self.assertEqual([e["step"] for e in one["events"] if e["kind"] == "checkpoint"], [10, 16, 20, 24])
        self.assertEqual([e["step"] for e in one["events"] if e["kind"] == "export"], [16, 24])
        self.assertEqual(one["recipe"], DENSE)

    @unittest.skipUnless(os.path.isdir(WEIGHTS), "models/fry/weights is not there")
    def test_serve(self):
        """The page's addresses say what --json does, and the curves."""
        log = os.path.join(self.folder, "serve.log")
        with open(log, "wb") as told:
            server = subprocess.Popen([PROGRAM, "serve", WEIGHTS, "-p", "0", "-t", "1", "--chats", "none"],
                                      stderr=told, env=self.environment())
        try:
            url = None
            while not url:
                self.assertIsNone(server.poll())
                with open(log, encoding="utf-8") as told:
                    url = re.search(r"serving at (\S+)", told.read())
                time.sleep(0.05)
            def ask(path):  # with the digits that --json prints
                return json.load(urllib.request.urlopen(url[1] + path),
                                 parse_float=lambda text: float(f"{float(text):.9g}"))

            ids = [run["id"] for run in ask("/api/runs")["runs"]]
            self.assertLessEqual({1, 2}, set(ids))
            for id in (1, 2):
                one = ask(f"/api/runs/{id}")
                curves = one.pop("curves")
                self.assertEqual(one, self.json(str(id)))
                rows = self.rows(id)
                self.assertEqual([step for step, _ in curves["loss"]], list(range(1, STEPS + 1)))
                for (_, loss), row in zip(curves["loss"], rows):
                    self.assertAlmostEqual(loss, float(row["loss"]), delta=1e-4)
                self.assertEqual([step for step, _ in curves["held_out"]], [8, 16, 24])
                self.assertEqual(len(curves["load"]), STEPS if id == 2 else 0)
            for wrong in ("77", "0", "x", "1x", "99999999999999999999"):
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    ask(f"/api/runs/{wrong}")
                self.assertEqual(refused.exception.code, 404)
        finally:
            server.terminate()
            self.assertEqual(server.wait(timeout=30), 0)

    def test_csv(self):
        rows = self.rows(2)
        self.assertEqual([int(row["step"]) for row in rows], list(range(1, STEPS + 1)))
        self.assertEqual([row["stage"] for row in rows], ["pre"] * 16 + ['last, "one"'] * 8)
        for row in rows:
            self.assertTrue(0 < float(row["loss"]) < 10 and float(row["norm"]) > 0)
            self.assertTrue(1 <= float(row["expert_load"]) <= 4)
            self.assertAlmostEqual(float(row["tokens_per_second"]),
                                   int(row["rows"]) / float(row["seconds"]), delta=1)
        self.assertEqual([int(r["step"]) for r in rows if r["held_out"]], [8, 16, 24])
        self.assertEqual({row["expert_load"] for row in self.rows(1)}, {""})
        path = os.path.join(self.folder, "steps.csv")
        self.call("runs", "2", "--csv", path)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(list(csv.DictReader(file)), rows)

    def test_svg(self):
        path = os.path.join(self.folder, "chart.svg")
        self.call("runs", "2", "--compare", "1", "--svg", path, "--metric", "loss", "--metric", "load")
        tree = xml.parse(path).getroot()
        svg = "{http://www.w3.org/2000/svg}"
        self.assertEqual(tree.tag, svg + "svg")
        self.assertEqual(tree.find(svg + "title").text,
                         "loss, most loaded expert over the mean of run 2 experts and 1 dense")
        words = [text.text for text in tree.iter(svg + "text")]
        for word in ("loss", "2 experts", "1 dense", "held out", "step", "5", "10"):
            self.assertIn(word, words)
        self.assertEqual(len([p for p in tree.iter(svg + "path") if p.get("class") == "line"]), 3)
        self.assertEqual(len(list(tree.iter(svg + "circle"))), 7)  # 3 of each, and the legend's
        with open(path, encoding="utf-8") as file:
            self.assertNotIn("http", file.read().replace("http://www.w3.org/2000/svg", ""))
        xml.fromstring(self.call("runs", "1", "--svg", "-", "--log", "--metric", "rate").stdout)

    def test_training_says_it(self):
        self.assertIn("step 9 says: the golden carp", self.said["dense"].stdout)
        self.assertIn("step 24 says: the golden carp", self.said["dense"].stdout)
        self.assertNotIn(", load ", self.said["dense"].stdout)
        self.assertIn(", load ", self.said["experts"].stdout)

    def test_bits_are_those_of_a_run_that_tells_nothing(self):
        for name, text in (("dense", DENSE), ("experts", EXPERTS)):
            quiet = text.replace("sample", "#").replace("eval_every", "#")
            self.write("quiet." + name, quiet)
            self.call("train", "quiet." + name, "--threads", "1", JINLIN_RUNS="none")
            for stage in ("pre", 'last, "one"'):
                found = []
                for run in (name, "quiet." + name):
                    with open(os.path.join(self.folder, run + ".run", stage, "model.safetensors"), "rb") as file:
                        found.append(file.read())
                self.assertEqual(found[0], found[1])
        self.assertFalse([run for run in self.json() if run["name"].startswith("quiet")])

    def test_killed_and_gone_on(self):
        self.write("long", DENSE.replace("steps = 16", "steps = 30000"))
        mine = {"JINLIN_RUNS": os.path.join(self.folder, "killed.db")}
        trainer = subprocess.Popen([PROGRAM, "train", "long", "--quiet"], cwd=self.folder,
                                   env=self.environment(**mine), stdout=subprocess.DEVNULL)
        try:
            end = time.time() + 60
            while time.time() < end:
                try:
                    runs = self.json(**mine)
                except AssertionError:  # the file is being made
                    runs = []
                if runs and runs[0]["step"] > 40 and glob.glob(os.path.join(self.folder, "long.run", "checkpoint*")):
                    break
                time.sleep(0.05)
            self.assertEqual(runs[0]["state"], "running")
            self.assertTrue(self.rows(1, **mine))
            self.fails(2, "at work", "runs", "--rm", "1", **mine)
        finally:
            trainer.send_signal(signal.SIGKILL)
            trainer.wait()
        self.assertEqual(self.json(**mine)[0]["state"], "killed")
        said = self.call("train", "long", "--steps", "25", code=9, **mine).stdout
        self.assertIn("goes on after step", said)
        run = self.json("1", **mine)
        self.assertEqual(run["state"], "stopped")
        self.assertEqual([int(row["step"]) for row in self.rows(1, **mine)], list(range(1, run["step"] + 1)))
        self.assertIn("goes on after step", [e["text"] for e in run["events"] if e["kind"] == "begin"][1])

    def test_a_record_that_cannot_be_written(self):
        self.write("bad.db", "no database " * 500)
        self.write("short", DENSE)
        for path in ("bad.db", "short/runs.db"):  # the second is below a file
            done = self.call("train", "short", "--output", "without.run", JINLIN_RUNS=path)
            self.assertEqual(done.stderr.count("no longer recorded"), 1)
            self.assertIn(path, done.stderr)
            self.assertIn("the golden carp", done.stdout)
        self.fails(4, "damaged", "runs", JINLIN_RUNS="bad.db")

    def test_rm(self):
        mine = {"JINLIN_RUNS": "rm.db"}
        self.write("gone", DENSE)
        self.call("train", "gone", "--quiet", **mine)
        self.assertIn("its folder stays", self.call("runs", "--rm", "1", **mine).stdout)
        self.assertTrue(os.path.isdir(os.path.join(self.folder, "gone.run")))
        self.assertEqual(self.json(**mine), [])
        self.fails(2, "no run 1", "runs", "--rm", "1", **mine)

    def test_errors(self):
        empty = {"JINLIN_RUNS": "nothing.db"}
        self.assertIn("jinlin train", self.call("runs", **empty).stderr)
        self.assertEqual(self.json(**empty), [])
        self.fails(3, "no run has been recorded", "runs", "1", **empty)
        self.fails(2, "none", "runs", JINLIN_RUNS="none")
        self.fails(2, "no run 99", "runs", "99")
        self.fails(2, "no run 99", "runs", "1", "--compare", "99")
        self.fails(2, "whole number", "runs", "one")
        self.fails(2, "--metric takes", "runs", "1", "--metric", "luck")
        self.fails(2, "want the ID", "runs", "--csv", "-")
        self.fails(2, "nothing else", "runs", "1", "--rm", "1")
        self.fails(2, "nothing else", "runs", "1", "--json", "--log")
        self.fails(3, "nowhere", "runs", "1", "--svg", "nowhere/chart.svg")
        self.write("silent", DENSE.replace("sample = the golden carp", ""))
        self.fails(4, "sample_every wants", "train", "silent")

    def test_names_command_nothing(self):
        name = "a\x1b[2Jb"
        mine = {"JINLIN_RUNS": "names.db"}
        self.write(name, DENSE)
        self.call("train", name, "--quiet", **mine)
        for args in ((), ("1",), ("1", "--svg", "-")):
            self.assertNotIn("\x1b", self.call("runs", *args, **mine).stdout)
        xml.fromstring(self.call("runs", "1", "--svg", "-", **mine).stdout)
        self.assertEqual(self.json(**mine)[0]["name"], name)


if __name__ == "__main__":
    unittest.main()
