#!/usr/bin/env python3
"""The texts of the example, made of a few words and a seed: always the same bytes.

    make.py FOLDER

    talk.jsonl    what the small model is made from: requests, answered in words
    format.jsonl  200 requests, answered as JSON with fixed keys
    tasks.jsonl   150 other requests and the JSON that is expected: for `jinlin eval`

No request of one file is about the same thing, for as many people, at the same time as one of
another.
"""
import json
import os
import sys

ITEMS = ("table room court boat car desk tent piano studio bike cabin sauna hall garden kitchen canoe "
         "van stage sofa office lane pool barn loft").split()
NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
TIMES = "morning noon evening night".split()
REQUESTS = (
    "Book a {item} for {count} on {day} {time}.",
    "Could you get us a {item} on {day} {time}? We are {count}.",
    "On {day} {time} we need a {item} for {count} people.",
    "We are {count} and would like a {item}, {day} {time} please.",
    "Please reserve a {item}: {count} people, {day} {time}.",
    "Is there a {item} for {count} of us on {day} {time}?",
    "{day} {time}, {count} people, one {item}. Can you do that?",
    "My friends want a {item} on {day} {time}, for {count}.",
)
ANSWERS = (
    "Of course. I have put down a {item} for {number} people on {day} {time}.",
    "A {item} for {number} on {day} {time}: that is yours.",
    "Yes, {day} {time} is free. The {item} is ready for {number} people.",
    'Noted: "{item}" for {number}, "{day}" and "{time}".',
)


class Numbers:
    """Numbers that every version of Python gives alike (Knuth's MMIX constants)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n

    def pick(self, items):
        return items[self.below(len(items))]

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def wishes(numbers):
    found = [(item, i + 2, day, time) for item in ITEMS for i in range(len(NUMBERS))
             for day in DAYS for time in TIMES]
    numbers.shuffle(found)
    return found


def words(wish):
    item, number, day, time = wish
    return {"item": item, "number": number, "count": NUMBERS[number - 2], "day": day, "time": time}


def form(wish):
    return json.dumps(dict(zip(("item", "people", "day", "time"), wish)))


def ask(numbers, wish):
    return {"role": "user", "content": numbers.pick(REQUESTS).format(**words(wish))}


def write(folder, name, lines):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def main(folder):
    numbers = Numbers(1)
    all_wishes = wishes(numbers)
    tasks, shown, rest = all_wishes[:150], all_wishes[150:350], all_wishes[350:]
    write(folder, "talk.jsonl", (
        {"messages": [ask(numbers, wish),
                      {"role": "assistant", "content": numbers.pick(ANSWERS).format(**words(wish))}]}
        for wish in rest))
    write(folder, "format.jsonl", (
        {"messages": [ask(numbers, wish), {"role": "assistant", "content": form(wish)}]}
        for wish in shown))
    write(folder, "tasks.jsonl", [
        {"task": "bookings", "defaults": {"check": "exact", "max_tokens": 64}},
        *({"messages": [ask(numbers, wish)], "expect": form(wish), "group": wish[3]}
          for wish in tasks)])


main(sys.argv[1])
