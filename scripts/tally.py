#!/usr/bin/env python3
"""Sums up a run of `meson test`: tally.py LABEL TESTLOG TOTALS [HIDE]

Prints every failure and everything that was skipped, whole tests and parts of tests alike, and
appends "passed failed skipped" to the file TOTALS. No tests at all is a failure.
"""

import json
import re
import sys

# A test says aloud what it leaves out, with a line of its own that contains the word.
SKIP_LINE = re.compile(r"^(?!.*\b0 skipped\b).*\bskip(?:s|ped|ping)?\b.*$", re.I | re.M)
PASSED = {"OK", "EXPECTEDFAIL"}


def main():
    label, log, totals = sys.argv[1:4]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        with open(log, encoding="utf-8") as lines:
            tests = [json.loads(line) for line in lines]
    except FileNotFoundError:
        tests = []
    for test in tests:
        name, result = test["name"], test["result"]
        output = (test.get("stdout") or "") + (test.get("stderr") or "")
        kind = "passed" if result in PASSED else "skipped" if result == "SKIP" else "failed"
        count[kind] += 1
        if kind == "failed":
            print(f"{label}: FAILED {name} ({result})")
            continue
        said = list(dict.fromkeys(line.strip() for line in SKIP_LINE.findall(output)))
        if kind == "skipped" and not said:
            said = ["no reason given"]
        for line in said[:20]:
            print(f"{label}: {name}: {line}")
        if len(said) > 20:
            print(f"{label}: {name}: and {len(said) - 20} more skipped")
    if not tests:
        print(f"{label}: FAILED: no tests ran")
        count["failed"] += 1
    with open(totals, "a", encoding="utf-8") as out:
        print(count["passed"], count["failed"], count["skipped"], file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
