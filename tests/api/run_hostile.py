#!/usr/bin/env python3
"""Makes a small model as a folder and as a GGUF file, and runs tests/api/hostile.c on each of its
files.

    run_hostile.py PROGRAM JINLIN STRIDE
"""
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import scripted_model  # noqa: E402

TEMPLATE = "{% for m in messages %}{{ m.role }} {{ m.content }}{% endfor %}"


def header_bytes(path):
    """Of a safetensors file."""
    with open(path, "rb") as file:
        return 8 + struct.unpack("<Q", file.read(8))[0]


def main():
    program, jinlin, stride = sys.argv[1:]
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder, gguf = os.path.join(scratch, "model"), os.path.join(scratch, "model.gguf")
        scripted_model.make(folder, {"Hello": [" there"]}, "Hello", template=TEMPLATE)
        subprocess.run([jinlin, "quantize", folder, gguf, "--type", "q8_0"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        tensors = os.path.join(folder, "model.safetensors")
        for model, name, n in ((gguf, gguf, 20000), (folder, tensors, header_bytes(tensors)),
                               (folder, os.path.join(folder, "config.json"), 2000),
                               (folder, os.path.join(folder, "tokenizer_config.json"), 400),
                               (folder, os.path.join(folder, "tokenizer.json"), 4000)):
            failed += subprocess.run([program, model, name, str(n), stride], check=False).returncode != 0
    sys.exit(failed != 0)


main()
