#!/usr/bin/env python3
"""What a step of learning by reward costs: answers drawn, answers learned from, the share of time in each, and how far
that is from what the machine could do.

usage: grpo.py JINLIN MODEL TASKS.jsonl OPS.json [--rounds 3] [--steps 2] [--prompts 40] [--group 8] [--parallel 128] [--max-tokens N] [-t THREADS]
       (scripts/bench grpo; MODEL: a Hugging Face folder, or a GGUF file, which is exported first)

Plain decoding is `jinlin bench`: as many sequences as are drawn at once, as deep as these are on the mean, no sampler and
no text. Drawing also reads the prompts, samples, writes text, and ends with ever fewer answers at once. Each round has
plain decoding before and after its steps, and is compared with the mean of both: a shared machine changes its speed."""
import argparse
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("program")
parser.add_argument("model")
parser.add_argument("tasks")
parser.add_argument("ops")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--steps", type=int, default=2)
parser.add_argument("--prompts", type=int, default=40)
parser.add_argument("--group", type=int, default=8)
parser.add_argument("--parallel", type=int, default=128)
parser.add_argument("--max-tokens", type=int, default=512)
parser.add_argument("--threads", "-t", type=int, default=0)
args = parser.parse_args()
N = args.prompts * args.group
AT_ONCE = min(N, args.parallel)
THREADS = ["-t", str(args.threads)] if args.threads else []


def ask(*command, env=None):
    done = subprocess.run([args.program, *command], capture_output=True, text=True, check=False,
                          env={**os.environ, **(env or {})})
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def decode(seqs, depth):
    out = json.loads(ask("bench", model, "--prompt", "16", "--depth", str(max(round(depth) - 48, 0)), "--gen", "64", "--seqs",
                         str(max(round(seqs), 1)), "--json", *THREADS))
    return out["decode_tokens_per_s"]


def read_round(run, runs):
    steps = list(csv.DictReader(io.StringIO(ask("runs", str(run["id"]), "--csv", "-", env=runs))))

    def column(name):
        return [float(step[name]) for step in steps]

    tokens = [N * length for length in column("length")]
    drawing = sum(n / rate for n, rate in zip(tokens, column("drawn_per_second")))
    seconds = sum(column("seconds"))
    return {"drawn": sum(tokens) / drawing, "learned": sum(column("rows")) / (seconds - drawing), "share": drawing / seconds,
            "length": statistics.mean(column("length"))}


with tempfile.TemporaryDirectory() as folder:
    model = os.path.abspath(args.model)
    if os.path.isfile(model):
        ask("export", model, folder + "/model", "--type", "bf16")
        model = folder + "/model"
    with open(folder + "/recipe", "w", encoding="utf-8") as file:
        file.write(f"[model]\nstart = {model}\n[data]\nrows = 4096\n[grpo]\ntasks = {os.path.abspath(args.tasks)}\n"
                   f"prompts = {args.prompts}\ngroup = {args.group}\nparallel = {AT_ONCE}\nmax_tokens = {args.max_tokens}\n"
                   f"[stage bench]\nsteps = {args.steps}\nrate = 1e-6\n")
    plan = json.loads(ask("plan", folder + "/recipe", "--json"))
    runs = {"JINLIN_RUNS": folder + "/runs.db"}
    rounds, length = [], 0.5 * args.max_tokens
    for i in range(1, args.rounds + 1):
        before = decode(AT_ONCE, length / 2)
        ask("train", folder + "/recipe", "-o", f"{folder}/run{i}", *THREADS, env=runs)
        run = json.loads(ask("runs", str(i), "--json", env=runs))
        one = read_round(run, runs)
        length = one["length"]
        one["plain"] = (before + decode(AT_ONCE, length / 2)) / 2
        one["of plain"] = one["drawn"] / one["plain"]
        rounds.append(one)
    size = sum(os.path.getsize(os.path.join(model, name)) for name in os.listdir(model) if name.endswith(".safetensors"))
    with open(args.ops, encoding="utf-8") as file:
        dram = next(1e9 * one["rate"] for one in json.load(file)["ceilings"] if "level" not in one)


def median(name):
    return statistics.median(one[name] for one in rounds)


drawn, learned, share = median("drawn"), median("learned"), median("share")
active, peak = run["active"], run["peak"]
weights = size * drawn / AT_ONCE  # bytes a second: there are at least so many passes
print(f"{os.path.basename(args.model)}: {run['parameters'] / 1e6:.1f} M parameters, {active / 1e6:.1f} M a token; {run['threads']} threads, "
      f"{run['level']}, {run['cpu']}")
print(f"  {args.rounds} rounds of {args.steps} steps of {args.prompts} x {args.group} answers, {AT_ONCE} at once, {length:.0f} tokens each on the mean, {args.max_tokens} at most; planned "
      f"{(plan['bytes'] + plan['drawing']) / 1e6:.0f} MB")
print(f"  drawn    {drawn:7.0f} tokens/s, {100 * share:.0f} % of the time (medians of the rounds)")
print(f"           {median('of plain'):7.2f} of plain decoding of {AT_ONCE} at once, {median('plain'):.0f} (each round: "
      f"{' '.join('%.2f' % one['of plain'] for one in rounds)})")
print(f"           {2 * active * drawn / peak:7.2f} of the products' peak; {weights / dram:.2f} of one core's memory rate")
print(f"  learned  {learned:7.0f} rows/s, {100 * (1 - share):.0f} % of the time")
print(f"           {6 * active * learned / peak:7.2f} of the products' peak")
