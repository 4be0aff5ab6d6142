#!/usr/bin/env python3
"""Runs an example on a model that says what a script tells it to.

    run.py PROGRAM NAME
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import scripted_model  # noqa: E402

SCRIPT = {"Hello": [" there"], " there": [","], ",": [" friend"], " friend": ["<end>"]}


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def check(condition, what):
    if not condition:
        sys.exit(f"{sys.argv[2]}: {what}")


def complete(program, model):
    code, out, err = run(program, model, "Hello")
    check((code, out, err) == (0, " there, friend\n", ""), f"said {(code, out, err)}")
    code, out, _ = run(program, model, "Hello", "2")
    check((code, out) == (0, " there,\n"), f"two tokens: {(code, out)}")


def many(program, model):
    code, out, err = run(program, model, "Hello", "3", "8")
    lines = out.splitlines()
    check(code == 0 and len(lines) == 3, f"said {(code, out, err)}")
    for i, line in enumerate(lines):
        check(line.startswith(f"{i}: Hello"), f"answer {i}: {line}")
    check(run(program, model, "Hello", "3", "8")[1] == out, "the same seed, another text")


def main():
    program, name = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model")
        scripted_model.make(model, SCRIPT, "Hello")
        {"complete": complete, "many": many}[name](program, model)
        code, _, err = run(program, os.path.join(folder, "absent"), "Hello")
        check(code == 1 and "absent" in err, f"no model: {(code, err)}")


main()
