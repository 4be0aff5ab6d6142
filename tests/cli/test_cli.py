#!/usr/bin/env python3
"""The commands as checks call them: names, flags, outputs, exit codes, and errors that say what to do.

usage: test_cli.py PROGRAM   (run from the source root)
"""
import array
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
GOLDEN = "tests/golden"
LEVELS = ["ref", "neon"] if os.uname().machine == "aarch64" else ["ref", "avx2", "avx512", "amx"]
STORIES = "../shared/models/stories260K"


def run(*args, env=None, stdin=""):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, input=stdin,
                          env={**os.environ, **(env or {})}, timeout=120)


def floats(path):
    values = array.array("f")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return values


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = os.path.join(self.folder.name, "out.f32")

    def tearDown(self):
        self.folder.cleanup()

    def ok(self, *args, **kw):
        done = run(*args, **kw)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done

    def fails(self, code, named, *args, **kw):
        done = run(*args, **kw)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        self.assertIn(named, done.stderr)
        return done

    def logits(self, model, *args, env=None):
        done = self.ok("logits", model, *args, "--stats", "-o", self.out, env=env)
        with open(self.out, "rb") as file:
            data = file.read()
        stats = json.loads(done.stderr)
        self.assertEqual(stats["sha256"], hashlib.sha256(data).hexdigest())
        return data, stats

    def test_mtp(self):
        """The layer that predicts the token after the next: golden, chunked alike, refused without."""
        model, tokens = f"{GOLDEN}/deepseek-v3", f"{GOLDEN}/deepseek-v3/tokens.json"
        whole, _ = self.logits(model, "--tokens", tokens, "--act", "f32", "--kv", "f32", "--mtp")
        got, want = floats(self.out), floats(f"{GOLDEN}/deepseek-v3/mtp_logits_0.f32")
        self.assertEqual(len(got), len(want))
        self.assertLess(max(abs(a - b) for a, b in zip(got, want)), 1e-3)
        chunked, _ = self.logits(model, "--tokens", tokens, "--act", "f32", "--kv", "f32", "--mtp",
                                 "--chunk", "9", "--also", "1")
        self.assertEqual(whole, chunked)
        self.fails(5, "num_nextn_predict_layers", "logits", f"{GOLDEN}/deepseek-v2", "--tokens", tokens,
                   "--mtp", "-o", self.out)

    def test_logits(self):
        tokens = f"{GOLDEN}/llama/tokens.json"
        for prompt in (0, 1):
            self.logits(f"{GOLDEN}/llama", "--tokens", tokens, "--prompt", str(prompt), "--act", "f32",
                        "--kv", "f32")
            got, want = floats(self.out), floats(f"{GOLDEN}/llama/logits_{prompt}.f32")
            self.assertEqual(len(got), len(want))
            self.assertLess(max(abs(a - b) for a, b in zip(got, want)), 1e-3)

    def test_stats_rows_and_bits(self):
        model, tokens = f"{GOLDEN}/qwen2", f"{GOLDEN}/qwen2/tokens.json"
        whole, stats = self.logits(model, "--tokens", tokens, "--threads", "2")
        self.assertEqual((stats["forward_calls"], stats["rows"], stats["threads"]), (1, [48], 2))
        self.assertEqual(stats["class"], "act=bf16,kv=bf16,mla=latent,rules=v1-draft")
        chunked, stats = self.logits(model, "--tokens", tokens, "--chunk", "20", "--threads", "1")
        self.assertEqual(stats["rows"], [20, 20, 8])
        mixed, stats = self.logits(model, "--tokens", tokens, "--also", "1,1", "--chunk", "30")
        self.assertEqual(stats["rows"], [30 + 19 + 19, 18])
        self.assertTrue(whole == chunked == mixed)

    def test_levels_are_forced_and_reported(self):
        model, tokens = f"{GOLDEN}/gguf/small-llama.q4_k_m.gguf", f"{GOLDEN}/gguf/tokens.json"
        seen = {}
        for level in LEVELS:
            done = run("logits", model, "--tokens", tokens, "--stats", "-o", self.out,
                       env={"JINLIN_CPU": level})
            if done.returncode == 10:
                self.assertIn(level, done.stderr)
                print(f"SKIPPED: level {level}: this CPU lacks it")
                continue
            stats = json.loads(done.stderr)
            linear = [b for b in stats["bodies"] if b.startswith("gem")]
            self.assertTrue(any("q4_k" in b for b in linear) and any("q6_k" in b for b in linear))
            own = [b for b in linear if b.endswith("." + level)]
            added_to = ".avx512" if level == "amx" else "." + level
            self.assertTrue(own, stats["bodies"])
            self.assertTrue(all(b in own or b.endswith(added_to) for b in linear), stats["bodies"])
            seen[level] = stats["sha256"]
        self.assertEqual(len(set(seen.values())), 1)
        self.fails(2, "JINLIN_CPU", "logits", model, "--tokens", tokens, "-o", self.out,
                   env={"JINLIN_CPU": "mmx"})

    def test_generate(self):
        for name in ("llama", "qwen3"):
            with open(f"{GOLDEN}/{name}/greedy.json", encoding="utf-8") as file:
                wanted = json.load(file)["continuations"]
            for prompt in (0, 1):
                done = self.ok("generate", f"{GOLDEN}/{name}", "--tokens", f"{GOLDEN}/{name}/tokens.json",
                               "--prompt", str(prompt), "-n", "16", "--greedy", "--act", "f32", "--kv",
                               "f32")
                self.assertEqual(json.loads(done.stdout), wanted[prompt])

    def test_tokens_files(self):
        model = f"{GOLDEN}/llama"
        path = os.path.join(self.folder.name, "tokens.json")

        def write(text):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

        write("[5, 6, 7]")
        self.logits(model, "--tokens", path)
        for text, code, named in (("[]", 4, "at least one"), ("[1, 320]", 2, "320"), ("[1, -1]", 4, "element 1"),
                                  ("[1.5]", 4, "element 0"), ("{}", 4, "prompts"), ("[1", 4, path),
                                  ('{"prompts": [[1], "x"]}', 4, "list"), ("[99999999999]", 4, "element 0")):
            write(text)
            self.fails(code, named, "logits", model, "--tokens", path, "-o", self.out + "2")
            self.assertFalse(os.path.exists(self.out + "2"))
        write("[" + ",".join(["1"] * 4097) + "]")
        self.fails(7, "4096", "logits", model, "--tokens", path, "-o", self.out)
        self.fails(3, "nowhere.json", "logits", model, "--tokens", "nowhere.json", "-o", self.out)

    def test_usage_errors(self):
        tokens = f"{GOLDEN}/llama/tokens.json"
        self.fails(2, "--tokens", "logits", f"{GOLDEN}/llama", "-o", self.out)
        self.fails(2, "--bogus", "logits", f"{GOLDEN}/llama", "--bogus")
        self.fails(2, "usage", "logits")
        self.fails(2, "--chunk", "logits", f"{GOLDEN}/llama", "--chunk", "x")
        self.fails(2, "twice", "logits", f"{GOLDEN}/llama", "--chunk", "1", "--chunk", "2")
        self.fails(2, "--prompt", "logits", f"{GOLDEN}/llama", "--tokens", tokens, "--prompt", "9", "-o", self.out)
        self.fails(2, "--also", "logits", f"{GOLDEN}/llama", "--tokens", tokens, "--also", "1,9", "-o", self.out)
        self.fails(2, "f64", "logits", f"{GOLDEN}/llama", "--tokens", tokens, "--act", "f64", "-o", self.out)
        self.fails(3, "no-such", "inspect", "no-such-model.gguf")
        self.fails(2, "frobnicate", "frobnicate")
        self.assertEqual(run().returncode, 2)

    def test_help(self):
        listing = self.ok("help").stdout
        for name in ("run", "chat", "tokenizer", "inspect", "logits", "generate", "render", "synth",
                     "quantize", "export", "imatrix", "ppl", "bench", "help"):
            self.assertIn(name, listing)
            text = self.ok(name, "--help").stdout
            if name != "help":
                self.assertIn("example:", text)
                self.assertEqual(self.ok("help", name).stdout, text)
        self.assertIn("JINLIN_CPU", self.ok("help", "env").stdout)
        for line in self.ok("help", "exit").stdout.splitlines()[1:]:
            self.assertLess(int(line.split()[0]), 128)

    def test_inspect(self):
        about = json.loads(self.ok("inspect", f"{GOLDEN}/qwen3-yarn", "--json").stdout)
        self.assertEqual(about["family"], "qwen3")
        self.assertEqual(about["hparams"]["rope_scaling"], "yarn")
        self.assertEqual(about["class"], "act=bf16,kv=bf16,mla=latent,rules=v1-draft")
        self.assertEqual(about["state_bytes_per_token"], 3 * 2 * 2 * 24 * 2)
        small = json.loads(self.ok("inspect", f"{GOLDEN}/qwen3-yarn", "--json", "--kv", "q8").stdout)
        self.assertEqual(small["class"], "act=bf16,kv=q8,mla=latent,rules=v1-draft")
        self.assertEqual(small["state_bytes_per_token"], 3 * 2 * 2 * (32 + 4))  # 24 dims: 32 bytes
        self.assertEqual(about["program"][0]["op"], "embed")
        self.assertGreater(about["backward_bytes_per_token"], 0)
        fates = {step.get("backward") for step in about["program"]}
        self.assertEqual(fates, {"keep", "recompute", "drop", None})
        self.assertTrue({"weight_bytes", "tensors", "ignored_tensors", "unread_keys"} <= set(about))
        self.assertIn("torch_dtype", about["unread_keys"])
        self.assertNotIn("rope_theta", about["unread_keys"])
        text = self.ok("inspect", f"{GOLDEN}/gguf/tiny-llama.f32.gguf").stdout
        self.assertIn("interleaved", json.dumps(json.loads(self.ok(
            "inspect", f"{GOLDEN}/gguf/tiny-llama.f32.gguf", "--json").stdout)))
        self.assertIn("attn_q.weight", text)
        self.assertEqual(about["mtp_program"], [])
        mtp = json.loads(self.ok("inspect", f"{GOLDEN}/deepseek-v3", "--json").stdout)["mtp_program"]
        self.assertIn("join", [step["op"] for step in mtp])
        self.assertIn("after the next", self.ok("inspect", f"{GOLDEN}/deepseek-v3").stdout)

    def test_export(self):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out")
            self.assertEqual(self.ok("export", f"{GOLDEN}/qwen3", out).stdout, "")
            self.assertEqual(sorted(os.listdir(out)), ["config.json", "model.safetensors"])
            with open(f"{out}/config.json") as written, open(f"{GOLDEN}/qwen3/config.json") as golden:
                self.assertEqual(json.load(written), json.load(golden))
            small = os.path.join(folder, "small")
            self.ok("export", f"{GOLDEN}/gguf/small-llama.q8_0.gguf", small, "--type", "bf16", "--no-tokenizer",
                    "--shard-size", "1")
            self.assertEqual(json.loads(self.ok("inspect", small, "--json").stdout)["family"], "llama")
            self.assertIn("model.safetensors.index.json", os.listdir(small))
            self.fails(3, "exists already", "export", f"{GOLDEN}/qwen3", out)
            self.fails(2, "quantize", "export", f"{GOLDEN}/qwen3", os.path.join(folder, "x.gguf"))
            self.fails(2, "q4_k", "export", f"{GOLDEN}/qwen3", small, "--type", "q4_k")
            self.fails(2, "Q8_0", "export", f"{GOLDEN}/gguf/small-llama.q8_0.gguf", os.path.join(folder, "y"))
            self.assertEqual(sorted(os.listdir(folder)), ["out", "small"])

    def test_synth_and_bench(self):
        model = os.path.join(self.folder.name, "m.gguf")
        self.ok("synth", "qwen3-0.6b", "--type", "q4_k_m", "--layers", "1", "-o", model)
        first = hashlib.sha256(open(model, "rb").read()).hexdigest()
        self.ok("synth", "qwen3-0.6b", "--type", "q4_k_m", "--layers", "1", "--threads", "1", "-o", model)
        self.assertEqual(first, hashlib.sha256(open(model, "rb").read()).hexdigest())
        bench = []
        for threads in ("1", "2"):
            done = self.ok("bench", model, "--prompt", "8", "--gen", "2", "--depth", "3", "--threads", threads,
                           "--repeat", "1", "--json")
            bench.append(json.loads(done.stdout))
        self.assertEqual(bench[0]["sha256"], bench[1]["sha256"])
        self.assertGreater(bench[0]["decode_tokens_per_s"], 0)
        for dtype in ("iq1_m", "iq3_s"): # which nothing here quantises to
            self.ok("synth", "qwen3-0.6b", "--type", dtype, "--layers", "1", "-o", model)
            self.ok("bench", model, "--prompt", "4", "--gen", "1", "--repeat", "1")
        self.fails(2, "nosuch", "synth", "nosuch", "--type", "f32", "-o", model)
        self.fails(2, "q9", "synth", "qwen3-0.6b", "--type", "q9", "-o", model)

    def test_chat(self):
        model = f"{GOLDEN}/gguf/tiny-llama.f32.gguf"
        done = self.ok("chat", model, "-n", "5", stdin="hello\n/new\nagain\n")
        self.assertTrue(done.stdout.strip())

    def test_session_file(self):
        """What a run has read the next one does not read again, and neither says anything else for it."""
        session = os.path.join(self.folder.name, "kept.session")
        model = f"{GOLDEN}/gguf/tiny-llama.f32.gguf"
        options = ("-n", "12", "--greedy")
        plain = self.ok("run", model, "-p", "once upon", *options).stdout
        for _ in range(2):
            self.assertEqual(self.ok("run", model, "-p", "once upon", *options, "--session", session).stdout, plain)
            self.assertGreater(os.path.getsize(session), 256)
        longer = plain.rstrip("\n") + " a"
        self.assertEqual(self.ok("run", model, "-p", longer, *options, "--session", session).stdout,
                         self.ok("run", model, "-p", longer, *options).stdout)
        chat = self.ok("chat", model, *options, stdin="hello\n").stdout
        for _ in range(2):
            self.assertEqual(self.ok("chat", model, *options, "--session", session, stdin="hello\n").stdout, chat)
        with open(session, "rb") as file:
            before = file.read()
        self.fails(5, "fingerprint", "run", f"{GOLDEN}/gguf/tiny-qwen2.f32.gguf", "-p", "x", *options,
                   "--session", session)
        self.fails(5, "class", "run", model, "-p", "x", *options, "--kv", "f32", "--session", session)
        with open(session, "rb") as file:
            self.assertEqual(file.read(), before)  # a file that was refused is not written over

    @unittest.skipUnless(os.path.isdir(STORIES), "SKIPPED: no real tiny model beside the checkout")
    def test_story(self):
        with open(f"{STORIES}/golden.json", encoding="utf-8") as file:
            golden = json.load(file)
        for model in (STORIES, f"{STORIES}/stories260K.f32.gguf"):
            done = self.ok("run", model, "-p", golden["prompt"], "-n", "252", "--greedy", "--kv", "f32")
            self.assertEqual(done.stdout, golden["text"] + "\n")
            tokens = os.path.join(self.folder.name, "tokens.json")
            with open(tokens, "w", encoding="utf-8") as file:
                json.dump(golden["prompt_ids"], file)
            done = self.ok("generate", model, "--tokens", tokens, "-n", "252", "--greedy", "--kv", "f32")
            self.assertEqual(json.loads(done.stdout), golden["greedy_ids"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
