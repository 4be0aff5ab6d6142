#!/usr/bin/python3
"""Our tokenizers against the originals, over many seeded texts.

    differential.py DRIVER [--seed N] [--count N] [--only sentencepiece|huggingface]
                    [--match PART] [--trainer PROGRAM]

DRIVER is the built tokenizer_driver. SentencePiece is Debian's python3-sentencepiece; Hugging Face
is the implementation in Rust, the judge, and the one in JavaScript (oracle/, after `npm ci`), whose
differences from the judge are counted and printed. Vocabularies: fixtures/, models trained here
with SentencePiece's own rules or by PROGRAM (jinlin), and the shared folder beside the checkout
where there is one.

Exit status 0: no difference, 1: some (printed with the seed), 77: no oracle here.
"""

import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parents[3] / "shared" / "vocab"
sys.path.insert(0, str(HERE))
import texts  # noqa: E402

try:
    import sentencepiece
except ImportError:
    sentencepiece = None

SKIP = 77
SPECIAL, ADD, DECODE = 1, 2, 0x80000000
REPLACEMENT = "\ufffd"

# Where the judge is not followed. What is known of the oracle in JavaScript is in
# docs/tokenizer-models.md.
KNOWN_DECODE = [
    (lambda text: REPLACEMENT in text,
     "ill-formed bytes: Hugging Face writes one U+FFFD for each byte of a whole run of byte tokens"),
]


class Driver:
    def __init__(self, program, kind, path, config=None):
        self.process = subprocess.Popen([program, kind, str(path), *([str(config)] if config else [])],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read_u32(self):
        data = self.process.stdout.read(4)
        if len(data) != 4:
            raise RuntimeError(f"the driver ended with status {self.process.wait()}")
        return struct.unpack("<I", data)[0]

    def ask(self, flags, data):
        """(ids, text), or (None, message)."""
        self.process.stdin.write(struct.pack("<II", flags, len(data)) + data)
        self.process.stdin.flush()
        count = self.read_u32()
        ids = None if count == 0xFFFFFFFF else list(
            struct.unpack(f"<{count}i", self.process.stdout.read(4 * count)))
        return ids, self.process.stdout.read(self.read_u32()).decode("utf-8")

    def decode(self, ids):
        return self.ask(DECODE, struct.pack(f"<{len(ids)}i", *ids))[1]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Tally:
    def __init__(self, label):
        self.label, self.count, self.bad, self.notes = label, 0, 0, {}

    def check(self, what, text, got, want):
        self.count += 1
        if got == want:
            return
        self.bad += 1
        if self.bad <= 5:
            print(f"{self.label}: {what} of {text!r}\n  ours   {got}\n  theirs {want}")

    def note(self, reason):
        self.notes[reason] = self.notes.get(reason, 0) + 1

    def finish(self):
        print(f"{self.label}: {self.count} checks, {self.bad} differences"
              + "".join(f"; {count} x {reason}" for reason, count in self.notes.items()))
        return self.bad


def random_ids(rng, size):
    return [rng.randrange(size) for _ in range(rng.randint(1, 16))]


# ---- SentencePiece ----

def trained(folder):
    """Models with the rules that SentencePiece brings along, too large to be fixtures."""
    for kind in ("bpe", "unigram"):
        for rule in ("nmt_nfkc", "nfkc_cf"):
            prefix = f"{folder}/{kind}_{rule}"
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts.TRAINING), model_prefix=prefix, model_type=kind,
                vocab_size=600, hard_vocab_limit=False, normalization_rule_name=rule,
                minloglevel=2, num_threads=1, user_defined_symbols=["<tool>", "ab"])
            yield pathlib.Path(prefix + ".model")


def long_texts(length):
    """For Hugging Face a few hundred: its WordPiece takes the square of a word's length."""
    yield from ("a" * length, " " * length, "\n" * length, "7" * length, "\u91d1" * length,
                "the " * (length // 4))


def compare_model(driver_path, path, sample, seed):
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    driver = Driver(driver_path, "model", path)
    tally = Tally(f"sentencepiece {path.parent.name}/{path.name}")
    rng = random.Random(seed)
    for i, text in enumerate([*sample, *long_texts(5000)]):
        if "word" in path.name and "<" in text:
            tally.note("left out: a word that spells a byte piece becomes it there, and one that "
                       "spells a control piece makes the library fail")
            continue
        data = text.encode()
        if i % 6 == 5:
            data = texts.broken(seed + i, text)
        want = processor.encode(data)
        ids, decoded = driver.ask(0, data)
        tally.check("ids", data, ids, want)
        tally.check("text", want, decoded, processor.decode(want))
        some = random_ids(rng, processor.get_piece_size())
        tally.check("text", some, driver.decode(some), processor.decode(some))
    driver.close()
    return tally.finish()


def compare_sentencepiece(driver, sample, seed, match):
    paths = sorted((HERE / "fixtures").glob("*.model")) + sorted(SHARED.glob("*/tokenizer.model"))
    with tempfile.TemporaryDirectory() as folder:
        return sum(compare_model(driver, path, sample, seed)
                   for path in [*paths, *trained(folder)] if match in str(path))


# ---- Hugging Face ----

class Oracle:
    def __init__(self):
        self.node = subprocess.Popen(["node", str(HERE / "oracle" / "oracle.mjs")], text=True,
                                     encoding="utf-8", stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)

    def ask(self, request):
        self.node.stdin.write(json.dumps(request) + "\n")
        self.node.stdin.flush()
        return json.loads(self.node.stdout.readline())


def tokenizer_files():
    """(label, tokenizer.json as an object, whether special tokens are added)."""
    for path in sorted((HERE / "fixtures").glob("hf_*.json")):
        whole = json.loads(path.read_text(encoding="utf-8"))
        for variant in whole["variants"]:
            label = json.dumps({key: value for key, value in variant["set"].items()
                                if key != "model"})
            yield f"{path.stem} {label[:120]}", {**whole["base"], **variant["set"]}, variant["add"]
    for path in sorted(SHARED.glob("*/tokenizer.json")):
        yield f"shared {path.parent.name}", json.loads(path.read_text(encoding="utf-8")), False


def trained_here(program):
    """tokenizer.json of `jinlin tokenizer train` under its rules, as tokenizer_files gives them."""
    rules = [[], ["--han", "single"], ["--pattern", "cl100k", "--digits", "single"],
             ["--pattern", "gpt-2", "--newlines", "single", "--no-space-prefix"],
             ["--pattern", "o200k", "--han", "single", "--cross-characters"],
             ["--han", "single", "--newlines", "single", "--special-first", "--add-bos"]]
    with tempfile.TemporaryDirectory() as folder:
        corpus, out = pathlib.Path(folder, "corpus.txt"), pathlib.Path(folder, "tokenizer.json")
        corpus.write_text("\n".join([*texts.TRAINING, *texts.random_texts(7, 300)]),
                          encoding="utf-8", newline="")
        for rule in rules:
            subprocess.run([program, "tokenizer", "train", corpus, "--out", out, "--vocab-size",
                            "1500", "--bos", "<s>", "--eos", "</s>", "--special", "<tool>", *rule],
                           check=True, stdout=subprocess.DEVNULL)
            yield (f"trained {' '.join(rule)}", json.loads(out.read_text(encoding="utf-8")),
                   "--add-bos" in rule)


def compare_file(driver_path, oracle, file, sample, seed):
    label, tokenizer, add = file
    tally = Tally(f"huggingface {label}")
    loaded = oracle.ask({"tokenizer": tokenizer})
    if "error" in loaded:
        tally.check("loading", label, "loaded", loaded["error"])
        return tally.finish()
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as temporary:
        json.dump(tokenizer, temporary)
        temporary.flush()
        driver = Driver(driver_path, "json", temporary.name)
        rng = random.Random(seed)
        size = len(tokenizer["model"]["vocab"])
        for text in [*sample, *long_texts(600)]:
            if texts.names_a_byte(tokenizer, text):
                tally.note("a byte token's name in a text (texts.py)")
                continue
            answer = oracle.ask({"text": text, "add": add})
            if "error" in answer:
                tally.note(f"the oracle fails: {answer['error'][:60]}")
                continue
            ids, decoded = driver.ask(SPECIAL | (ADD if add else 0), text.encode())
            tally.check("ids", text, ids, answer["ids"])
            if answer["js"] not in (None, answer["ids"]):
                tally.note("the JavaScript oracle disagrees with the judge")
            compare_text(tally, answer["ids"], driver.decode(answer["ids"]), answer["decoded"])
            some = random_ids(rng, size)
            compare_text(tally, some, driver.decode(some), oracle.ask({"ids": some})["decoded"])
        driver.close()
    return tally.finish()


def compare_text(tally, ids, ours, theirs):
    for test, reason in KNOWN_DECODE:
        if test(theirs):
            return tally.note(reason)
    return tally.check("text", ids, ours, theirs)


def compare_huggingface(driver, sample, seed, match, trainer):
    oracle = Oracle()
    files = [*tokenizer_files(), *(trained_here(trainer) if trainer else [])]
    return sum(compare_file(driver, oracle, file, sample, seed) for file in files
               if match in file[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("driver")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--match", default="", help="vocabularies whose label holds this")
    parser.add_argument("--trainer", help="the program, whose tokenizers are compared as well")
    parser.add_argument("--only", choices=["sentencepiece", "huggingface"])
    args = parser.parse_args()
    print(f"seed {args.seed}")
    sample = texts.random_texts(args.seed, args.count)
    bad, ran = 0, 0
    if args.only != "huggingface":
        if sentencepiece is None:
            print("SKIPPED: python3-sentencepiece is not installed")
        else:
            bad += compare_sentencepiece(args.driver, sample, args.seed, args.match)
            ran += 1
    if args.only != "sentencepiece":
        if not (HERE / "oracle" / "node_modules").is_dir():
            print("SKIPPED: no npm packages; run `npm ci` in tests/text/tokenizer/oracle")
        else:
            bad += compare_huggingface(args.driver, sample, args.seed, args.match, args.trainer)
            ran += 1
    if bad:
        print(f"{bad} differences; again with --seed {args.seed}")
    return 1 if bad else 0 if ran else SKIP


if __name__ == "__main__":
    sys.exit(main())
