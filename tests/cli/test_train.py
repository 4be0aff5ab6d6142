#!/usr/bin/env python3
"""`train` and `plan RECIPE`, from a tokenizer to a model that answers; killed and interrupted.

usage: test_train.py PROGRAM   (run from the source root)
"""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it is
PROGRAM = os.path.abspath(sys.argv.pop(1))
os.environ["JINLIN_RUNS"] = "none"  # test_runs.py looks at the record

RECIPE = """
[run]
seed = 2
checkpoint_every = 5
gguf = bf16
[model]
tokenizer = tok
dtype = bf16
[config]
architectures = ["Qwen3ForCausalLM"]
model_type = qwen3
hidden_size = 48
intermediate_size = 96
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2
head_dim = 12
max_position_embeddings = 128
rms_norm_eps = 1e-6
rope_theta = 10000
tie_word_embeddings = true
[sampling]
temperature = 0.6
min_p = 0.2
[data]
source = animals.jsonl holdout=0.02
seq_len = 64
rows = 512
[stage main]
steps = STEPS
rate = 1e-2
warmup = 5
"""
SOUNDS = {"cat": "meow", "dog": "woof", "cow": "moo", "duck": "quack", "fish": "nothing at all"}


class Train(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="jinlin-train-")
        with open(cls.path("animals.jsonl"), "w", encoding="utf-8") as file:
            for i in range(200):
                for name, sound in SOUNDS.items():
                    json.dump({"text": f"No. {i}: the {name} says {sound}."}, file)
                    file.write("\n")
        cls.write("recipe", RECIPE.replace("STEPS", "160"))
        cls.run_program("tokenizer", "train", cls.path("animals.jsonl"), "--vocab-size", "300", "--eos",
                        "</s>", "--out", cls.path("tok"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir, name)

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    @classmethod
    def run_program(cls, *args, code=0):
        done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=200,
                              check=False)
        assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def digest(self, folder):
        with open(self.path(f"{folder}/main/model.safetensors"), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def test_learns(self):
        said = self.run_program("train", self.path("recipe"), "-o", self.path("a"), "-t", "2").stdout
        self.assertIn("step 160 of 160 (main)", said)
        self.assertRegex(said, r"step 160: loss \d\.\d+ on \d+ held-out tokens")
        self.assertIn("loaded again, gives the same logits", said)
        for model in ("a/main", "a/main-bf16.gguf"):
            text = self.run_program("run", self.path(model), "-p", "No. 7: the duck says", "-n", "8",
                                    "--greedy").stdout
            self.assertIn("quack", text)
            self.assertIn("sampling: temperature 0.6, min_p 0.2", self.run_program("inspect", self.path(model)).stdout)
        with open(self.path("a/main/generation_config.json"), encoding="utf-8") as file:
            asked = json.load(file)
        self.assertEqual((asked["do_sample"], asked["temperature"], asked["min_p"]), (True, 0.6, 0.2))
        again = self.run_program("train", self.path("recipe"), "-o", self.path("a")).stdout
        self.assertIn("goes on after step 160", again)

        # In parts, with other threads, and killed on the way: the same bytes.
        self.run_program("train", self.path("recipe"), "-o", self.path("b"), "-t", "1", "--steps", "7",
                         code=9)
        killed = subprocess.Popen([PROGRAM, "train", self.path("recipe"), "-o", self.path("b"), "-q"],
                                  stdout=subprocess.DEVNULL)
        end = time.time() + 60
        while not os.path.exists(self.path("b/checkpoint-000000000015.jinlin")) and time.time() < end:
            if killed.poll() is not None:
                break
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        self.run_program("train", self.path("recipe"), "-o", self.path("b"), "-t", "3", "-q")
        self.assertEqual(self.digest("a"), self.digest("b"))

    def test_interrupt(self):
        run = subprocess.Popen([PROGRAM, "train", self.path("recipe"), "-o", self.path("c")],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = ""
        while not first.startswith("step "):
            first = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
        if run.returncode == 0:
            self.skipTest("the run was over before it could be interrupted")
        self.assertEqual(run.returncode, 9)
        step = int(re.search(r"stopped after step (\d+) of 160", err)[1])
        self.assertTrue(os.path.exists(self.path(f"c/checkpoint-{step:012}.jinlin")))

    def test_plan(self):
        plan = json.loads(self.run_program("plan", self.path("recipe"), "--json").stdout)
        self.assertEqual(plan["steps"], 160)
        self.assertEqual(plan["tokens"], 160 * 512)
        self.assertGreater(plan["bytes"], 16 * plan["parameters"])
        self.assertIn("core-hours", self.run_program("plan", self.path("recipe")).stdout)

    def test_refusals(self):
        cases = [
            ("rate = 1e-2", "rat = 1e-2", 4, r"bad:\d+: \[stage\] has no key 'rat'"),
            ("hidden_size = 48", "hidden_size = 48\nhidden_sise = 3", 2, "hidden_sise"),
            ("source = animals.jsonl", "source = nowhere.jsonl", 3, "nowhere.jsonl"),
            ("tokenizer = tok", "tokenizer = nowhere", 3, "nowhere"),
            ("gguf = bf16", "gguf = bf16 q9", 4, "q9"),
            ("seq_len = 64", "seq_len = 600", 4, "512 rows"),
        ]
        for old, new, code, words in cases:
            self.write("bad", RECIPE.replace("STEPS", "1").replace("warmup = 5\n", "").replace(old, new))
            done = self.run_program("train", self.path("bad"), "-o", self.path("d"), code=code)
            self.assertRegex(done.stderr, words)
            shutil.rmtree(self.path("d"), ignore_errors=True)
        self.write("animals2.jsonl", '{"text": "a"}\n{"text": 3}\n')
        self.write("bad", RECIPE.replace("STEPS", "1").replace("warmup = 5\n", "")
                   .replace("animals.jsonl", "animals2.jsonl"))
        done = self.run_program("train", self.path("bad"), "-o", self.path("d"), code=4)
        self.assertIn("animals2.jsonl, line 2", done.stderr)


if __name__ == "__main__":
    unittest.main()
