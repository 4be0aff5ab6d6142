#!/usr/bin/env python3
"""Models in strange places: parts that are missing, doubled or in circles, links, pipes, devices and
folders where a file should be. Each goes through the program and, with tests/api/hostile.c, through
the library: the same logits as the good model's, or an error that names the file; never a wait.

    run_places.py HOSTILE JINLIN
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import model_parts  # noqa: E402
import scripted_model  # noqa: E402

JINLIN, HOSTILE = (os.path.abspath(sys.argv.pop()) for _ in range(2))
TEMPLATE = "{% for m in messages %}{{ m.role }} {{ m.content }}{% endfor %}"
SECONDS = 60  # of one command, which takes milliseconds: who needs longer waits for a pipe
INDEX = "model.safetensors.index.json"
CODES = {2: "usage", 3: "io", 4: "format", 5: "unsupported", 6: "memory", 7: "limit"}


def run(*command, text=""):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS,
                          check=False)
    return done.returncode, done.stdout, done.stderr


class Places(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.good = os.path.join(cls.scratch.name, "good")
        os.mkdir(cls.good)
        folder = os.path.join(cls.good, "folder")
        scripted_model.make(folder, {"Hello": [" there"]}, "Hello", template=TEMPLATE,
                            generation={"do_sample": False})
        whole = os.path.join(cls.scratch.name, "whole.gguf")
        subprocess.run([JINLIN, "quantize", folder, whole, "--type", "f32"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        model_parts.split_gguf(whole, cls.good, "m", 3)
        model_parts.shard(folder, 2)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def setUp(self):
        self.root = os.path.join(self.scratch.name, "case")
        shutil.copytree(self.good, self.root)
        self.folder = os.path.join(self.root, "folder")

    def tearDown(self):
        shutil.rmtree(self.root)

    def at(self, *names):
        return os.path.join(self.root, *names)

    def part(self, no):
        return self.at(f"m-{no:05}-of-00003.gguf")

    def works(self, path):
        """Logits, tokens and template are those of the good model."""
        answers = [run(HOSTILE, path),
                   run(JINLIN, "tokenize", path, text="Hello there"),
                   run(JINLIN, "render", path, text='{"messages":[{"role":"a","content":"b"}]}'),
                   run(JINLIN, "inspect", path)]
        for code, _, err in answers:
            self.assertEqual(code, 0, f"{path}: {err}")
        return [out for _, out, _ in answers[:3]]

    def refused(self, path, status, *says, commands=("logits", "inspect")):
        """An error of this kind that holds all of `says`, from the library and every command."""
        tokens = self.at("tokens.json")
        with open(tokens, "w", encoding="utf-8") as file:
            file.write("[1, 2]")
        lines = {"logits": ("--tokens", tokens, "-o", self.at("out")),
                 "generate": ("--tokens", tokens, "--n", "2"),
                 "quantize": (self.at("out.gguf"), "--type", "q8_0")}
        for command in ("library", *commands):
            if command == "library":
                code, out, err = run(HOSTILE, path)
            else:
                code, out, err = run(JINLIN, command, path, *lines.get(command, ()), text="{}")
            self.assertEqual(CODES.get(code), status, f"{command} {path}: {code} {out}{err}")
            for what in says:
                self.assertIn(what, err, f"{command} {path}")

    # ---- split GGUF sets ----

    def test_split_sets_work(self):
        self.assertEqual(self.works(self.part(1)), self.works(os.path.join(self.scratch.name,
                                                                           "whole.gguf")))

    def test_parts_missing_or_unreadable(self):
        os.rename(self.part(2), self.at("elsewhere"))
        self.refused(self.part(1), "io", "m-00002-of-00003.gguf", "missing")
        for make, says in ((lambda path: os.symlink("nowhere", path), "No such file"),
                           (lambda path: os.symlink(os.path.basename(path), path), "symbolic links"),
                           (os.mkdir, "directory"), (os.mkfifo, "regular"),
                           (lambda path: os.symlink("/dev/zero", path), "regular"),
                           (lambda path: os.symlink("/dev/null", path), "regular")):
            make(self.part(2))
            self.refused(self.part(1), "io", "m-00002-of-00003.gguf", says)
            with contextlib.suppress(IsADirectoryError, PermissionError):
                os.remove(self.part(2))
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(self.part(2))
        with open(self.part(2), "wb"):
            pass
        self.refused(self.part(1), "format", "m-00002-of-00003.gguf", "cut short")

    def test_parts_in_circles(self):
        for no, other in ((2, 1), (3, 2), (2, 3), (3, 1)):
            os.rename(self.part(no), self.at("kept"))
            os.symlink(os.path.basename(self.part(other)), self.part(no))
            self.refused(self.part(1), "format", f"m-0000{no}-of-00003.gguf", "split.no",
                         "do not fit")
            os.remove(self.part(no))
            os.rename(self.at("kept"), self.part(no))
        shutil.copy(self.part(2), self.part(3))  # a part twice, this time as a copy
        self.refused(self.part(1), "format", "m-00003-of-00003.gguf", "split.no 1")
        model_parts.patch_split(self.part(3), "split.no", 2)  # that calls itself the third
        self.refused(self.part(1), "format", "occurs also in")

    def test_parts_that_lie(self):
        for no, key, value, says in ((1, "split.no", 1, "of a split model"),
                                     (1, "split.no", 65535, "split.no"),
                                     (1, "split.count", 65535, "00001-of-65535"),
                                     (1, "split.count", 2, "00001-of-00002"),
                                     (1, "split.count", 1, "tensor"),  # some are missing then
                                     (2, "split.no", 0, "split.no 0"),
                                     (2, "split.count", 1, "split.no"),
                                     (3, "split.count", 4, "split.count 4")):
            shutil.copy(self.part(no), self.at("kept"))
            model_parts.patch_split(self.part(no), key, value)
            self.refused(self.part(1), "format", says)
            shutil.move(self.at("kept"), self.part(no))
        # A set of the most parts that can be called for, all of them there.
        model_parts.patch_split(self.part(1), "split.count", 65535)
        first = self.at("m-00001-of-65535.gguf")
        os.rename(self.part(1), first)
        os.symlink(os.path.basename(first), self.at("m-00002-of-65535.gguf"))
        self.refused(first, "format", "m-00002-of-65535.gguf", "split.no 0")

    # ---- shards ----

    def index(self, change):
        path = self.at("folder", INDEX)
        with open(path, encoding="utf-8") as file:
            index = json.load(file)
        names = sorted(index["weight_map"])
        change(index["weight_map"], names[0])
        with open(path, "w", encoding="utf-8") as file:
            json.dump(index, file)

    def test_shards_outside_the_folder(self):
        shutil.copy(self.at("folder", "model-00001-of-00002.safetensors"), self.at("x.safetensors"))
        for name in ("../x.safetensors", self.at("x.safetensors"), "./x.safetensors",
                     "folder/../x.safetensors", "..", "", "model.bin", "/dev/zero", "x\0.safetensors",
                     "y" * 300 + ".safetensors", "a\n.safetensors"):
            self.index(lambda weights, first, name=name: weights.update({first: name}))
            self.refused(self.folder, "format", INDEX,
                         "JSON error" if "\0" in name else "plain name")

    def test_shards_absent(self):
        self.index(lambda weights, first: weights.update({first: "absent.safetensors"}))
        self.refused(self.folder, "io", "absent.safetensors", "missing")
        self.index(lambda weights, first: weights.update({first: 7}))
        self.refused(self.folder, "format", INDEX, "must name a file")
        self.index(lambda weights, first: weights.clear())
        self.refused(self.folder, "format", INDEX, "empty")

    def test_one_shard_for_another(self):
        first, second = (self.at("folder", f"model-0000{i}-of-00002.safetensors") for i in (1, 2))
        os.remove(second)
        os.symlink(os.path.basename(first), second)
        self.refused(self.folder, "format", "occurs also in")

    # ---- what is no file ----

    def replace(self, name, make):
        path = self.at("folder", name)
        if os.path.lexists(path):
            os.rename(path, self.at("kept"))
        make(path)
        yield
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.remove(path)
        if os.path.exists(self.at("kept")):
            os.rename(self.at("kept"), path)

    NO_FILES = ((os.mkfifo, "regular"), (os.mkdir, "directory"),
                (lambda path: os.symlink("/dev/zero", path), "regular"),
                (lambda path: os.symlink("nowhere", path), "No such file"),
                (lambda path: os.symlink(os.path.basename(path), path), "symbolic links"))

    def test_files_of_a_folder(self):
        weights = "model-00001-of-00002.safetensors"
        for name in ("config.json", "generation_config.json", INDEX, weights):
            for make, says in self.NO_FILES:
                for _ in self.replace(name, make):
                    self.refused(self.folder, "io", name, says,
                                 commands=("logits", "inspect", "generate", "quantize"))

    def test_texts_of_a_folder(self):
        """The tokenizer's files: who needs no text can do without, nobody takes another file."""
        for name in ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json"):
            if name == "vocab.json":
                os.rename(self.at("folder", "tokenizer.json"), self.at("tokenizer.json"))
                shutil.copy(self.at("tokenizer.json"), self.at("folder", "merges.txt"))
            if name == "tokenizer.model":
                continue  # tokenizer.json goes first
            for make, says in self.NO_FILES:
                for _ in self.replace(name, make):
                    code, out, err = run(JINLIN, "tokenize", self.folder, text="Hello")
                    self.assertEqual(CODES.get(code), "io", f"{name}: {out}{err}")
                    self.assertIn(name, err)
                    self.assertIn(says, err)
                    code, out, err = run(HOSTILE, self.folder)
                    self.assertEqual((code, "no tokenizer" in out), (0, True), f"{name}: {out}{err}")
                    self.assertIn(says, out)

    def test_templates_of_a_folder(self):
        talk = '{"messages":[{"role":"a","content":"b"}]}'
        for name in ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
                     "chat_template.json"):
            for make, says in self.NO_FILES:
                for _ in self.replace(name, make):
                    code, out, err = run(JINLIN, "render", self.folder, text=talk)
                    self.assertEqual(CODES.get(code), "io", f"{name}: {out}{err}")
                    self.assertIn(name, err)
                    self.assertIn(says, err)
                    self.assertEqual(run(HOSTILE, self.folder)[0], 0)

    def test_the_model_itself(self):
        for make, says in self.NO_FILES:
            path = self.at("m.gguf")
            make(path)
            status = "io"
            commands = ("logits", "inspect", "tokenize", "render", "generate", "quantize")
            if os.path.isdir(path):
                says = "no config.json"
                commands = ("logits", "inspect", "generate", "quantize")
            self.refused(path, status, "m.gguf", says, commands=commands)
            if os.path.isdir(path):
                os.rmdir(path)
            else:
                os.remove(path)
        for path in (self.at("none.gguf"), os.path.join(self.part(1), "x"), self.at("y" * 300),
                     self.at("folder", "config.json", "x")):
            self.refused(path, "io", path[-20:])
        open(self.at("empty.gguf"), "wb").close()
        self.refused(self.at("empty.gguf"), "format", "empty.gguf", "cut short")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_permissions(self):
        for name in ("config.json", "generation_config.json", INDEX):
            os.chmod(self.at("folder", name), 0)
            self.refused(self.folder, "io", name, "Permission denied")
            os.chmod(self.at("folder", name), 0o644)
        os.chmod(self.part(2), 0)
        self.refused(self.part(1), "io", "m-00002-of-00003.gguf", "Permission denied")
        os.chmod(self.folder, 0)
        self.refused(self.folder, "io", "Permission denied")
        os.chmod(self.folder, 0o755)

    # ---- what must work ----

    def test_hub_layouts(self):
        """blobs/HASH, and snapshots/COMMIT/NAME as links to them."""
        good = self.works(self.folder)
        blobs, snapshot = self.at("hub", "blobs"), self.at("hub", "snapshots", "0123abcd")
        os.makedirs(blobs)
        os.makedirs(snapshot)
        names = sorted(os.listdir(self.folder))
        for i, name in enumerate(names):
            os.rename(self.at("folder", name), os.path.join(blobs, f"{i:040x}"))
            os.symlink(f"../../blobs/{i:040x}", os.path.join(snapshot, name))
        self.assertEqual(self.works(snapshot), good)
        os.symlink("snapshots/0123abcd", self.at("hub", "main"))
        self.assertEqual(self.works(self.at("hub", "main")), good)
        self.assertEqual(self.works(self.at("hub", "main") + "/"), good)
        for i in (1, 2, 3):
            os.rename(self.part(i), os.path.join(blobs, f"part{i}"))
            os.symlink(f"../../blobs/part{i}", os.path.join(snapshot, os.path.basename(self.part(i))))
        first = os.path.join(snapshot, os.path.basename(self.part(1)))
        self.assertEqual(self.works(first), good)
        # A blob that was cleaned away is missing, whichever it is.
        for i, name in enumerate(names):
            blob = os.path.join(blobs, f"{i:040x}")
            os.rename(blob, self.at("kept"))
            code, out, err = run(JINLIN, "tokenize", snapshot, text="Hello") \
                if name.startswith("tokenizer") else run(HOSTILE, snapshot)
            self.assertEqual(CODES.get(code), "io", f"{name}: {out}{err}")
            self.assertIn(name, err)
            os.rename(self.at("kept"), blob)

    def test_plain_layouts(self):
        good = self.works(self.folder)
        os.symlink(self.folder, self.at("link"))
        self.assertEqual(self.works(self.at("link")), good)
        os.link(self.at("folder", "config.json"), self.at("hard"))
        self.assertEqual(self.works(self.folder), good)
        os.mkdir(self.at("folder", "onnx"))
        os.symlink("..", self.at("folder", "up"))  # nobody walks into it
        os.mkfifo(self.at("folder", "pytorch_model.bin"))
        self.assertEqual(self.works(self.folder), good)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
