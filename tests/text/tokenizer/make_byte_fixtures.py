#!/usr/bin/env python3
"""Makes fixtures/hf_patterns.json, hf_byte_steps.json and hf_affixes.json: pre-tokenizer patterns,
steps around ByteLevel, and BPE with prefixes and suffixes; ids and texts of Hugging Face's Rust
implementation.

    /usr/bin/python3 tests/text/tokenizer/make_byte_fixtures.py      (after `npm ci` in oracle/)
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import make_fixtures as make  # noqa: E402
import texts  # noqa: E402

O200K_WORD = ("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
              "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
              "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")
KIMI = ("[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*"
        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+|\\s+")

PATTERNS = [
    "\\p{N}{1,3}", "\\d+", "\\D+", "\\w+", "\\W+", "[^\\w\\s]+", "\\S+", "[\\S]", "\\h+", "\\bt",
    "\\b", "\\B", "a|e*", "x*", "(?=[A-Z])", "(?<=o)", "(?<!l)l", "(?>a+)b?", "\\p{Han}+",
    "\\p{Greek}+", "\\P{L}+", "\\p{^L}+", "\\p{Lu}\\p{Ll}*", "[\\p{L}\\p{M}]+", "[a-f\\d]+",
    "[^a-f]", "[]a]+", "[\\]\\-\\\\^]+", "[a-c[x-z]]+", "\\u4e00|\\x{91d1}", "[\\u3040-\\u30ff]+",
    "a{,2}", "\\p{N}{2}+", "\\d{1,2}+", "l{2}?", "o{1,2}?", "$", "^.", "\\s+$", ".+?e", "\\Ae",
    "(?i)THE", "(?i:the|s)", "(t)(h)?", "\\t|\\r\\n", "[\\r\\n]+", "\\.", " ", "(?=(\\d{3})+(?!\\d))",
    O200K_WORD, KIMI, "[\\s&&[^\\n]]+", "[\\p{L}&&[a-z]]+", "[\\w&&[^\\d_]]+",
    " ?[^(\\s|.,!?…。，、।۔،)]+", "[\\p{P}\\$\\+<=>\\^~\\|`]+",
]


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def patterns():
    yield from ({"pre_tokenizer": split(pattern)} for pattern in PATTERNS)
    for behavior in "Removed Isolated MergedWithPrevious MergedWithNext Contiguous".split():
        for invert in (False, True):
            yield {"pre_tokenizer": split("[aeio ]|x*", behavior, invert)}
            yield {"pre_tokenizer": split(" ", behavior, invert, "String")}
    yield {"pre_tokenizer": {"type": "CharDelimiterSplit", "delimiter": "o"}}
    yield {"pre_tokenizer": {"type": "CharDelimiterSplit", "delimiter": "\u91d1"}}


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
            "use_regex": True, **options}


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def byte_steps():
    yield sequence({"type": "Punctuation", "behavior": "Contiguous"}, byte_level(),
                   {"type": "Digits", "individual_digits": False}, split("[0-9][0-9][0-9]"))
    yield sequence({"type": "Digits", "individual_digits": True}, byte_level())
    yield sequence(byte_level(), {"type": "Digits", "individual_digits": True})
    yield sequence(byte_level(use_regex=False), split("\\p{L}+"))
    yield sequence(split("\\p{N}+"), split("(?=(\\d{3})+(?!\\d))"), split(" ?\\p{L}+"),
                   byte_level(use_regex=False))
    yield sequence(split("[\\r\\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), split("\\s+$"),
                   {"type": "Digits", "individual_digits": True}, byte_level(use_regex=False))
    yield sequence({"type": "WhitespaceSplit"}, byte_level(add_prefix_space=True))
    yield byte_level(use_regex=False)
    yield byte_level(use_regex=False, add_prefix_space=True)
    yield sequence(split(make.QWEN, "Removed", True), byte_level(use_regex=False))


def byte_variants(base):
    yield from ({"pre_tokenizer": one} for one in byte_steps())
    yield {"truncation": {"direction": "Right", "max_length": 100000, "strategy": "LongestFirst",
                          "stride": 0}}
    n = len(base["model"]["vocab"])
    yield {"added_tokens": [make.added(n, "<s>", normalized=True),
                            make.added(n + 1, "hello", special=False, normalized=True),
                            make.added(n + 2, "hello<s>", special=False),
                            make.added(n + 3, "  ", special=False)]}


def affix_base(prefix, suffix):
    """BPE over characters whose words end with `suffix` and go on with `prefix`."""
    words = [word for line in texts.TRAINING for word in line.split(" ") if word]
    chars = sorted({char for word in words for char in word} | set("The golden scale's 12345don't"))
    vocab = {"<unk>": 0}
    for char in chars:
        for form in dict.fromkeys((char, prefix + char, char + suffix, prefix + char + suffix)):
            vocab[form] = len(vocab)
    merges = []
    for left, right in make.merge_list(words, 120):
        for a, b in ((left, prefix + right), (prefix + left, prefix + right),
                     (left, prefix + right + suffix)):
            both = a + b[len(prefix):]
            if a in vocab and b in vocab and both not in vocab:
                vocab[both] = len(vocab)
                merges.append(f"{a} {b}")
    decoder = {"type": "BPEDecoder", "suffix": suffix} if suffix else None
    return {**make.EMPTY, "added_tokens": [make.added(0, "<unk>")],
            "pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": decoder,
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                      "continuing_subword_prefix": prefix or None,
                      "end_of_word_suffix": suffix or None, "fuse_unk": False,
                      "byte_fallback": False, "ignore_merges": False, "vocab": vocab,
                      "merges": merges}}


def affix_variants():
    for prefix, suffix in (("", "</w>"), ("##", ""), ("@@", "</w>"), ("", "")):
        base = affix_base(prefix, suffix)
        one = {"model": base["model"], "decoder": base["decoder"]}
        yield one
        yield {**one, "model": {**base["model"], "fuse_unk": True}}
    strip = {"type": "Strip", "content": "e", "start": 2, "stop": 0}
    yield {"decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"}, strip]}}
    yield {"decoder": strip}
    yield {"decoder": {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"Regex": "[ae]"}, "content": "_"},
        {"type": "Replace", "pattern": {"String": "th"}, "content": ""}, {"type": "Fuse"}]}}


def main():
    oracle = make.Oracle()
    plain = ["", " ", "  a  b ", "The golden  scale's 1234567 e\u0301\u00e9 don't\r\n\tx \n ",
             "\u91d1\u9cde\u5c82 hello<s>ab</s> hello, hellos  HELLO xxy aAbB \u3005\u3001",
             "\u0391\u03b2 \u3042\u30a2\u30fc \U0001F468\u200D\U0001F469 \u00b2\u0663\u2163 a_b^-\\]",
             "\u180e \u2003\u00a0\u3000 '\u017f 's 'S \u24b6"]
    sample = plain + texts.random_texts(17, 3)
    make.hf_file(oracle, "patterns", make.letters_base(sample), patterns(), sample, 11)
    base = make.byte_level_base()
    make.hf_file(oracle, "byte_steps", base, byte_variants(base), sample, 12)
    make.hf_file(oracle, "affixes", affix_base("", "</w>"), affix_variants(), sample, 13)


if __name__ == "__main__":
    main()
