#!/usr/bin/env python3
"""The manual page, made of the program's own help.

    man.py [WRAPPER...] PROGRAM
"""
import re
import subprocess
import sys


def ask(*arguments):
    return subprocess.run([*sys.argv[1:], *arguments], capture_output=True, text=True,
                          check=True).stdout


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def rows(text):
    """Lines "  name   what it is" as pairs; further indented lines belong to the one before."""
    found = []
    for line in text.splitlines():
        match = re.match(r"  (\S.*?)(?:  +| (?=\S+$)|$)(.*)", line)
        if match and not line.startswith("   "):
            name, what = line[2:].split("  ", 1) if "  " in line[2:] else (line[2:], "")
            if not what and " " in name and not name.startswith("-"):
                name, what = name.split(" ", 1)
            found.append([name.strip(), what.strip()])
        elif found and line.strip():
            found[-1][1] += " " + line.strip()
    return found


def listed(pairs):
    for name, what in pairs:
        # An option and its value stand in one column; the help is behind it.
        print(f".TP\n.B {escape(name)}\n{escape(what)}")


def commands():
    return [name for name, _ in rows(ask("help").split("\n\n")[1])]


def command_section(name):
    head, *parts = ask(name, "--help").split("\n\n")
    print(f".SS {escape(name)}\n{escape(head.split(': ', 1)[1].strip())}")
    for part in parts:
        title, _, body = part.strip().partition("\n")
        if title.startswith("usage: "):
            print(f".PP\n.nf\n.B {escape(title[7:])}\n.fi")
        elif title == "options:":
            listed(options(body))
        elif title == "example:":
            print(f".PP\n.nf\n{escape(body.strip())}\n.fi")


def options(body):
    """The help's option column is 25 wide; longer ones are followed by one space."""
    for line in body.splitlines():
        if not line.startswith("  -"):
            continue
        text = line[2:]
        if len(text) > 24 and text[24] == " " or "  " in text:
            name, _, what = text.partition("  ") if "  " in text[:26] else (text[:24], "", text[24:])
        else:
            match = re.match(r"((?:-\w, )?--[\w-]+(?: \S+)?) (.*)", text)
            name, what = match.groups() if match else (text, "")
        yield name.strip(), what.strip()


def main():
    version = ask("--version").split()[1]
    print(f'.TH JINLIN 1 "" "jinlin {version}" "User Commands"')
    print(".SH NAME\njinlin \\- load, chat with, serve and teach open language models")
    print(".SH SYNOPSIS\n.B jinlin\n.I COMMAND\n[\n.I arguments\n]")
    print(".SH COMMANDS")
    for name in commands():
        if name != "help":
            command_section(name)
    print(".SH ENVIRONMENT")
    listed(rows(ask("help", "env").split("\n", 1)[1]))
    print(".SH EXIT STATUS")
    listed([line.split(None, 1) for line in ask("help", "exit").splitlines()[1:] if line.strip()])


main()
