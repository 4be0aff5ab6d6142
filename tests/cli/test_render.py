#!/usr/bin/env python3
"""render: files and folders in, the prompt to the byte out, and errors that say what to do.

usage: test_render.py PROGRAM   (from the source root)
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))


class Render(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text.encode())
        return path

    def run_it(self, path, variables, *args):
        text = variables if isinstance(variables, str) else json.dumps(variables)
        return subprocess.run([PROGRAM, "render", path, *args], input=text.encode(),
                              capture_output=True, timeout=60, check=False)

    def prints(self, wanted, path, variables, *args):
        done = self.run_it(path, variables, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.decode(), wanted)

    def fails(self, says, path, variables, *args):
        done = self.run_it(path, variables, *args)
        self.assertGreater(done.returncode, 0)
        self.assertLess(done.returncode, 128)
        self.assertEqual(done.stdout, b"")
        self.assertIn(says, done.stderr.decode())
        self.assertEqual(done.stderr.count(b"\n"), 1 if b"--help" not in done.stderr else 2)

    def test_file(self):
        path = self.write("t.jinja", "{% for m in messages %}\n<{{ m.role }}>{{ m.content }}\n"
                                     "{% endfor %}\n{{ tools is defined }}\n")
        messages = [{"role": "user", "content": "é\n"}, {"role": "a", "content": None}]
        self.prints("<user>é\n\n<a>None\nFalse", path, {"messages": messages})

    def test_clock(self):
        path = self.write("t.jinja", "{{ strftime_now('%d %b %Y %H:%M:%S %A %j') }}")
        self.prints("26 Jul 2024 00:00:00 Friday 208", path, {}, "--now", "1721952000")
        self.prints("26 Jul 2024 00:00:00 Friday 208", path, {}, "--now=1721952000")
        self.prints("31 Dec 1969 23:59:59 Wednesday 365", path, {}, "--now=-1")
        self.prints("29 Feb 2000 12:30:15 Tuesday 060", path, {}, "--now", "951827415")
        self.assertRegex(self.run_it(path, {}).stdout.decode(), r"^\d\d \w{3} 20\d\d \d\d:")
        self.fails("--now", path, {}, "--now", "today")

    def test_folder(self):
        self.write("m/tokenizer_config.json", json.dumps({
            "bos_token": {"content": "<s>"}, "eos_token": "</s>",
            "chat_template": [
                {"name": "default", "template": "{{ bos_token }}D{{ tools }}{{ documents }}"
                                                "{{ add_generation_prompt }}{{ eos_token }}"},
                {"name": "tool_use", "template": "T{{ tools|length }}"},
                {"name": "rag", "template": "R"}]}))
        model = os.path.join(self.folder.name, "m")
        self.prints("<s>DNoneNoneFalse</s>", model, {"messages": []})
        self.prints("<s>DNoneNoneTrue", model, {"add_generation_prompt": True, "eos_token": ""})
        self.prints("T1", model, {"tools": [{"name": "f"}]})
        self.prints("R", model, {"tools": [{"name": "f"}]}, "--template", "rag")
        self.fails("'nosuch'", model, {}, "--template", "nosuch")

    def test_socket(self): # as Node.js gives its children: /dev/stdin cannot be opened
        path = self.write("t.jinja", "{{ a }}")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b'{"a": "x"}')
            ours.shutdown(socket.SHUT_WR)
            done = subprocess.run([PROGRAM, "render", path], stdin=theirs, capture_output=True, timeout=60,
                                  check=False)
        self.assertEqual((done.returncode, done.stdout), (0, b"x"), done.stderr)

    def test_errors(self):
        path = self.write("t.jinja", "a\n{{ raise_exception('not like this') }}")
        self.fails("line 2: the template refuses: not like this", path, {})
        self.fails("must be an object", path, "[]")
        self.fails("stdin", path, "{")
        self.fails("stdin", path, '{"a": 99999999999999999999}')
        self.fails("stdin", path, '{"a": 1, "a": 2}')
        self.fails("stdin", path, '{"a": "\\ud800"}')
        self.fails("nosuch", os.path.join(self.folder.name, "nosuch"), {})
        self.fails("unexpected", path, {}, "more")
        self.fails("line 1", self.write("b.jinja", "{% if %}"), {})
        self.fails("UTF-8", self.write("c.jinja", "") and self.bad_utf8(), {})

    def bad_utf8(self):
        path = os.path.join(self.folder.name, "bad.jinja")
        with open(path, "wb") as file:
            file.write(b"a\xffb")
        return path

    def test_bytes(self):
        path = self.write("t.jinja", "{{ a }}\r\n{{ b|tojson }}\n\n")
        self.prints("x\0y\n[0.1, 1e+22, \"日\\u0000\"]\n", path,
                    '{"a": "x\\u0000y", "b": [0.1, 1e22, "日\\u0000"]}')


if __name__ == "__main__":
    unittest.main(verbosity=2)
