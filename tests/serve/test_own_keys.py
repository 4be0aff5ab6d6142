#!/usr/bin/env python3
"""Keys that are made and taken out while the server runs.

usage: test_own_keys.py PROGRAM FOLDER     (Fry's)
"""
import os
import subprocess
import sys
import tempfile
import unittest

import live_server

PROGRAM, FOLDER = sys.argv[1:3]
MODEL = live_server.fry(FOLDER)


def Server(folder, *args):
    server = live_server.Server(PROGRAM, MODEL, folder, "--chats", "none", *args)
    unittest.addModuleCleanup(server.kill)
    return server


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
