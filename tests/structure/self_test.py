"""Every check of structure.py is fed a small tree that breaks its rule, and must say so; a tree that
keeps all rules must pass. A check that cannot fail proves nothing."""

import pathlib
import subprocess
import tempfile

import structure

GOOD = {
    "src/base/status.h": "#ifndef S\n#define S\nint jl_ok(void);\n#endif\n",
    "src/base/status.c": '#include "base/status.h"\n'
                         'static const char *const names[] = {"a", "b"};\n'
                         "int jl_ok(void) { return names[1][0] == 'b'; }\n",
    "src/model/spec.h": "#ifndef M\n#define M\nstruct family { const char *name; };\n#endif\n",
    "src/model/families/carp.c": '#include "model/spec.h"\n'
                                 'const struct family family_carp = {.name = "carp"};\n',
    "src/model/plan.c": '#include "base/status.h"\n'
                        "/* strcmp(name, \"carp\") in a comment is no code */\n"
                        "int plan_ok(void) { return jl_ok(); }\n",
    "src/cli/main.c": "#include <stdio.h>\nint main(void) { return puts(\"hi\") < 0; }\n",
    "docs/a.md": "see https://example.org/home/x and ../wo" "rk/y\n",
}

# check: [(file, text that breaks the rule, what the complaint must contain)]
BAD = {
    "includes": [
        ("src/base/a.c", '#include "model/spec.h"\n', "base may not include"),
        ("src/model/families/dace.c", '#include "base/status.h"\n', "only \"model/spec.h\""),
        ("src/base/a.c", '#include "status.h"\n', "no path below src/"),
        ("src/base/a.c", "#define H \"base/status.h\"\n#include H\n", "not a macro"),
        ("src/base/a.c", '  #  include   "model/spec.h"\n', "base may not include"),
        ("src/attic/a.c", "int x;\n", "no room"),
        ("src/model/a.c", "#include <immintrin.h>\n", "belong in kernel/"),
        ("src/backend/a.c", '#include "kernel/ref/r.h"\n', "is private to kernel"),
    ],
    "headers": [
        ("src/base/a.h", "size_t jl_size(void);\n", "does not compile alone"),
        ("src/base/a.h", "struct twice { int x; };\n", "does not compile alone"),
    ],
    "symbols": [
        ("src/base/a.c", "int helper(void) { return 1; }\n", "'helper'"),
        ("src/model/a.c", "const int table[2] = {1, 2};\n", "'table'"),
        ("src/base/a.c", "int spec_x(void) { return 1; }\n", "'spec_x'"),
        ("src/cli/a.c", "int plan_x(void) { return 1; }\n", "'plan_x'"),
    ],
    "imports": [
        ("src/base/a.c", "#include <stdlib.h>\nvoid jl_x(void) { exit(1); }\n", "'exit'"),
        ("src/base/a.c", "#include <stdlib.h>\nvoid jl_x(void) { abort(); }\n", "'abort'"),
        ("src/base/a.c", '#include <stdio.h>\nvoid jl_x(int i) { printf("%d", i); }\n',
         "'printf'"),
        ("src/base/a.c", '#include <stdio.h>\nvoid jl_x(int i) { fprintf(stderr, "%d", i); }\n',
         "'stderr'"),
        ("src/base/a.c", "#include <assert.h>\nvoid jl_x(int i) { assert(i); }\n",
         "'__assert_fail'"),
        ("src/model/a.c", "#include <math.h>\nfloat plan_x(float i) { return expf(i); }\n",
         "'expf'"),
    ],
    "state": [
        ("src/base/a.c", "int jl_x(void) { static int n; return n++; }\n", "writable"),
        ("src/base/a.c", "int jl_x = 4;\n", "'jl_x' is writable"),
        ("src/base/a.c", "static _Thread_local int t;\nint jl_x(void) { return t++; }\n",
         "writable"),
        ("src/base/a.c", 'static const char *n[] = {"a"};\n'
                         "const char **jl_x(void) { return n; }\n", "'n' is writable"),
    ],
    "exports": [
        ("src/cli/a.c", '__attribute__((visibility("default"))) int cli_x(void) { return 1; }\n',
         "exports 'cli_x'"),
    ],
    "json": [
        ("src/hub/a.c", "json_t *hub_x(void) { return json_loadb(0, 0, 0, 0); }\n", "jl_json_load"),
        ("src/cli/a.c", "json_t *cmd_x(void) { return json_load_file (0, 0, 0); }\n",
         "json_load_file"),
    ],
    "length": [
        ("src/base/a.c", "\n" * 901, "901 lines"),
    ],
    "words": [
        ("docs/b.md", "run /wo" "rk/x\n", "path of one machine"),
        ("docs/b.md", "put it in '/tm" "p'\n", "path of one machine"),
        ("docs/b.md", "see /ho" "me/me/x\n", "path of one machine"),
        ("src/base/a.c", "// TO" "DO\n", "unfinished"),
        ("src/base/a.c", "// good enough for" " now\n", "unfinished"),
    ],
    "families": [
        ("src/model/a.c", 'int plan_x(const char *n) { return strcmp(n, "carp"); }\n',
         'family name "carp"'),
        ("src/model/a.c", 'int plan_x(const char *n) {\n  return strncmp(n,\n     "carp", 4); }\n',
         'family name "carp"'),
        ("src/model/a.c", "int plan_x(void) { if (family == FAMILY_CARP) return 1; }\n",
         "which family"),
        ("src/model/a.c", "int plan_x(void) { return m->family->id == 3; }\n", "which family"),
    ],
}
EXTRA = {"src/backend/a.c": {"src/kernel/ref/r.h": "#define R\n"}}  # files a bad one refers to
NEEDS_BUILD = {"symbols", "imports", "state", "exports"}


def build(root):
    """Archives and the program, as meson lays them out, without meson."""
    flags = ["-O1", "-fPIE", "-fvisibility=hidden", "-D_GNU_SOURCE", "-I", str(root / "src")]
    out = root / "build"
    for room in structure.ROOMS:
        objects = []
        (out / "src" / room).mkdir(parents=True)
        for source in sorted((root / "src" / room).rglob("*.c")):
            objects.append(str(out / (source.stem + "-" + room + ".o")))
            subprocess.run(["gcc", *flags, "-c", str(source), "-o", objects[-1]], check=True)
        if objects:
            subprocess.run(["ar", "rcs", str(out / "src" / room / f"lib{room}.a"), *objects],
                           check=True)
        if room == "cli":
            subprocess.run(["gcc", "-pie", "-rdynamic", *objects, "-o", str(out / "jinlin")],
                           check=True)


def judge(name, files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        if name in NEEDS_BUILD:
            build(root)
        return structure.complaints(name, structure.Tree(root, root / "build"))


def main():
    failures = 0

    def expect(ok, what, found):
        nonlocal failures
        if not ok:
            failures += 1
            print(f"self-test: {what}; complaints: {found or 'none'}")

    assert set(BAD) == set(structure.CHECKS), "a check without a bad example"
    for name, cases in BAD.items():
        found = judge(name, GOOD)
        expect(not found, f"{name} complains about a good tree", found)
        for path, text, says in cases:
            found = judge(name, {**GOOD, **EXTRA.get(path, {}), path: text})
            expect(any(says in one for one in found), f"{name} misses {text!r}", found)
    print(f"self-test: {sum(map(len, BAD.values()))} bad trees, {failures} failures")
    return 1 if failures else 0
