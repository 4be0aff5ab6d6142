#!/usr/bin/env python3
"""No MODEL is the one that ships, a folder with one GGUF file is that file, and a model may bring tasks.

usage: test_shipped.py PROGRAM   (run from the source root)
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scripted_model  # noqa: E402

PROGRAM = os.path.realpath(sys.argv.pop(1))
SCRIPT = {"Hello": [" you"], " you": ["!"], "!": ["<end>"]}


class Shipped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = cls.path("scripted")
        cls.gguf = cls.path("scripted.gguf")
        scripted_model.make(cls.model, SCRIPT, "Hello", context=60)
        subprocess.run([PROGRAM, "quantize", cls.model, cls.gguf, "--type", "f32"], check=True,
                       capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.folder.name, *names)

    def run_program(self, program, *args, stdin=""):
        return subprocess.run([program, *args], capture_output=True, text=True, input=stdin, check=False,
                              timeout=100)

    def installed(self, name, bin_folder="bin", model_folder="share/jinlin/fry"):
        """A copy of the program, with the folder of its model where it is looked for."""
        program = self.path(name, bin_folder, "jinlin")
        os.makedirs(os.path.dirname(program))
        os.makedirs(self.path(name, model_folder))
        shutil.copy(PROGRAM, program)
        return program, self.path(name, model_folder)

    def test_without_a_model(self):
        for name, places in (("installed", ()), ("tree", ("build/src/cli", "models/fry"))):
            program, folder = self.installed(name, *places)
            shutil.copy(self.gguf, folder)
            done = self.run_program(program, "run", "-p", "x", "-n", "8")
            self.assertEqual((done.returncode, done.stdout), (0, "xHello you!\n"), done.stderr)
            done = self.run_program(program, "chat", "-n", "8", stdin="x\n")
            self.assertIn("Hello you!", done.stdout, done.stderr)
            self.assertIn("Fry 鱼苗", done.stdout + done.stderr)
            done = self.run_program(program, "chat", self.gguf, "-n", "8", stdin="x\n")
            self.assertNotIn("Fry 鱼苗", done.stdout + done.stderr) # another model under no such name
            link = self.path(name, "jinlin") # as build/jinlin is one
            os.symlink(program, link)
            done = self.run_program(link, "run", "-p", "x", "-n", "8")
            self.assertEqual((done.returncode, done.stdout), (0, "xHello you!\n"), done.stderr)

    def test_none_ships(self):
        program, folder = self.installed("empty")
        for command in (("run", "-p", "x"), ("chat",), ("eval",)):
            done = self.run_program(program, *command)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn("name a MODEL", done.stderr)
            self.assertIn("share/jinlin/fry", done.stderr)
            self.assertEqual(done.stdout, "")
        for name in ("a.gguf", "b.gguf"):
            shutil.copy(self.gguf, os.path.join(folder, name))
        done = self.run_program(program, "run", "-p", "x")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("a.gguf and b.gguf", done.stderr)

    def test_folder_of_one_file(self):
        folder = self.path("folder")
        os.makedirs(folder)
        shutil.copy(self.gguf, folder)
        for name in ("README.md", ".hidden.gguf", "old.gguf.txt"): # none of these is a model
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("x")
        done = self.run_program(PROGRAM, "run", folder, "-p", "x", "-n", "8")
        self.assertEqual((done.returncode, done.stdout), (0, "xHello you!\n"), done.stderr)
        done = self.run_program(PROGRAM, "inspect", folder + "/")
        self.assertEqual(done.returncode, 0, done.stderr)

        shutil.copy(self.gguf, os.path.join(folder, "second.gguf"))
        done = self.run_program(PROGRAM, "run", folder, "-p", "x")
        self.assertEqual(done.returncode, 2)
        self.assertIn("has 2 GGUF files, scripted.gguf and second.gguf among them", done.stderr)

        shutil.copytree(self.model, self.path("both")) # a folder of a model's own files is that model
        shutil.copy(self.gguf, self.path("both"))
        done = self.run_program(PROGRAM, "inspect", self.path("both"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(".gguf", done.stdout)

    def test_parts_of_one_model(self):
        """Of files that are parts of one model the first is named; it then misses the others."""
        folder = self.path("parts")
        os.makedirs(folder)
        for part in (1, 2):
            shutil.copy(self.gguf, os.path.join(folder, f"x-0000{part}-of-00002.gguf"))
        done = self.run_program(PROGRAM, "inspect", folder)
        self.assertNotIn("GGUF files", done.stderr)
        self.assertIn("x-00001-of-00002.gguf", done.stdout + done.stderr)

    def test_own_tasks(self):
        folder = self.path("judged")
        os.makedirs(os.path.join(folder, "tasks"))
        shutil.copy(self.gguf, folder)
        with open(os.path.join(folder, "tasks", "greet.jsonl"), "w", encoding="utf-8") as file:
            file.write(json.dumps({"prompt": "x", "expect": "Hello you!", "max_tokens": 8}) + "\n")
        for model in (folder, os.path.join(folder, "scripted.gguf")):
            done = self.run_program(PROGRAM, "eval", model)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("100.0", done.stdout)
        shutil.copytree(self.model, self.path("judged2"))
        shutil.copytree(os.path.join(folder, "tasks"), self.path("judged2", "tasks"))
        done = self.run_program(PROGRAM, "eval", self.path("judged2"))
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_program(PROGRAM, "eval", self.gguf)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("brings no tasks of its own", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
