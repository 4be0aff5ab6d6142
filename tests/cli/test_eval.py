#!/usr/bin/env python3
"""`jinlin eval` and `jinlin tune` as commands, and the example that has both.

usage: test_eval.py PROGRAM   (run from the source root)
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scripted_model  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1))
SCRIPT = {
    "Hello": [" you"], " you": ["!"], "!": ["<end>"],
    "L": ["la "], "la ": ["la "],
    "R": ["red", "blue"], "red": ["<end>"], "blue": ["<end>"],
}


class Base(unittest.TestCase):
    def run_program(self, *args, stdin="", env=None):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, input=stdin, check=False,
                              timeout=200, env=env)

    def ok(self, *args, **kw):
        done = self.run_program(*args, **kw)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done.stdout

    def fails(self, code, named, *args):
        done = self.run_program(*args)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        self.assertIn(named, done.stderr)
        self.assertEqual(done.stdout, "")

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    def write(self, name, *lines):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        return self.path(name)

    def answers(self, model, tasks, *args):
        out = self.path("answers.jsonl")
        self.ok("eval", model, tasks, "--out", out, *args)
        with open(out, encoding="utf-8") as file:
            head, *lines = [json.loads(line) for line in file]
        self.assertIn("model", head["eval"])
        return lines


class Scripted(Base):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = cls.path("plain")
        scripted_model.make(cls.model, SCRIPT, "Hello", context=60)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_checks(self):
        tasks = self.write(
            "checks.jsonl",
            {"task": "greetings", "defaults": {"max_tokens": 8, "group": "a"}},
            {"prompt": "x", "expect": "Hello you!"},
            {"prompt": "x", "expect": "Hello you", "group": "b"},
            {"prompt": "x", "expect": "lo yo", "check": "contains"},
            {"prompt": "x", "expect": "^Hello (me|you)!$", "check": "regex"},
            {"prompt": "x", "expect": "1", "check": "number"},
            {"prompt": "x", "expect": "Hell", "stop": ["o y"]},
            {"prompt": "L", "expect": "la la la", "max_tokens": 3},
            {"prompt": "x", "expect": "Hello", "check": "choice", "choices": ["la ", "Hello", "red"]},
            {"prompt": "x", "expect": 0, "check": "choice", "choices": ["la ", "Hello"]},
            {"prompt": "x", "expect": "Hello you!", "check": "loss"})
        lines = self.answers(self.model, tasks)
        self.assertEqual([line.get("right") for line in lines],
                         [True, False, True, True, False, True, True, True, False, None])
        self.assertEqual(lines[0]["finish"], "end")
        self.assertEqual(lines[5]["finish"], "stop")
        self.assertEqual(lines[5]["answer"], "Hell")
        self.assertEqual(lines[6]["finish"], "length")
        self.assertEqual(lines[6]["tokens"], 3)
        self.assertEqual(lines[7]["chosen"], 1)
        self.assertEqual(len(lines[7]["sums"]), 3)
        self.assertAlmostEqual(lines[7]["per_byte"][1], lines[7]["sums"][1] / 5)
        report = json.loads(self.ok("eval", self.model, tasks, "--json", "-"))
        self.assertEqual({"model", "class", "sampling", "seed", "n", "limit", "left_out", "results", "total",
                          "answer_tokens", "answer_seconds", "tokens_per_second", "prompt_tokens",
                          "prompt_tokens_known"}, set(report))
        rows = {(row["task"], row["group"]): row for row in report["results"]}
        self.assertEqual(set(rows), {("greetings", None), ("greetings", "a"), ("greetings", "b")})
        row = rows["greetings", None]
        self.assertEqual((row["tasks"], row["judged"], row["right"]), (10, 9, 6))
        self.assertEqual(row["loss_tokens"], lines[9]["tokens"])
        self.assertAlmostEqual(row["loss"], lines[9]["nll"] / lines[9]["tokens"])
        self.assertEqual(row["interval"], sorted(row["interval"]))
        table = self.ok("eval", self.model, tasks)
        self.assertRegex(table, r"greetings +10 +6 +66\.7 %")
        self.assertRegex(table, r"  b +1 +0 +0\.0 %")

    def test_score_is_the_same(self):
        """A loss is what `jinlin score` says of the same pair."""
        tasks = self.write("loss.jsonl", {"prompt": "xy", "expect": "Hello you!", "check": "loss"})
        pairs = self.write("pairs.jsonl", {"prompt": "xy", "continuation": "Hello you!"})
        line, = self.answers(self.model, tasks)
        said = json.loads(self.ok("score", self.model, "--pairs", pairs, "--json"))
        self.assertEqual((-line["nll"], line["tokens"]), (said["logprob"], said["scored"]))

    def test_samples(self):
        tasks = self.write("samples.jsonl", *({"prompt": "R", "expect": word} for word in ("red", "blue") * 10))
        args = ("--temperature", "1", "--n", "8")
        one = self.answers(self.model, tasks, *args, "--parallel", "1")
        self.assertEqual(one, self.answers(self.model, tasks, *args, "--parallel", "32"))
        self.assertNotEqual(one, self.answers(self.model, tasks, *args, "--seed", "1"))
        self.assertEqual(len(one), 160)
        share = sum(line["right"] for line in one) / len(one)
        self.assertTrue(0.3 < share < 0.7, share)
        self.assertGreater(len({line["answer"] for line in one[:8]}), 1)
        report = json.loads(self.ok("eval", self.model, tasks, *args, "--json", "-"))
        self.assertAlmostEqual(report["total"]["share"], share)
        some = {line["line"] for line in one if line["right"]}
        self.assertAlmostEqual(report["total"]["pass"], len(some) / 20)
        self.assertIn("pass@8", self.ok("eval", self.model, tasks, *args))
        self.fails(2, "--temperature", "eval", self.model, tasks, "--n", "2")

    def test_limit_and_baseline(self):
        tasks = self.write("many.jsonl", *({"prompt": f"x{i}", "expect": "Hello you!"} for i in range(30)))
        other = self.path("other")
        scripted_model.make(other, {**SCRIPT, " you": ["?"], "?": ["<end>"]}, "Hello", context=60)
        before = self.path("before.jsonl")
        self.ok("eval", other, tasks, "--out", before)
        done = self.run_program("eval", self.model, tasks, "--limit", "7", "--seed", "3", "--baseline", before)
        self.assertIn("7 tasks, chosen by seed 3; 23 are left out", done.stderr)
        self.assertIn("7 won, 0 lost, 0 as before", done.stdout)
        self.assertIn("many.jsonl:", done.stdout)
        lines = self.answers(self.model, tasks, "--limit", "7", "--seed", "3")
        self.assertEqual(len(lines), 7)
        self.assertEqual(lines, self.answers(self.model, tasks, "--limit", "7", "--seed", "3"))
        self.write("bad_before.jsonl", {"id": 1})
        self.fails(4, "bad_before.jsonl, line 1", "eval", self.model, tasks, "--baseline",
                   self.path("bad_before.jsonl"))

    def test_tables(self):
        os.makedirs(self.path("data/rhyme"))
        with open(self.path("data/rhyme/pingshui.tsv"), "w", encoding="utf-8") as file:
            file.write("塘\t平\t下平七阳\n")
        form = json.dumps({"form": "1x1"})
        tasks = self.write("tables.jsonl", {"prompt": "Hello", "check": "verse", "expect": form},
                           {"prompt": "Hello", "check": "verse_form", "expect": form},
                           {"prompt": "Hello", "expect": "you!"})
        found = self.answers(self.model, tasks, "--data", self.path("data"))
        self.assertEqual([line["right"] for line in found], [False, False, True])
        self.assertEqual([line["check"] for line in found], ["verse", "verse_form", "exact"])

    def test_refused(self):
        bad = self.write("bad.jsonl", {"prompt": "x", "expect": "y"}, {"prompt": "x", "expects": "y"})
        self.fails(4, "bad.jsonl, line 2", "eval", self.model, bad)
        chat = self.write("chat.jsonl", {"messages": [{"role": "user", "content": "a"}], "expect": "y"})
        self.fails(5, "chat.jsonl, line 1: the model has no chat template", "eval", self.model, chat)
        long = self.write("long.jsonl", {"prompt": "x" * 100, "expect": "y"})
        self.fails(7, "long.jsonl, line 1: the prompt has", "eval", self.model, long)
        full = self.write("full.jsonl", {"prompt": "L" * 50, "expect": "y"})
        self.assertEqual(self.answers(self.model, full)[0]["finish"], "context")
        self.fails(2, "brings no tasks of its own", "eval", self.model)
        verse = self.write("verse.jsonl", {"prompt": "Hello", "check": "verse", "expect": json.dumps({"form": "五绝"})})
        self.fails(2, "--data DIR says where", "eval", self.model, verse)
        self.fails(2, "leave --data out", "eval", self.model, full, "--data", ".")
        self.assertIn("must hold rhyme/pingshui.tsv",
                      self.run_program("eval", self.model, verse, "--data", self.path("none")).stderr)
        self.fails(2, "temperature", "eval", self.model, bad, "--temperature", "-1")


class Teach(Base):
    """The example, shortened, and what its models answer."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        env = dict(os.environ, JINLIN=PROGRAM, TALK_EPOCHS="0.03", TUNE_EPOCHS="0.5")
        cls.done = subprocess.run(["examples/teach/run.sh", cls.path("teach")], capture_output=True, text=True,
                                  check=False, timeout=200, env=env)
        cls.model = cls.path("teach/format/tuned")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_example(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        for what in ("== Before", "== After", "against before.jsonl", "tuned is done", "jinlin chat format/tuned",
                     "after: "):
            self.assertIn(what, self.done.stdout)
        with open(self.path("teach/tasks.jsonl"), encoding="utf-8") as file:
            asked = [json.loads(line)["messages"][0]["content"] for line in list(file)[1:]]
        with open(self.path("teach/format.jsonl"), encoding="utf-8") as file:
            self.assertFalse(set(asked) & {json.loads(line)["messages"][0]["content"] for line in file})

    def test_answers_are_those_of_run(self):
        tasks = self.write(
            "tasks.jsonl", {"task": "t", "defaults": {"max_tokens": 12}},
            *({"messages": [{"role": "user", "content": text}], "expect": "x"}
              for text in ("Book a tent.", "We are nine and would like a sofa, Monday noon please.", "?")))
        lines = self.answers(self.model, tasks)
        for line, text in zip(lines, ("Book a tent.", "We are nine and would like a sofa, Monday noon please.",
                                      "?")):
            said = self.ok("run", self.model, "--chat", "--greedy", "-n", "12", "-p", text)
            self.assertEqual(line["answer"].strip(), said.strip())
        for args in (("--parallel", "1"), ("--parallel", "2", "--threads", "1"), ("--threads", "3",)):
            self.assertEqual(lines, self.answers(self.model, tasks, *args))

    def test_answers_are_those_of_generate(self):
        prompts = ["Book a", "A table for 3 on", "on on on on", "x"]
        tasks = self.write("prompts.jsonl", *({"prompt": text, "expect": "x", "max_tokens": 10} for text in prompts))
        lines = self.answers(self.model, tasks)
        for line, text in zip(lines, prompts):
            ids = self.ok("tokenize", self.model, stdin=text)
            with open(self.path("ids.json"), "w", encoding="utf-8") as file:
                file.write(ids)
            said = self.ok("generate", self.model, "--tokens", self.path("ids.json"), "-n", "10", "--greedy",
                           "--stop-id", "510", "--stop-id", "511")
            self.assertEqual(line["answer"], self.ok("detokenize", self.model, stdin=said).rstrip("\n"))
            self.assertEqual(line["tokens"], len(json.loads(said)))

    def test_tune(self):
        data = self.write("data.jsonl", *({"text": f"{i} and {i + 1} and on"} for i in range(20)))
        more = self.write("more@x.jsonl", *({"text": f"no {i}"} for i in range(20)))
        out = self.path("tuned")
        said = self.ok("tune", self.model, "--data", data, "--data", more + "@0.5", "-o", out, "--steps", "3",
                       "--rows", "64", "--seq-len", "32", "--holdout", "0.1", "--warmup", "1", "--rate", "1e-3",
                       "--seed", "5")
        self.assertIn("step 3 of 3 (tuned)", said)
        self.assertIn("held-out tokens", said)
        self.assertIn(f"jinlin chat {out}/tuned", said)
        with open(os.path.join(out, "recipe"), encoding="utf-8") as file:
            recipe = file.read()
        self.assertIn("dtype = bf16", recipe)
        self.assertIn("more@x.jsonl weight=0.5", recipe)
        # The kept recipe, carried out elsewhere, makes the same model.
        again = self.path("again")
        self.ok("train", os.path.join(out, "recipe"), "-o", again)
        with open(os.path.join(out, "tuned/model.safetensors"), "rb") as one, \
                open(os.path.join(again, "tuned/model.safetensors"), "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_tune_by_reward(self):
        """With a program as the judge, all weights and an adapter; what may go wrong is told."""
        tasks = self.write("asks.jsonl", *({"messages": [{"role": "user", "content": text}], "expect": "x", "max_tokens": 16}
                                           for text in ("Book a tent.", "A table for two.", "We are nine.")))
        judge = os.path.abspath("examples/reward/judge.py")
        with open(self.path("shape.json"), "w", encoding="utf-8") as file:
            file.write('{"type": "object", "required": ["people"]}')

        def recipe(name, more="", reward=None, schema="shape.json"):  # which lies beside it
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(f"[data]\nrows = 256\n[grpo]\ntasks = {tasks}\nprompts = 2\ngroup = 4\n"
                           f"reward = {reward or 'program ' + sys.executable + ' ' + judge} weight=0.5\nreward = json weight=0.25\n"
                           f"reward = schema {schema}\n"
                           f"{more}[stage better]\nsteps = 2\nrate = 1e-4\n")
            return self.path(name)

        said = self.ok("tune", self.model, "--method", "grpo", recipe("by-reward"))
        self.assertIn("step 2 of 2 (better): reward", said)
        self.assertIn("schema 0.000", said)
        self.assertIn("difference 0.0 of", said)
        self.fails(3, "nowhere.json", "tune", self.model, "--method", "grpo", recipe("lost", schema="nowhere.json"))
        self.assertIn(f"jinlin chat {self.path('by-reward')}.run/better", said)
        out = self.path("rewarded")
        said = self.ok("tune", self.model, "--method", "grpo", recipe("adapted", "kl = 0.1\nupdates = 2\n[lora]\nrank = 4\n"), "-o", out)
        self.assertIn(f"--adapter {out}/better", said)
        self.assertTrue(os.path.exists(f"{out}/better/adapter_config.json"))
        plan = json.loads(self.ok("plan", recipe("planned", f"[model]\nstart = {self.model}\n"), "--json"))
        self.assertEqual((plan["steps"], plan["answers"]), (2, 8))
        self.assertTrue(plan["drawing"] > 0 and plan["bytes"] > plan["drawing"] / 100)
        self.fails(2, "say how", "tune", self.model, "--method", "grpo")
        self.fails(2, "the recipe says all", "tune", self.model, "--method", "grpo", recipe("more"), "--steps", "3")
        self.fails(2, "a recipe beside the model", "tune", self.model, recipe("none"), "-o", out)
        done = self.run_program("tune", self.model, "--method", "grpo", recipe("crash", reward="program exit 7"))
        self.assertEqual(done.returncode, 3)
        self.assertIn("the judge 'exit 7' ended with 7, asked {", done.stderr)
        self.fails(4, "this key stands twice", "tune", self.model, "--method", "grpo", recipe("twice", "[model]\nstart = x\n"))
        with open(self.path("other"), "w", encoding="utf-8") as file:
            file.write("[data]\nsource = x\n[stage a]\nsteps = 1\n")
        self.fails(4, "there is no [grpo]", "tune", self.model, "--method", "grpo", self.path("other"))

    def test_tune_lora(self):
        data = self.write("lora.jsonl", *({"text": f"{i} and {i + 1} and on"} for i in range(20)))
        out = self.path("tuned-lora")
        said = self.ok("tune", self.model, "--data", data, "-o", out, "--method", "lora", "--rank", "4", "--steps",
                       "4", "--rows", "64", "--seq-len", "32", "--merge")
        self.assertIn("gives the same logits", said)
        self.assertIn(f"--adapter {out}/tuned", said)
        for name in ("tuned/adapter_config.json", "tuned.gguf", "tuned-merged/model.safetensors"):
            self.assertTrue(os.path.exists(os.path.join(out, name)), name)
        texts = {self.ok("run", self.model, "--adapter", os.path.join(out, name), "-p", "3 and", "-n", "8", "--greedy")
                 for name in ("tuned", "tuned.gguf")}
        self.assertEqual(len(texts), 1)

    def test_tune_lora_by_name(self):
        """The embedding and the head learn by name; what cannot be merged is said before the first step."""
        data = self.write("lora.jsonl", *({"text": f"{i} and {i + 1} and on"} for i in range(20)))
        out = self.path("tuned-ends")
        args = ("--data", data, "--method", "lora", "--rank", "3", "--steps", "4", "--rows", "64", "--seq-len", "32",
                "--roles")
        said = self.ok("tune", self.model, "-o", out, *args, "embed_tokens,lm_head,q_proj")
        self.assertIn("gives the same logits", said)
        with open(os.path.join(out, "tuned/adapter_config.json"), encoding="utf-8") as file:
            self.assertEqual(sorted(json.load(file)["target_modules"]), ["embed_tokens", "lm_head", "q_proj"])
        texts = {self.ok("run", self.model, "--adapter", os.path.join(out, name), "-p", "3 and", "-n", "8", "--greedy")
                 for name in ("tuned", "tuned.gguf")}
        self.assertEqual(len(texts), 1)
        quantised = self.path("quantised.gguf")
        self.ok("quantize", self.model, quantised, "--type", "q8_0")
        for model, roles, named in ((self.model, "lm_head", "one tensor"), (quantised, "all", "quantised")):
            self.fails(5, named, "tune", model, "-o", self.path("no"), *args, roles, "--merge")
            self.assertFalse(os.path.exists(self.path("no/tuned")))

    def test_tune_refused(self):
        data = self.write("few.jsonl", {"text": "a"})
        out = self.path("never")
        for code, named, args in (
                (2, "-o FOLDER", ("--data", data)), (2, "--data", ("-o", out)),
                (2, "--method lora", ("--data", data, "-o", out, "--rank", "4")),
                (2, "--alpha", ("--data", data, "-o", out, "--method", "lora", "--alpha", "x")),
                (2, "'dpo'", ("--data", data, "-o", out, "--method", "dpo")),
                (2, "one of the two", ("--data", data, "-o", out, "--steps", "1", "--epochs", "1")),
                (2, "--epochs", ("--data", data, "-o", out, "--epochs", "0")),
                (2, "--rate", ("--data", data, "-o", out, "--rate", "x")),
                (2, "f16", ("--data", data, "-o", out, "--dtype", "f16")),
                (2, "WEIGHT", ("--data", data + "@0", "-o", out)),
                (2, "--seed", ("--data", data, "-o", out, "--seed", "-1"))):
            self.fails(code, named, "tune", self.model, *args)
        self.assertFalse(os.path.exists(out))
        self.assertNotEqual(self.run_program("tune", self.model, "--data", self.path("absent.jsonl"), "-o",
                                             out).returncode, 0)


if __name__ == "__main__":
    unittest.main()
