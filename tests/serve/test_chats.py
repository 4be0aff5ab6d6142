#!/usr/bin/env python3
"""Answers to chats while they are written: what the page relies on.

usage: test_chats.py PROGRAM FOLDER     (Fry's)
"""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import live_server

PROGRAM, FOLDER = sys.argv[1:3]
MODEL = live_server.fry(FOLDER)


class Chats(unittest.TestCase):
    def setUp(self):
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.folder, self.file = kept.name, os.path.join(kept.name, "chats.db")

    def start(self, *args, key=None):
        server = live_server.Server(PROGRAM, MODEL, self.folder, "--chats", self.file, *args)
        self.addCleanup(server.kill)
        end, = server.ask("POST", "/tokenize", key, {"content": "<|end|>", "parse_special": True})[1]["tokens"]
        self.long = {"temperature": 3, "max_tokens": 1500, "logit_bias": {str(end): -100}}  # rambles, and may not end
        return server

    def say(self, server, chat, words, key=None):
        return server.ask("POST", f"/api/chats/{chat}/messages", key, {"parent": None, "content": words})

    def chat(self, server, key=None, **fields):
        return server.ask("POST", "/api/chats", key, fields)[1]["id"]

    def last_state(self, server, answer):
        """What whoever looks on is told in the end."""
        with urllib.request.urlopen(f"{server.url}/api/answers/{answer}", timeout=60) as events:
            lines = [line[6:] for line in events.read().decode().split("\n") if line.startswith("data: ")]
        return json.loads(lines[-1])["state"]

    def wait(self, what):
        for _ in range(600):
            found = what()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError("it never came")

    def test_end_that_cannot_be_kept(self):
        server = self.start()
        chat = self.chat(server, settings={**self.long, "max_tokens": 300})
        answer = self.say(server, chat, "hello")[1]["answer"]["id"]
        other = sqlite3.connect(self.file, isolation_level=None, timeout=10)
        other.execute("BEGIN IMMEDIATE")  # another program writes, for longer than we wait
        state = self.last_state(server, answer)
        self.assertIn(state["status"], ("done", "length"))
        time.sleep(6)
        self.assertEqual(self.last_state(server, answer), state)  # it is not lost
        other.execute("ROLLBACK")
        other.close()
        self.say(server, self.chat(server), "hello")  # what is kept next brings it along
        kept = lambda: [m for m in server.ask("GET", f"/api/chats/{chat}")[1]["messages"] if m["status"] != "running"][1:]
        self.assertEqual(self.wait(kept)[0], state)
        self.assertEqual(server.end(), 0)

    def test_deleted_while_it_is_answered(self):
        server = self.start()
        chat = self.chat(server, settings=self.long)
        self.assertEqual(self.say(server, chat, "hello")[0], 200)
        self.wait(lambda: server.ask("GET", "/slots")[1][0]["answering"])
        self.assertEqual(server.ask("DELETE", f"/api/chats/{chat}")[0], 200)
        self.wait(lambda: not server.ask("GET", "/slots")[1][0]["answering"])
        self.assertEqual(server.end(), 0)

    def test_limits_of_a_key(self):
        keys = os.path.join(self.folder, "keys")
        root = subprocess.run([PROGRAM, "serve", "--keys", keys, "--make-key", "root", "--admin"],
                              check=True, capture_output=True, text=True).stdout.strip()
        server = self.start("--keys", keys, key=root)
        key = server.ask("POST", "/api/keys", root, {"name": "ann", "at_once": 1})[1]["key"]
        chat = self.chat(server, key, settings=self.long)
        status, made = self.say(server, chat, "hello", key)
        self.assertEqual(status, 200)
        answer = made["answer"]["id"]
        request = urllib.request.Request(f"{server.url}/api/answers/{answer}", headers={"authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request, timeout=60) as events:
            self.assertTrue(events.readline().startswith(b"data: "))
            # Looking on and reading are not what the limit is about, a second answer is.
            self.assertEqual(server.ask("GET", "/api/chats", key)[0], 200)
            status, said = self.say(server, chat, "hello", key)
            self.assertEqual((status, said["error"]["message"]), (429, "this key has as many answers being written as it may: 1"))
            self.assertEqual(server.ask("POST", f"/api/answers/{answer}/stop", key, {}), (200, {"stopped": True}))
            events.read()
        self.wait(lambda: self.say(server, chat, "hello", key)[0] == 200)
        self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
