#!/usr/bin/env python3
"""Installs into a folder of its own and uses what is there as a stranger would: the program, its
manual and completions, the header and both libraries by way of pkg-config.

    install.py BUILD-FOLDER
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
EXAMPLE = "examples/complete.c"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def one(root, pattern):
    found = sorted(root.rglob(pattern))
    if not found:
        sys.exit(f"{pattern} is not installed")
    return found[0]


def build(root, kind):
    pc = one(root, "jinlin.pc")
    env = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(root))
    flags = ["--cflags", "--libs"] + (["--static"] if kind == "static" else [])
    words = run("pkg-config", *flags, "jinlin", env=env).split()
    # Of the libraries below, the system's are used.
    words = [word.replace(str(root) + "/usr/include", "/usr/include") if "jinlin" not in word
             and not word.startswith("-I" + str(root) + "/usr/local") else word for word in words]
    if kind == "static":
        words = [str(one(root, "libjinlin.a")) if word == "-ljinlin" else word for word in words]
    program = root / kind
    run("gcc", "-Wall", "-Werror", EXAMPLE, "-o", program, *words)
    library = one(root, "libjinlin.so").parent
    return program, dict(os.environ, LD_LIBRARY_PATH=str(library))


def main():
    if not shutil.which("pkg-config"):
        print("pkg-config is not here")
        sys.exit(SKIP)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        run("/usr/bin/meson" if os.path.exists("/usr/bin/meson") else "meson", "install", "-C", sys.argv[1],
            "--no-rebuild", "--destdir", root)
        program = one(root, "bin/jinlin")
        version = run(program, "--version").split()[1]
        if run(program, "run", "--chat", "--greedy", "-p", "1+1").strip() != "2":
            sys.exit("the model that ships is not installed, or cannot add")
        manual = one(root, "jinlin.1").read_text(encoding="utf-8")
        for line in run(program, "help").split("\n\n")[1].splitlines():
            name = line.split()[0]
            if name != "help" and f".SS {name}\n" not in manual:
                sys.exit(f"the manual lacks {name}")
            for option in run(program, name, "--help").split():
                if name != "help" and option.startswith("--") and option.strip("-").isalpha() \
                        and option.replace("-", "\\-") not in manual:
                    sys.exit(f"the manual lacks {name} {option}")
        run("bash", "-n", one(root, "bash-completion/completions/jinlin"))
        one(root, "_jinlin"), one(root, "jinlin.fish")
        for kind in ("shared", "static"):
            program, env = build(root, kind)
            done = subprocess.run([program], capture_output=True, text=True, env=env, check=False)
            if done.returncode != 2 or "usage" not in done.stderr:
                sys.exit(f"{kind}: {done}")
        print(f"jinlin {version}: installed, and used shared and static")


main()
