#!/usr/bin/env python3
"""`jinlin skill` as a command.

usage: test_skill.py PROGRAM   (run from the source root)
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))


class Skill(unittest.TestCase):
    def run_program(self, *args):
        return subprocess.run([PROGRAM, "skill", *args], capture_output=True, text=True, check=False, timeout=100)

    def lines(self, *args):
        done = self.run_program(*args, "-o", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def fails(self, named, *args):
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_program(*args, "-o", os.path.join(folder, "out.jsonl"))
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn(named, done.stderr)
            self.assertEqual(os.listdir(folder), [])

    def test_list(self):
        done = self.run_program()
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("countdown", "sums", "calendar", "units", "order", "logic", "story", "verse", "verse_plan",
                     "idiom", "hanzi", "text"):
            self.assertIn("\n" + name, "\n" + done.stdout)

    def test_conversations(self):
        for line in self.lines("sums", "--n", "50"):
            messages = json.loads(line)["messages"]
            self.assertEqual([message["role"] for message in messages], ["user", "assistant"])

    def test_tasks(self):
        head, *tasks = [json.loads(line) for line in self.lines("countdown", "--n", "40", "--tasks")]
        self.assertEqual(head["task"], "countdown")
        self.assertEqual(len(tasks), 40)
        self.assertEqual({task["check"] for task in tasks}, {"countdown"})
        self.assertTrue({task["group"] for task in tasks} >= {"three.zh", "four-24.en"})

    def test_same(self):
        whole = self.lines("logic", "--n", "30", "--seed", "4")
        self.assertEqual(self.lines("logic", "--n", "10", "--seed", "4", "--from", "20"), whole[20:])
        self.assertNotEqual(self.lines("logic", "--n", "30", "--seed", "5"), whole)

    def test_parts(self):
        def asked(*args):
            return {json.loads(line)["messages"][0]["content"] for line in self.lines("countdown", "--group", "three-24", *args)}
        self.assertFalse(asked("--n", "3000") & asked("--n", "3000", "--part", "held", "--seed", "8"))

    def test_group(self):
        _, *tasks = self.lines("units", "--n", "20", "--group", "coins", "--tasks")
        self.assertEqual({json.loads(task)["group"][:-3] for task in tasks}, {"coins"})

    def test_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.jsonl")
            self.assertEqual(self.run_program("story", "--n", "7", "-o", path).returncode, 0)
            with open(path, encoding="utf-8") as file:
                self.assertEqual(len(file.readlines()), 7)
            self.assertEqual(os.listdir(folder), ["out.jsonl"])

    def test_errors(self):
        self.fails("no skill 'juggling'", "juggling", "--n", "1")
        self.fails("no group 'xor'", "sums", "--n", "1", "--group", "xor")
        self.fails("train or held", "sums", "--n", "1", "--part", "both")
        self.fails("how many tasks", "sums")
        self.fails("reads no tables", "sums", "--n", "1", "--data", ".")
        self.assertEqual(self.run_program("sums", "--n", "3").returncode, 2)
        done = self.run_program("sums", "--n", "3", "-o", "no/such/folder/x.jsonl")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no/such/folder", done.stderr)

    def test_tables_errors(self):
        self.fails("--data DIR", "idiom", "--n", "1")
        done = self.run_program("idiom", "--n", "1", "--data", "no/such", "-o", "-")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("must hold hanzi/pinyin.tsv", done.stderr)
        self.fails("--judge is for answers to verse", "sums", "--judge", "x.jsonl")

    def test_judge(self):
        good = "夜雨落寒塘，鱼儿梦水乡。\n金鳞藏月影，一跃见天光。"
        poem = {"form": "五绝", "title": "金鳞", "author": "鱼", "dynasty": "宋", "tune": None, "strict": True,
                "lines": ["夜雨落寒塘", "鱼儿梦水乡", "金鳞藏月影", "一跃见天光"]}
        other = dict(poem, lines=["一雨落寒塘", "鱼儿落水乡", "金鳞藏夜影", "月跃见天光"])
        tables = {"rhyme/pingshui.tsv": "塘\t平\t下平七阳\n乡\t平\t下平七阳\n光\t平\t下平七阳\n雨\t仄\t上声七麌\n",
                  "hanzi/pinyin.tsv": "塘\ttáng\n", "hanzi/s2t.tsv": "乡\t鄉\n", "hanzi/t2s.tsv": "鄉\t乡\n",
                  "verse/train.jsonl": json.dumps(poem) + "\n", "verse/heldout.jsonl": json.dumps(other) + "\n"}
        with tempfile.TemporaryDirectory() as folder:
            for name, text in tables.items():
                os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            answers = os.path.join(folder, "answers.jsonl")
            line = {"check": "verse", "group": "theme.zh", "expect": json.dumps({"form": "五绝", "theme": "月"})}
            with open(answers, "w", encoding="utf-8") as file:
                for said in ({"eval": {}}, dict(line, answer=good), dict(line, answer=good.replace("光", "水")),
                             dict(line, answer="不会"), {"check": "number", "answer": "7", "expect": "7"}):
                    file.write(json.dumps(said) + "\n")
            done = self.run_program("verse", "--judge", answers, "--data", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = {row.split()[0]: row.split()[1:] for row in done.stdout.splitlines()}
            self.assertEqual(rows["theme.zh"], rows["all"])
            self.assertEqual(dict(zip(rows["group"], rows["all"])),
                             {"answers": "3", "form": "66.7%", "rhyme": "33.3%", "tone": "66.7%", "both": "33.3%",
                              "theme": "66.7%", "heads": "-", "first": "-", "varied": "66.7%", "right": "33.3%", "unlike": "100.0%",
                              "lines": "66.7%", "copied": "77.8%"})
            with open(answers, "a", encoding="utf-8") as file:
                file.write(json.dumps(dict(line, answer=good, expect="{}")) + "\n")
            done = self.run_program("verse", "--judge", answers, "--data", folder)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("line 6: \"form\" of a verse", done.stderr)


if __name__ == "__main__":
    unittest.main()
