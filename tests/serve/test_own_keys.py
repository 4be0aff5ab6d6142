#!/usr/bin/env python3
"""Keys that are made and taken out while the server runs.

usage: test_own_keys.py PROGRAM FOLDER     (Fry's)
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

PROGRAM, FOLDER = sys.argv[1:3]
MODEL = next(path for path in (f"{FOLDER}/fry.gguf", f"{FOLDER}/weights") if os.path.exists(path))


class Server:
    def __init__(self, folder, *args):
        self.log = os.path.join(folder, "log")
        with open(self.log, "wb") as told:
            self.child = subprocess.Popen([PROGRAM, "serve", MODEL, "-p", "0", "-t", "1", "--chats", "none", *args],
                                          stderr=told)
        found = None
        while not found:
            if self.child.poll() is not None:
                raise AssertionError(self.told())
            found = re.search(r"serving at (\S+)", self.told())
            time.sleep(0.02)
        self.url = found[1]

    def told(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def ask(self, method, path, key=None, body=None):
        """Status and JSON."""
        request = urllib.request.Request(self.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        if key:
            request.add_header("authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def end(self):
        self.child.terminate()
        return self.child.wait(timeout=30)


class Keys(unittest.TestCase):
    def setUp(self):
        self.kept = tempfile.TemporaryDirectory()
        self.addCleanup(self.kept.cleanup)
        self.file = os.path.join(self.kept.name, "keys")

    def make(self, name, *more):
        return subprocess.run([PROGRAM, "serve", "--keys", self.file, "--make-key", name, *more],
                              check=True, capture_output=True, text=True).stdout.strip()

    def test_keys(self):
        root, ann = self.make("root", "--admin"), self.make("ann")
        server = Server(self.kept.name, "--keys", self.file)
        status, said = server.ask("GET", "/api/keys", ann)
        self.assertEqual((status, said), (200, {"asked": True, "keys": None, "key": {
            "name": "ann", "at_once": None, "per_minute": None, "tokens_per_minute": None, "admin": False}}))
        self.assertEqual(server.ask("GET", "/api/keys")[0], 401)
        self.assertEqual(server.ask("POST", "/api/keys", ann, {"name": "eve"})[0], 403)
        self.assertEqual(server.ask("DELETE", "/api/keys/root", ann)[0], 403)
        wrong = ({}, {"name": ""}, {"name": "a b"}, {"name": "n" * 64}, {"name": 1}, {"name": "ann"}, {"name": "a\u0000b"},
                 {"name": "x", "at_once": 0}, {"name": "x", "per_minute": 1.5}, {"name": "x", "admin": 1},
                 {"name": "x", "tokens_per_minute": 10**10})
        for body in wrong:
            self.assertEqual(server.ask("POST", "/api/keys", root, body)[0], 400, body)
        status, made = server.ask("POST", "/api/keys", root, {"name": "bob", "at_once": 2, "per_minute": 60})
        self.assertEqual(status, 200)
        status, said = server.ask("GET", "/api/keys", made["key"])
        self.assertEqual((said["key"]["name"], said["key"]["at_once"], said["key"]["per_minute"]), ("bob", 2, 60))
        self.assertEqual([key["name"] for key in server.ask("GET", "/api/keys", root)[1]["keys"]], ["root", "ann", "bob"])
        with open(self.file, encoding="utf-8") as file:
            self.assertNotIn(made["key"][3:], file.read())
        for name in ("root", "nobody", "a%20b"):
            self.assertEqual(server.ask("DELETE", f"/api/keys/{name}", root)[0], 400, name)
        self.assertEqual(server.ask("DELETE", "/api/keys/ann", root)[0], 200)
        self.assertEqual(server.ask("GET", "/api/keys", ann)[0], 401)
        self.assertEqual(server.ask("GET", "/api/keys", made["key"])[0], 200)
        self.assertEqual(server.end(), 0)

    def test_no_keys(self):
        server = Server(self.kept.name)
        self.assertEqual(server.ask("GET", "/api/keys"), (200, {"asked": False, "key": None, "keys": None}))
        self.assertEqual(server.ask("POST", "/api/keys", None, {"name": "eve"})[0], 403)
        self.assertEqual(server.ask("DELETE", "/api/keys/eve")[0], 403)
        self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
