#!/usr/bin/env python3
"""Tasks that no example has shown to the model: a number between two others; of some that 3, 4 or 5 goes into.

usage: make.py FOLDER     writes between.jsonl, multiple.jsonl (to learn from) and held.jsonl (to be judged by)
"""
import json
import random
import sys

ASK = {"between": ["Name a number between {a} and {b}.", "说一个 {a} 和 {b} 之间的数。"],
       "multiple": ["Name a multiple of {k} between {a} and {b}.", "说一个 {a} 和 {b} 之间的 {k} 的倍数。"]}


def task(kind, draw):
    k = draw.choice((3, 4, 5))
    a = draw.randrange(10, 160)
    b = a + draw.randrange(10, 41)
    right = [n for n in range(a + 1, b) if kind == "between" or n % k == 0]
    ask = draw.choice(ASK[kind]).format(a=a, b=b, k=k)
    return {"messages": [{"role": "user", "content": ask}], "group": kind,
            "check": "regex", "expect": f"^(?:{'|'.join(map(str, right))})$"}


def write(path, name, tasks):
    with open(path, "w", encoding="utf-8") as file:
        print(json.dumps({"task": name, "defaults": {"max_tokens": 64}}), file=file)
        for one in tasks:
            print(json.dumps(one, ensure_ascii=False), file=file)


folder, draw = sys.argv[1], random.Random(7)
seen = set()


def fresh(kind, n):
    while n:
        one = task(kind, draw)
        if one["messages"][0]["content"] in seen:
            continue
        seen.add(one["messages"][0]["content"])
        n -= 1
        yield one


for kind in ASK:
    write(f"{folder}/{kind}.jsonl", kind, fresh(kind, 2000))
write(f"{folder}/held.jsonl", "zero", [*fresh("between", 200), *fresh("multiple", 200)])
