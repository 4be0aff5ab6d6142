#!/usr/bin/env python3
"""The rules of the tree: who includes whom, what each room may define, import and keep.

    structure.py [--root DIR] [--build DIR] CHECK...    all checks when none is named
    structure.py --self-test                            every check must find what it is there for

Exit status 0: clean, 1: complaints (printed, one a line), 77: the check could not run here.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

SKIP = 77
sys.dont_write_bytecode = True  # the source tree stays as it is

# ---- the tables ----

ROOMS = {  # room: rooms it may include besides itself
    "base": [],
    "text": ["base"],
    "grammar": ["base", "text"],
    "tensor": ["base"],
    "format": ["base", "tensor"],
    "kernel": ["base", "tensor"],
    "backend": ["base", "tensor", "kernel"],
    "model": ["base", "format", "tensor", "backend"],
    "session": ["base", "format", "text", "tensor", "backend", "model"],
    "api": ["base", "format", "text", "tensor", "backend", "model", "session"],
    "serve": ["base", "text", "grammar", "backend", "model", "session"],
    "skill": ["base", "text"],
    "train": ["base", "text", "skill", "tensor", "backend", "model", "session"],
    "hub": ["base"],
    "cli": ["base", "format", "text", "grammar", "tensor", "kernel", "backend", "model", "session",
            "skill", "train", "hub", "serve"],
}
# The one header outside src/, and who sees it: statuses are the library's own.
PUBLIC = "jinlin.h"
LIBRARY = "libjinlin"
MAY_INCLUDE_PUBLIC = {"base/status.h"}
FAMILIES = "model/families/"
FAMILY_MAY_INCLUDE = {"model/spec.h"}

# Folders inside a room are its own affair: only the room itself includes from them.
PRIVATE_FOLDERS = ["kernel/ref/", "kernel/cpu/", "backend/cpu/", "model/families/",
                   "text/tokenizer/", "text/template/", "text/dialect/",
                   "text/bpe_train/"]

# What an external symbol of a room begins with: the name of one of its headers ("arena_" because
# of arena.h), or one of these.
PREFIXES = {
    "base": "jl_ size_ str_ sha256_",
    "tensor": "f32_from_ f16_from_ bf16_from_ f8_e4m3_from_ xfmt_",
    "format": "json_",
    "kernel": "ref_ avx2_ avx512_ amx_ neon_",
    "text": "token_ spm_ bpe_ utf8_ chat_ fraction_",
    "grammar": "grammar_ items_ masks_ json_number_",
    "backend": "cpu_ op_ reg_",
    "model": "plan_ bind_ role_ op_ prog_ family_ step_ rope_ inspect_",
    "session": "session_ sample_ open_ generate_",
    "serve": "ticket_ sequence_ account_ constraints_ constrained_ chats_ openai_ http_",
    "skill": "skill_ idiom_ verse_",
    "train": "data_",
    "api": "jl_",
    "hub": "hub_",
    "cli": "cmd_ main",
}

# A library room reports through a status; it never ends the process and never writes to its
# streams. Its elementary functions are its own, because the C library's differ between versions.
ENDS_OR_PRINTS = set(
    "exit _exit _Exit quick_exit abort raise __assert_fail __assert err errx warn warnx "
    "printf vprintf puts putchar perror psignal __printf_chk __vprintf_chk stdout stderr".split())
LIBM = {name + suffix for suffix in ("", "f", "l") for name in
        ("exp exp2 expm1 log log2 log10 log1p pow sin cos sincos tan tanh sinh cosh atan atan2 "
         "asin acos erf erfc cbrt hypot tgamma lgamma").split()}
ONLY_CLI = {"cli"}

# jansson loses characters when the heap refuses it something: one file knows how to read with it.
JSON_LOADER = "base/json.c"

# What the linker adds to a program that exports anything at all.
LINKER_NAMES = set("_IO_stdin_used __bss_start __data_start data_start _edata _end _start".split())

MAX_LINES = 900

# Headers that are the second half of another one, and what a kernel/cpu header is compiled with.
PART_OF = {
    "kernel/cpu/simd_avx2.h": "kernel/cpu/simd.h",
    "kernel/cpu/simd_avx512.h": "kernel/cpu/simd.h",
    "kernel/cpu/simd_neon.h": "kernel/cpu/simd.h",
    "kernel/cpu/simd_q_neon.h": "kernel/cpu/linear_q.h",
    "kernel/cpu/simd_q_x86.h": "kernel/cpu/linear_q.h",
    "kernel/cpu/linear_q32_amx.h": "kernel/cpu/linear_q32.h",
}
# Headers of one level only.
LEVEL_OF = {
    "kernel/cpu/linear_q_amx.h": "-DJINLIN_LEVEL_AMX",
    "kernel/cpu/linear_q256_amx.h": "-DJINLIN_LEVEL_AMX",
    "kernel/cpu/linear_q256_digits.h": "-DJINLIN_LEVEL_AMX",
}
LEVEL_FLAGS = [ # machine, flags
    ("x86_64", "-DJINLIN_LEVEL_AVX2 -mavx2 -mfma -mf16c".split()),
    ("x86_64", ("-DJINLIN_LEVEL_AVX512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq "
                "-mavx512vl -mavx512vnni -mavx512bf16").split()),
    ("x86_64", ("-DJINLIN_LEVEL_AMX -DJINLIN_LEVEL_AVX512 -mavx2 -mfma -mf16c -mavx512f "
                "-mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx512bf16 -mamx-tile "
                "-mamx-int8").split()),
    ("aarch64", "-DJINLIN_LEVEL_NEON -march=armv8.2-a+dotprod".split()),
]

# Written in pieces, so that this file does not find itself.
MACHINE_PATH = re.compile(
    rb"(?<![\w./$}-])/(?:" + rb"|".join([rb"wo" rb"rk\b", rb"tm" rb"p\b", rb"ro" rb"ot/",
                                      rb"ho" rb"me/\w", rb"Us" rb"ers/\w"]) + rb")")
UNFINISHED = re.compile(rb"\b(?:" + rb"|".join([rb"TO" rb"DO", rb"FIX" rb"ME", rb"X" rb"XX",
                                                rb"HA" rb"CK", rb"for" rb" now"]) + rb")\b")
SOURCES = ("src/", "include/", "tests/", "fuzz/", "bench/", "scripts/")

# A family's name compared outside families/, with the reason why it is not that family's.
NAME_IS_SOMETHING_ELSE = {
    ("session/open_template.c", "llama"): "the value of tokenizer.ggml.model for SentencePiece",
    ("text/tokenizer/to_gguf.c", "llama"): "the value of tokenizer.ggml.model for SentencePiece",
    ("session/open_tokenizer.c", "llama"): "the value of tokenizer.ggml.model for SentencePiece",
}


class Skip(Exception):
    """The check cannot run here; its argument says why."""


# ---- reading ----

class Tree:
    def __init__(self, root, build=None):
        self.root = pathlib.Path(root)
        self.src = self.root / "src"
        self.build = pathlib.Path(build) if build else None

    def sources(self, pattern="*.[ch]"):
        """(path below src/, text) of every source file, in order."""
        for path in sorted(filter(pathlib.Path.is_file, self.src.rglob(pattern))):
            yield path.relative_to(self.src).as_posix(), path.read_text(encoding="utf-8")

    def archives(self, room):
        if not self.build:
            raise Skip("no build directory given")
        found = sorted((self.build / "src" / room).glob("lib*.a"))
        return [path for path in found if path.name != LIBRARY + ".a"]  # all rooms once more

    def rooms_built(self):
        built = {room: self.archives(room) for room in ROOMS}
        if not any(built.values()):
            raise Skip(f"no archives below {self.build}/src: build first")
        return built

    def files(self):
        """Every file of the project: tracked or about to be, never what git ignores."""
        listing = subprocess.run(
            ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], capture_output=True, check=False)
        if listing.returncode == 0:
            names = listing.stdout.decode().split("\0")
        else:  # not a checkout: an unpacked archive
            names = [path.relative_to(self.root).as_posix() for path in self.root.rglob("*")
                     if not re.match(r"(build|\.git/|.*node_modules/)",
                                     path.relative_to(self.root).as_posix())]
        for name in sorted(set(filter(None, names))):
            path = self.root / name
            if path.is_file() and not path.is_symlink():
                yield name, path.read_bytes()


def strip_comments(text):
    """C text with comments blanked; strings, characters and line numbers stay."""
    token = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)
    return token.sub(lambda m: m[0] if m[0][0] in "\"'" else re.sub(r"[^\n]", " ", m[0]), text)


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def nm_symbols(archive):
    """(object file, name, type letter) of each symbol of an archive."""
    member = archive.name
    for line in run(["nm", "-P", str(archive)]).splitlines():
        words = line.split()
        if len(words) == 1 and words[0].endswith(":"):
            member = words[0].rstrip(":").rpartition("[")[2].rstrip("]") or member
        elif len(words) >= 2:
            yield member, words[0], words[1]


# ---- the checks: each yields complaints ----

def check_includes(tree):
    directive = re.compile(r"^[ \t]*#[ \t]*include[ \t]*(.*)$", re.M)
    for path, text in tree.sources():
        room = path.split("/")[0]
        if room not in ROOMS:
            yield f"src/{path}: '{room}' is no room of the table"
            continue
        clean = strip_comments(text)
        for match in directive.finditer(clean):
            where = f"src/{path}:{clean.count(chr(10), 0, match.start()) + 1}"
            what = match[1].strip()
            if what.startswith("<"):
                if what == "<immintrin.h>" and room != "kernel":
                    yield f"{where}: intrinsics belong in kernel/"
                continue
            if not what.startswith('"'):
                yield f"{where}: an include must be spelled out, not a macro: {what}"
                continue
            name = what.strip('"')
            target = name.split("/")[0]
            if name == PUBLIC:
                if path not in MAY_INCLUDE_PUBLIC:
                    yield f'{where}: only {", ".join(MAY_INCLUDE_PUBLIC)} includes "{name}"'
            elif not (tree.src / name).is_file():
                yield f'{where}: "{name}" is no path below src/'
            elif path.startswith(FAMILIES):
                if name not in FAMILY_MAY_INCLUDE:
                    yield f'{where}: a family may include only "model/spec.h", not "{name}"'
            elif target != room and target not in ROOMS[room]:
                yield f'{where}: {room} may not include "{name}"'
            elif target != room and any(name.startswith(folder) for folder in PRIVATE_FOLDERS):
                yield f'{where}: "{name}" is private to {target}'


def level_compilers():
    """A compiler and its flags for each level; other machines' levels where there is one."""
    machine = os.uname().machine.replace("amd64", "x86_64")
    for target, flags in LEVEL_FLAGS:
        compiler = "gcc" if target == machine else f"{target}-linux-gnu-gcc"
        if shutil.which(compiler):
            yield [compiler, *flags]


def check_headers(tree):
    base = ["-fsyntax-only", "-x", "c", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra",
            "-Werror", "-Wno-unused-function", "-Wno-unused-const-variable",
            "-I", str(tree.src.parent / "include"), "-I", str(tree.src)]
    done = subprocess.run(
        ["gcc", "-fsyntax-only", "-x", "c", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         "-I", str(tree.src.parent / "include"), "-"],
        input=f"#include <{PUBLIC}>\n" * 2, capture_output=True, text=True, check=False)
    if (tree.src.parent / "include" / PUBLIC).exists() and done.returncode != 0:
        yield f"include/{PUBLIC} is no plain C99: {done.stderr.splitlines()[0]}"
    for path, _ in tree.sources("*.h"):
        unit = f'#include "{PART_OF.get(path, path)}"\n' * 2  # twice: the guard must hold
        for compiler in level_compilers() if path.startswith("kernel/cpu/") else [["gcc"]]:
            if path in LEVEL_OF and LEVEL_OF[path] not in compiler:
                continue
            done = subprocess.run(compiler + base + ["-"], input=unit, capture_output=True,
                                  text=True, check=False)
            if done.returncode != 0:
                first = next((line for line in done.stderr.splitlines() if "error" in line),
                             done.stderr.strip())
                yield f"src/{path} does not compile alone: {first}"
                break


def check_symbols(tree):
    for room, archives in tree.rooms_built().items():
        headers = sorted({path.stem + "_" for path in (tree.src / room).rglob("*.h")})
        prefixes = tuple(PREFIXES[room].split() + headers)
        for archive in archives:
            for member, name, kind in nm_symbols(archive):
                if kind in "TDBRVWCi" and not name.startswith(prefixes):
                    yield (f"{room}/{member}: external symbol '{name}' has none of the room's "
                           f"prefixes ({' '.join(prefixes)}): make it static or rename it")


def check_imports(tree):
    for room, archives in tree.rooms_built().items():
        if room in ONLY_CLI:
            continue
        for archive in archives:
            for member, name, kind in nm_symbols(archive):
                if kind not in "Uw":
                    continue
                if name in ENDS_OR_PRINTS:
                    yield f"{room}/{member}: imports '{name}'; only cli/ ends or prints"
                elif name in LIBM:
                    yield f"{room}/{member}: imports '{name}'; use the project's own function"


def check_state(tree):
    """Library rooms keep no writable data. Pointers in constant tables are fine: the linker puts
    them in .data.rel.ro, which is read-only after start."""
    for room, archives in tree.rooms_built().items():
        if room in ONLY_CLI:
            continue
        for archive in archives:
            member = archive.name
            for line in run(["objdump", "-t", str(archive)]).splitlines():
                head = re.match(r"(\S+):\s+file format", line)
                if head:
                    member = head[1]
                left, tab, right = line.partition("\t")
                words = left.split()
                if not tab or len(words) < 2 or "d" in words[1:-1]:  # d: the section itself
                    continue
                if re.match(r"\.(data(?!\.rel\.ro)|bss|tdata|tbss)|\*COM\*", words[-1]):
                    yield f"{room}/{member}: '{right.split()[-1]}' is writable global data"


def check_exports(tree):
    """The program exports nothing, the library what its header declares. Names with a version are
    the C library's own, copied in."""
    if not tree.build:
        raise Skip("no build directory given")
    program = next((path for path in (tree.build / "jinlin", tree.build / "src/cli/jinlin")
                    if path.is_file()), None)
    if not program:
        raise Skip(f"the program is not in {tree.build}: its exports were not checked")
    for line in run(["nm", "-D", "--defined-only", "-P", str(program)]).splitlines():
        name = line.split()[0]
        if "@" not in name and name not in LINKER_NAMES:
            yield f"{program.name} exports '{name}'"
    library = tree.build / "src" / "api" / (LIBRARY + ".so")
    if not library.is_file():
        return
    text = (tree.src.parent / "include" / PUBLIC).read_text(encoding="utf-8")
    declared = set(re.findall(r"^JINLIN_API[^;(]*?\b(jl_\w+)\(", text, re.M))
    lines = run(["nm", "-D", "--defined-only", "-P", str(library)]).splitlines()
    exported = {line.split()[0] for line in lines} - LINKER_NAMES
    for name in sorted(exported - declared):
        yield f"{library.name} exports '{name}', which {PUBLIC} does not declare"
    for name in sorted(declared - exported):
        yield f"{library.name} lacks '{name}', which {PUBLIC} declares"


def check_targets(tree):
    """A program's name is no other target's: `meson compile NAME` refuses what is ambiguous, and
    the scripts build programs by name."""
    if not tree.build:
        raise Skip("no build directory given")
    path = tree.build / "meson-info" / "intro-targets.json"
    if not path.is_file():
        raise Skip(f"{path} is not there: no build directory of meson's")
    targets = json.loads(path.read_text(encoding="utf-8"))
    count = collections.Counter(target["name"] for target in targets)
    for target in targets:
        if target["type"] == "executable" and count[target["name"]] > 1:
            yield f"program '{target['name']}' shares its name with another target: rename that one"


def check_json(tree):
    for path, text in tree.sources():
        if path == JSON_LOADER:
            continue
        clean = strip_comments(text)
        for match in re.finditer(r"\bjson_load(?:s|b|f|fd|_file|_callback)\b", clean):
            line = clean.count("\n", 0, match.start()) + 1
            yield f"src/{path}:{line}: {match[0]} may lose characters: use jl_json_load"


def check_length(tree):
    for path, text in tree.sources("*"):
        lines = text.count("\n")
        if lines > MAX_LINES:
            yield f"src/{path} has {lines} lines, more than {MAX_LINES}: split it"


def check_words(tree):
    for name, data in tree.files():
        rules = [(MACHINE_PATH, "the path of one machine")]
        if name.startswith(SOURCES) and b"\0" not in data:
            rules.append((UNFINISHED, "unfinished work"))
        for pattern, what in rules:
            for match in pattern.finditer(data):
                line = data.count(b"\n", 0, match.start()) + 1
                yield f"{name}:{line}: {what}: {match[0].decode(errors='replace')!r}"


def check_families(tree):
    names = set()
    for path, text in tree.sources("*.c"):
        if path.startswith(FAMILIES):
            names.add(path[len(FAMILIES):-2])
            names.update(re.findall(r"\.(?:name|gguf|hf|hf_model_type)\s*=\s*\"([^\"]+)\"", text))
    compares = re.compile(r"\b\w*(?:cmp|equals?|_eq|streq|_is)\w*\s*\(([^;{]*)")
    for path, text in tree.sources():
        if path.startswith(FAMILIES):
            continue
        clean = strip_comments(text)
        for match in re.finditer(r"\bfamily(?:->\w+|\.\w+)?\s*[!=]=\s*(?!NULL\b|0\b)", clean):
            line = clean.count("\n", 0, match.start()) + 1
            yield f"src/{path}:{line}: code must not ask which family it is serving"
        for match in compares.finditer(clean):
            for literal in re.findall(r'"([^"\n]*)"', match[1]):
                if literal in names and (path, literal) not in NAME_IS_SOMETHING_ELSE:
                    line = clean.count("\n", 0, match.start()) + 1
                    yield (f'src/{path}:{line}: compares with the family name "{literal}": '
                           "give the family a row or a flag")


CHECKS = {name[6:]: check for name, check in sorted(globals().items())
          if name.startswith("check_")}


def complaints(name, tree):
    return list(dict.fromkeys(CHECKS[name](tree)))


def main():
    parser = argparse.ArgumentParser(description="check the rules of the tree")
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--build", help="a build directory with the rooms' archives")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=" ".join(CHECKS))
    args = parser.parse_args()
    if args.self_test:
        import self_test
        return self_test.main()
    tree = Tree(args.root, args.build)
    found, skipped = 0, False
    for name in args.checks or CHECKS:
        if name not in CHECKS:
            parser.error(f"no check is called '{name}'; there are: {' '.join(CHECKS)}")
        try:
            for text in complaints(name, tree):
                print(f"{name}: {text}")
                found += 1
        except Skip as why:
            print(f"{name}: skipped: {why}")
            skipped = True
    return 1 if found else SKIP if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
