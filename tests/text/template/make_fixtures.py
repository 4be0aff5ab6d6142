#!/usr/bin/env python3
"""Writes fixtures.jsonl: templates, variables and what the oracle (Jinja2 3.1) makes of them.

    /usr/bin/python3 make_fixtures.py     (Debian's python3-jinja2; the outcome is committed)
"""
import json

import corpus
import oracle

# What this program refuses although Jinja2 renders it (docs/templates.md).
REFUSED = {"{{ 2**0.5 }}", "{{ big*big }}", "{{ 9223372036854775807+1 }}", "{{ d|pprint }}"}


def main():
    rows = []
    for name in ["expressions.txt", "statements.txt"]:
        for template in corpus.cases(name):
            if template not in REFUSED:
                rows.append({"template": template, "input": None})
    for path in sorted((corpus.HERE / "templates").glob("*.jinja")):
        for seed in range(25):
            maker = corpus.Maker(f"{path.name} {seed}")
            rows.append({"file": path.name, "input": maker.conversation()})
    with open(corpus.HERE / "fixtures.jsonl", "w", encoding="utf-8") as out:
        first = {"variables": corpus.VARIABLES, "now": oracle.NOW}
        out.write(json.dumps(first, ensure_ascii=False) + "\n")
        for row in rows:
            template = row.get("template")
            if template is None:
                template = (corpus.HERE / "templates" / row["file"]).read_text(encoding="utf-8")
            variables = corpus.VARIABLES if row["input"] is None else row["input"]
            text, error = oracle.render(template, variables)
            row["output" if error is None else "error"] = text if error is None else error
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    failing = sum("error" in row for row in rows)
    print(f"{len(rows)} fixtures, {failing} of them errors")


if __name__ == "__main__":
    main()
