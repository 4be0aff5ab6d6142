#!/usr/bin/env python3
"""Makes a model with a tokenizer and a template, and runs tests/api/memory.c on it.

    run_memory.py PROGRAM
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import scripted_model  # noqa: E402

TEMPLATE = "{% for m in messages %}{{ m.role }} {{ m.content }}{% endfor %}"

with tempfile.TemporaryDirectory() as folder:
    model = os.path.join(folder, "model")
    scripted_model.make(model, {"Hello": [" there"], " there": [" again"]}, "Hello", template=TEMPLATE,
                        generation={"do_sample": True, "temperature": 0.7})
    sys.exit(subprocess.run([sys.argv[1], model, os.path.join(folder, "session")], check=False).returncode)
