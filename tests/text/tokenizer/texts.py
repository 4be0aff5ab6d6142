"""Seeded texts of many scripts, for the fixtures and for differential.py. All of it written here."""

import random

SCRIPTS = {
    "latin": "abcdefghijklmnopqrstuvwxyzABCXYZéèüñçßøłİıſǆ",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяЁЙ",
    "greek": "αβγδεζηθικλμνξοπρσςτυφχψωΆΐΣ",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويءًٌٍﷺ",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשתְֱֲ",
    "devanagari": "अआइईउऊकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह़ािीुूे्क़",
    "thai": "กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศษสหอะาำิีึืุูเแโใไ่้",
    "hangul": "가각간갈감나다라마바사아자차카타파하한국어ㄱㄴㅏㅓ\u1100\u1161\u11a8",
    "kana": "あいうえおかきくけこがぎぐアイウエオカキクケコガｱｲｳﾞー",
    "han": "金鳞岂是池中物一遇风云便化龙的不了人我在有他这大来上国个到说们为子和你地出道也时年得就那要下以生會說",
    "supplementary": "𠀀𠀁𪚥𝒜𝔸𐐀𐐨𐍈\U000E0041",
    "emoji": ["👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇨🇳", "😀", "☺️", "1️⃣"],
    "marks": "\u0301\u0300\u0323\u0308\u20dd\u0345\u093e",
    "compatible": "ﬁﬂ①②㍿Ａｂ３½ªº²℡ｶﾞ～〜…―‥㌀Åﬅ",
    "spaces": " \u3000\u00a0\u2009\u2581\u200b\u200d\ufeff\u2028\u1680",
    "controls": "\t\n\r\x01\x0b\x0c\x1f\x7f\x85\x9f\u2060\u00ad",
    "punctuation": ".,;:!?'\"()[]{}<>/\\@#$%^&*-_=+`~|，。！？《》「」¿§",
    "digits": "0123456789٠١२३Ⅳ",
}

WORDS = ["the", "The golden scale ", "hello world", "<tool>", "<x>", "<s>", "</s>", "<unk>",
         "<0x41>", " don't ", "you're ", "I'LL", "金鳞岂是池中物", "一遇风云便化龙",
         "int main(void) {\n    return 0;\n}\n", "  ", "   ", "\n\n", "\r\n", " \n ", "ab", "aaaa",
         "1234567", "2024-01-02", "http://x.y/z?a=b&c=d", "[MASK]", "##ab", "|", "x\u0301"]


def random_text(rng):
    parts = []
    for _ in range(rng.choice([0, 1, 1, 2, 3, 5, 8, 13, 30])):
        kind = rng.random()
        if kind < 0.35:
            parts.append(rng.choice(WORDS))
        elif kind < 0.45:
            parts.append(rng.choice(list(SCRIPTS[rng.choice(list(SCRIPTS))])) * rng.randint(2, 40))
        else:
            script = SCRIPTS[rng.choice(list(SCRIPTS))]
            parts.append("".join(rng.choice(script) for _ in range(rng.randint(1, 8))))
        if rng.random() < 0.4:
            parts.append(" ")
    return "".join(parts)


def random_texts(seed, count):
    rng = random.Random(seed)
    return [random_text(rng) for _ in range(count)]


def names_a_byte(tokenizer, text):
    """Hugging Face's Unigram makes a byte token of its written name; we do not."""
    model = tokenizer["model"]
    return model.get("type") == "Unigram" and model.get("byte_fallback") and "<0x" in text


def broken(seed, text):
    """The text's bytes with a few that make it ill-formed."""
    rng = random.Random(seed)
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 4)):
        data.insert(rng.randint(0, len(data)), rng.randint(0x80, 0xFF))
    return bytes(data)


TRAINING = """the golden scale is not a thing of the pond; once it meets wind and cloud it becomes a dragon
a small program that loads a model, talks with it, serves it and teaches it
the quick brown fox jumps over the lazy dog, then the dog jumps over the fox
don't stop: you're reading what they've written, and I'll read what she's said
int main(void) { return 0; } for (int i = 0; i < n; i++) sum += x[i] * y[i];
numbers: 0 1 2 3 4 5 6 7 8 9 10 100 1000 2024-01-02 3.14159
金鳞岂是池中物，一遇风云便化龙。
大江东去的水，不舍昼夜；天上的云，来去无心。
我们在这里写一个小小的程序，它读得懂模型，也说得出人话。
съешь ещё этих мягких французских булок, да выпей чаю
η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί
いろはにほへと ちりぬるを わかよたれそ つねならむ
키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다
übung macht den meister; ça va? él está aquí, señor
the scale the scale the scale a dragon a dragon the pond the pond
reading and writing, loading and saving, asking and answering
""".split("\n")[:-1]
