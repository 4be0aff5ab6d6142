#!/usr/bin/env python3
"""Random conversations over all templates, and random expressions: the same bytes as Jinja2, or an
error where it fails.

usage: test_oracle.py RENDER_LINES [SEED [SCALE]]   (from the source root)
"""
import json
import os
import pathlib
import random
import subprocess
import sys

sys.dont_write_bytecode = True
ORACLE_PYTHON = "/usr/bin/python3"  # Debian's python3-jinja2
try:
    import jinja2  # noqa: F401
except ImportError:
    probe = [ORACLE_PYTHON, "-c", "import jinja2"]
    if sys.executable != ORACLE_PYTHON and subprocess.run(probe, capture_output=True,
                                                         check=False).returncode == 0:
        sys.exit(subprocess.run([ORACLE_PYTHON, *sys.argv], check=False).returncode)
    print("SKIPPED: python3-jinja2 is not installed")
    sys.exit(77)
import corpus  # noqa: E402
import oracle  # noqa: E402

SHARED = pathlib.Path("../shared/templates")
# Errors of this program where Jinja2 prints something that depends on memory or needs more than 64
# bits, and other refusals that docs/templates.md lists.
REFUSALS = ("unsupported", "limit")


def compare(program, rows):
    """Failures among (template, variables) pairs, and how many were refused."""
    lines = "".join(json.dumps({"template": t, "input": v, "now": oracle.NOW}) + "\n"
                    for t, v in rows)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(rows), f"{len(answers)} answers to {len(rows)} lines"
    failures, refused, errors = [], 0, 0
    for (template, variables), line in zip(rows, answers):
        ours = json.loads(line)
        text, error = oracle.render(template, variables)
        errors += error is not None
        if "error" in ours and ours["status"] in REFUSALS and error is None:
            refused += 1
        elif (error is None) != ("error" not in ours) or (error is None and text != ours["output"]):
            if error is None and " at 0x" in text:
                refused += 1
                continue
            failures.append((template, variables, text if error is None else error, ours))
    return failures, refused, errors


def main():
    program, args = sys.argv[1], sys.argv[2:]
    given = args[0] if args else os.environ.get("JINLIN_TEST_SEED")
    seed = int(given) if given else random.SystemRandom().randrange(10**6)
    scale = int(args[1]) if len(args) > 1 else 1
    print(f"seed {seed}")
    files = sorted((corpus.HERE / "templates").glob("*.jinja"))
    if SHARED.is_dir():
        files += sorted(SHARED.glob("*.jinja"))
    else:
        print("SKIPPED: the shared templates are not here")
    maker, make = corpus.Maker(seed), corpus.Expressions(seed)
    rows = [(path.read_text(encoding="utf-8"), maker.conversation())
            for path in files for _ in range(40 * scale)]
    n = len(rows)
    rows += [("{{ " + make.make(make.r.randint(1, 4)) + " }}", corpus.VARIABLES)
             for _ in range(1000 * scale)]
    tags = corpus.Statements(seed)
    rows += [(tags.template(), corpus.VARIABLES) for _ in range(500 * scale)]
    failures, refused, errors = compare(program, rows)
    for template, variables, wanted, ours in failures[:20]:
        print(f"template {template[:200]!r}\n  variables {json.dumps(variables)[:300]}\n"
              f"  wanted {str(wanted)[-300:]!r}\n  ours   {str(ours)[-400:]}")
    print(f"{n} conversations, {len(rows) - n} expressions and statements: {errors} fail in the oracle, "
          f"{refused} refused, {len(failures)} differences")
    assert refused < len(rows) // 10, "too much is refused for the comparison to mean anything"
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
