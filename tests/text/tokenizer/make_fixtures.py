#!/usr/bin/env python3
"""Makes the files in fixtures/: tiny tokenizers and what the oracles say about texts.

    /usr/bin/python3 tests/text/tokenizer/make_fixtures.py      (after `npm ci` in oracle/)

sp_NAME.model      trained here by SentencePiece; sp_NAME.json its ids and texts
hf_NAME.json       one tokenizer.json and variants of it; ids and texts of Hugging Face's Rust
                   implementation (oracle/oracle.mjs)

Everything trained on is in texts.py. Running it again with the same versions gives the same files.
"""

import base64
import io
import json
import pathlib
import random
import subprocess
import sys

import sentencepiece

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "fixtures"
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import texts  # noqa: E402


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace(
        '},{"', '},\n{"') + "\n", encoding="utf-8")


# ---- SentencePiece ----

RULES = "FB01\t66 69\n2460\t31\n3000\t20\n9\t20\nFF21\t41\n65 301\tE9\nAD\t\n0D 0A\t20\nD\t20\n"


def train(**options):
    rules = OUT / "rules.tsv"
    rules.write_text(RULES)
    model = io.BytesIO()
    options = {"hard_vocab_limit": False, "minloglevel": 2, "num_threads": 1,
               "normalization_rule_tsv": str(rules), **options}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts.TRAINING), model_writer=model, **options)
    rules.unlink()
    return model.getvalue()


def with_unused(model, every):
    """The model with each `every`-th normal piece of more than one character unused (type 5)."""
    out, at, seen = bytearray(), 0, 0
    while at < len(model):
        size, start = model[at + 1], at + 2
        if model[at] != 0x0A or size > 127:
            break
        piece = model[start:start + size]
        text = piece[2:2 + piece[1]].decode()
        at = start + size
        if len(text) > 1 and len(piece) == 2 + piece[1] + 5:  # no type: a normal one
            seen += 1
            if seen % every == 0:
                piece += b"\x18\x05"
        out += bytes([0x0A, len(piece)]) + piece
    return bytes(out) + model[at:]


MODELS = {
    "bpe_bytes": dict(model_type="bpe", vocab_size=800, byte_fallback=True, character_coverage=0.98,
                      remove_extra_whitespaces=False),
    "bpe_spaces": dict(model_type="bpe", vocab_size=560, pad_id=3),
    "bpe_user": dict(model_type="bpe", vocab_size=560, add_dummy_prefix=False,
                     user_defined_symbols=["<tool>", "ab", "the", " z", "\ufb01"],
                     control_symbols=["<x>"]),
    "bpe_unused": dict(model_type="bpe", vocab_size=560, unused=3),
    "unigram_unused": dict(model_type="unigram", vocab_size=560, unused=3),
    "unigram": dict(model_type="unigram", vocab_size=560),
    "unigram_bytes": dict(model_type="unigram", vocab_size=800, byte_fallback=True,
                          character_coverage=0.98, remove_extra_whitespaces=False),
    "unigram_user": dict(model_type="unigram", vocab_size=560, split_digits=True,
                         user_defined_symbols=["<tool>", "ab", "the", " z", "\ufb01"],
                         control_symbols=["<x>"], unk_surface="??"),
    "unigram_suffix": dict(model_type="unigram", vocab_size=560, treat_whitespace_as_suffix=True),
    "char": dict(model_type="char", vocab_size=560, byte_fallback=False),
    "word": dict(model_type="word", vocab_size=200, user_defined_symbols=["ab", "<tool>"]),
    "word_suffix": dict(model_type="word", vocab_size=520, byte_fallback=True,
                        treat_whitespace_as_suffix=True),
}


def sp_cases(model, seed):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    cases = []
    sample = [*texts.TRAINING[:4], "", " ", "   a  b ", "\u2581x\u2581", "a\tb\r\nc", "a" * 200,
              *texts.random_texts(seed, 30)]
    for i, text in enumerate(sample):
        if "<0x" in text:  # the word model makes a byte piece of a word that is its name
            continue
        ids = processor.encode(text)
        cases.append({"text": text, "ids": ids, "decoded": processor.decode(ids)})
        if i % 5 == 0:
            data = texts.broken(seed + i, text)
            ids = processor.encode(data)
            cases.append({"hex": data.hex(), "ids": ids, "decoded": processor.decode(ids)})
    rng = random.Random(seed)
    for _ in range(25):
        ids = [rng.randrange(processor.get_piece_size()) for _ in range(rng.randint(1, 12))]
        cases.append({"ids": ids, "decoded": processor.decode(ids), "only": "decode"})
    return cases


# ---- Hugging Face ----

class Oracle:
    def __init__(self):
        self.node = subprocess.Popen(["node", str(HERE / "oracle" / "oracle.mjs")], text=True,
                                     encoding="utf-8", stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)

    def ask(self, request):
        self.node.stdin.write(json.dumps(request) + "\n")
        self.node.stdin.flush()
        answer = json.loads(self.node.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{answer['error']}: {str(request)[:300]}")
        return answer


EMPTY = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
         "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}


def added(number, content, **options):
    return {"id": number, "content": content, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": True, **options}


def bytes_base():
    """A vocabulary of bytes only: the ids are the normalised text."""
    vocab = {"<unk>": 0, **{f"<0x{i:02X}>": i + 1 for i in range(256)}}
    return {**EMPTY, "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"},
                                                                    {"type": "Fuse"}]},
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                      "vocab": vocab, "merges": []}}


def charsmap_of(model):
    """normalizer_spec.precompiled_charsmap, by the shape of the file."""
    def fields(data):
        at = 0

        def varint():
            nonlocal at
            value, shift = 0, 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value
        while at < len(data):
            key = varint()
            if key & 7 == 2:
                size = varint()
                yield key >> 3, data[at:at + size]
                at += size
            elif key & 7 == 0:
                yield key >> 3, varint()
            else:
                at += 4
    spec = dict(fields(model))[3]
    return dict(fields(spec))[2]


def normalizers(model):
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
            "strip_accents": None, "lowercase": True}
    yield from ({"type": name} for name in
                "NFC NFD NFKC NFKD Lowercase StripAccents Nmt".split())
    yield bert
    yield {**bert, "lowercase": False}
    yield {**bert, "lowercase": False, "strip_accents": True, "clean_text": False}
    yield {**bert, "strip_accents": False, "handle_chinese_chars": False}
    yield {"type": "Strip", "strip_left": True, "strip_right": True}
    yield {"type": "Strip", "strip_left": True, "strip_right": False}
    yield {"type": "Strip", "strip_left": False, "strip_right": True}
    yield {"type": "Precompiled", "precompiled_charsmap":
           base64.b64encode(charsmap_of(model)).decode()}
    yield {"type": "Prepend", "prepend": "\u2581"}
    yield {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    yield {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    yield {"type": "Replace", "pattern": {"Regex": "[^\\p{L}\\p{N} ]+"}, "content": "."}
    yield {"type": "Sequence", "normalizers": [
        {"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"},
        {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
        {"type": "Strip", "strip_left": True, "strip_right": True}]}
    yield {"type": "Sequence", "normalizers": []}


def letters_base(sample):
    """WordPiece of single characters: the ids show where words begin."""
    chars = sorted(set("".join(sample)))
    vocab = {"[UNK]": 0}
    for char in chars:
        vocab[char] = len(vocab)
        vocab["##" + char] = len(vocab)
    return {**EMPTY, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 1000000, "vocab": vocab}}


QWEN = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+"
        "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")


def pre_tokenizers():
    yield from ({"type": name} for name in "BertPreTokenizer Whitespace WhitespaceSplit".split())
    for behavior in "Removed Isolated MergedWithPrevious MergedWithNext Contiguous".split():
        yield {"type": "Punctuation", "behavior": behavior}
        yield {"type": "Split", "pattern": {"Regex": "\\s+|[aeiou]"}, "behavior": behavior,
               "invert": False}
    yield {"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Isolated", "invert": False}
    yield {"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Removed", "invert": True}
    yield {"type": "Split", "pattern": {"String": "th"}, "behavior": "Isolated", "invert": False}
    yield {"type": "Digits", "individual_digits": True}
    yield {"type": "Digits", "individual_digits": False}
    for scheme in "always first never".split():
        yield {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme,
               "split": True}
    yield {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always",
           "split": False}
    yield {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"}, "behavior": "Isolated",
         "invert": False}, {"type": "WhitespaceSplit"},
        {"type": "Punctuation", "behavior": "Isolated"}]}


def byte_letters():
    """GPT-2's characters for the 256 bytes."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {
        byte: chr(256 + i) for i, byte in enumerate(others)}


def merge_list(words, count):
    """Byte-pair merges learnt from words, most frequent first, ties by text."""
    words = [list(word) for word in words]
    merges = []
    for _ in range(count):
        counts = {}
        for word in words:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i:i + 2] = ["".join(best)]
                i += 1
    return merges


def byte_level_base():
    letters = byte_letters()
    words = [" " + word for line in texts.TRAINING for word in line.split(" ")]
    merges = merge_list(["".join(letters[b] for b in word.encode()) for word in words], 250)
    vocab = {letters[i]: i for i in range(256)}
    for pair in merges:
        vocab.setdefault("".join(pair), len(vocab))
    n = len(vocab)
    return {**EMPTY, "added_tokens": [added(n, "<s>"), added(n + 1, "</s>"),
                                      added(n + 2, "<tool>", special=False),
                                      added(n + 3, "[MASK]", lstrip=True),
                                      added(n + 4, "hello", special=False, single_word=True,
                                            rstrip=True)],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False,
                              "trim_offsets": True, "use_regex": True},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                        "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None,
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": vocab, "merges": [" ".join(pair) for pair in merges]}}


def template(n):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [n], "tokens": ["<s>"]},
                               "</s>": {"id": "</s>", "ids": [n + 1], "tokens": ["</s>"]}}}


def byte_level_variants(base):
    n = base["added_tokens"][0]["id"]
    byte_level = base["pre_tokenizer"]
    split = {"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Isolated", "invert": False}
    model = base["model"]
    yield {}
    yield {"pre_tokenizer": {**byte_level, "add_prefix_space": True}}
    yield {"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        split, {**byte_level, "use_regex": False}]}}
    yield {"model": {**model, "ignore_merges": True},
           "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
               split, {**byte_level, "use_regex": False}]}}
    yield {"normalizer": {"type": "ByteLevel"}, "pre_tokenizer": None}
    yield {"post_processor": template(n), "add": True}
    yield {"post_processor": {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        template(n)]}, "add": True}
    yield {"post_processor": {"type": "RobertaProcessing", "sep": ["</s>", n + 1],
                              "cls": ["<s>", n], "trim_offsets": True, "add_prefix_space": False},
           "add": True}
    yield {"post_processor": {"type": "BertProcessing", "sep": ["</s>", n + 1],
                              "cls": ["<s>", n]}, "add": True}


def wordpiece_base():
    words = sorted({word for line in texts.TRAINING for word in line.lower().split(" ")})
    chars = sorted(set("".join(words)))
    pieces = [*chars, *("##" + char for char in chars), *(word for word in words if len(word) < 6),
              "##ing", "##s", "##ed", "read", "load", "ans", "##wer", "drag", "##on"]
    vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
    for piece in pieces:
        vocab.setdefault(piece, len(vocab))
    return {**EMPTY, "added_tokens": [added(i, text) for text, i in list(vocab.items())[:5]],
            "normalizer": {"type": "BertNormalizer", "clean_text": True,
                           "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": vocab}}


def wordpiece_variants(base):
    yield {}
    yield {"add": True}
    yield {"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
           "model": {**base["model"], "max_input_chars_per_word": 5}}
    yield {"decoder": {"type": "CTC", "pad_token": "[PAD]", "word_delimiter_token": "a",
                       "cleanup": True}}
    yield {"decoder": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "e",
                       "cleanup": False}}
    yield {"decoder": None}


def unigram_base(model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    count = processor.get_piece_size()
    vocab = [[processor.id_to_piece(i), processor.get_score(i)] for i in range(count)]
    return {**EMPTY, "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Precompiled",
                 "precompiled_charsmap": base64.b64encode(charsmap_of(model)).decode()},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581",
                              "prepend_scheme": "always", "split": True},
            "decoder": {"type": "Metaspace", "replacement": "\u2581",
                        "prepend_scheme": "always", "split": True},
            "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": False}}


def unigram_variants(base, bytes_model):
    yield {}
    yield {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"}, base["pre_tokenizer"]]}}
    yield {"pre_tokenizer": {**base["pre_tokenizer"], "prepend_scheme": "first", "split": False},
           "decoder": {**base["decoder"], "prepend_scheme": "first", "split": False}}
    processor = sentencepiece.SentencePieceProcessor(model_proto=bytes_model)
    vocab = [[processor.id_to_piece(i), processor.get_score(i)]
             for i in range(processor.get_piece_size())]
    yield {"model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": True},
           "normalizer": None, "decoder": {"type": "Sequence", "decoders": [
               {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
               {"type": "ByteFallback"}, {"type": "Fuse"},
               {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}}


def character_bpe_base(model):
    """A SentencePiece BPE as the older converters write it."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    vocab = {processor.id_to_piece(i): i for i in range(processor.get_piece_size())}
    merges = []
    for piece, number in vocab.items():
        cuts = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        cuts = [cut for cut in cuts if cut[0] in vocab and cut[1] in vocab]
        merges += [(number, vocab[a], vocab[b], a, b) for a, b in cuts if number > 258]
    return {**EMPTY, "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "\u2581"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                      "vocab": vocab, "merges": [[a, b] for *_, a, b in sorted(merges)]}}


def decoded_of(answer):
    """Ill-formed bytes are left out: we follow Unicode there (docs/tokenizer-models.md)."""
    return {} if "\ufffd" in answer["decoded"] else {"decoded": answer["decoded"]}


def hf_file(oracle, name, base, variants, sample, seed):
    made = []
    for number, variant in enumerate(variants):
        add = variant.pop("add", False)
        tokenizer = {**base, **variant}
        oracle.ask({"tokenizer": tokenizer})
        cases = []
        rng = random.Random(seed + number)
        for text in sample:
            if texts.names_a_byte(tokenizer, text):
                continue
            answer = oracle.ask({"text": text, "add": add})
            cases.append({"text": text, "ids": answer["ids"], **decoded_of(answer)})
        size = max(item["id"] for item in base["added_tokens"]) if base["added_tokens"] else 0
        size = max(size, len(tokenizer["model"]["vocab"]) - 1) + 1
        for _ in range(6):
            ids = [rng.randrange(size) for _ in range(rng.randint(1, 12))]
            cases.append({"ids": ids, **decoded_of(oracle.ask({"ids": ids})), "only": "decode"})
        made.append({"set": variant, "add": add, "cases": cases})
    write_json(OUT / f"hf_{name}.json", {"base": base, "variants": made})
    print(f"hf_{name}: {len(made)} variants, {len(sample)} texts each")


def main():
    OUT.mkdir(exist_ok=True)
    models = {}
    for number, (name, options) in enumerate(MODELS.items()):
        every = options.pop("unused", 0)
        models[name] = train(**options)
        if every:
            models[name] = with_unused(models[name], every)
        (OUT / f"sp_{name}.model").write_bytes(models[name])
        cases = sp_cases(models[name], 100 + number)
        write_json(OUT / f"sp_{name}.json", {"cases": cases})
        print(f"sp_{name}: {len(models[name])} bytes, {len(cases)} cases")
    oracle = Oracle()
    plain = ["", " ", "  a  b ", "The golden  scale's 12345 e\u0301\u00e9 don't\r\n\tx ",
             "\ufb01\u2460 \uff21\u3000\u00adI\u0307\u0130\u03a3 \u1100\u1161\u11a8\uac01",
             "\u91d1\u9cde\u5c82 hello<s>ab</s> [MASK] hello, hellos <tool>x",
             "\U0001F468\u200D\U0001F469\u200D\U0001F467 \U00020000\U0002F800\x01\x85"]
    sample = plain + texts.random_texts(6, 8)
    hf_file(oracle, "normalizers", bytes_base(),
            ({"normalizer": one} for one in normalizers(models["unigram"])), sample, 1)
    hf_file(oracle, "pre_tokenizers", letters_base(sample),
            ({"pre_tokenizer": one} for one in pre_tokenizers()), sample, 2)
    base = byte_level_base()
    hf_file(oracle, "byte_level", base, byte_level_variants(base), sample, 3)
    base = wordpiece_base()
    hf_file(oracle, "wordpiece", base, wordpiece_variants(base), sample, 4)
    base = unigram_base(models["unigram"])
    hf_file(oracle, "unigram", base, unigram_variants(base, models["unigram_bytes"]), sample, 5)
    hf_file(oracle, "character_bpe", character_bpe_base(models["bpe_bytes"]), [{}], sample, 6)


if __name__ == "__main__":
    main()
