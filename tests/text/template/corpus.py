"""Conversations, expressions and statements: what fixtures and the random comparison are made of."""
import pathlib
import random

HERE = pathlib.Path(__file__).parent
SPECIAL = ["<|im_end|>", "</s>", "[INST]", "<think>", "</think>\n\n", "{{ 1 }}", "{% if %}"]
WORDS = ["hello", "Wörld", "日本語", "naïve", "a\tb", "line\nbreak", "  padded  ", "it's", 'say "hi"',
         "<b>&amp;</b>", "\\n", "🙂", "é\u0301", "\u2028", "", " ", "\n\n", "0", "ß", "ΑΣ", "\x7f",
         "\u00a0x\u00a0", "x" * 70] + SPECIAL
NUMBERS = [0, 1, -1, 7, 10**15, -(2**63), 2**63 - 1, 0.1, 1e22, -2.5, 1e-7, 123456789.125, 0.0, -0.0,
           1e16, 5e-324, 1.7976931348623157e308, 100.0]
SCHEMAS = [
    {"type": "string", "description": "a city"},
    {"type": "string", "enum": ["c", "f"], "default": "c"},
    {"type": "number", "default": 0.5},
    {"type": "integer"},
    {"type": "boolean", "description": "whether"},
    {"type": "array", "items": {"type": "string"}},
    {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}},
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": ["string", "null"]}},
     "required": ["a"]},
    {"oneOf": [{"type": "string"}, {"type": "number", "description": "or so", "default": 1.0}]},
    {"type": ["string", "integer"]},
    {"type": "string", "nullable": True},
]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def text(self):
        return " ".join(self.r.choice(WORDS) for _ in range(self.r.randint(0, 4)))

    def scalar(self):
        r = self.r
        return r.choice([None, True, False, r.choice(NUMBERS), r.choice(NUMBERS), self.text(),
                         self.text(), r.randint(-100, 100), round(r.uniform(-100, 100), 3)])

    def value(self, depth=3):
        r = self.r
        if depth == 0 or r.random() < 0.5:
            return self.scalar()
        if r.random() < 0.5:
            return [self.value(depth - 1) for _ in range(r.randint(0, 3))]
        return {r.choice(["a", "b", "type", "名", "x y", "items", "keys"]): self.value(depth - 1)
                for _ in range(r.randint(0, 3))}

    def tool(self):
        r = self.r
        names = r.sample(["city", "unit", "n", "flag", "list", "deep", "名"], r.randint(0, 4))
        function = {"name": r.choice(["get_weather", "search", "add"]),
                    "description": self.text() or "does",
                    "parameters": {"type": "object",
                                   "properties": {n: r.choice(SCHEMAS) for n in names},
                                   "required": names[:r.randint(0, len(names))]}}
        if r.random() < 0.2:
            del function["parameters"]
        if r.random() < 0.1:
            return function
        return {"type": "function", "function": function}

    def call(self):
        r = self.r
        arguments = {k: self.value(2) for k in r.sample(["city", "n", "x", "deep"], r.randint(0, 3))}
        call = {"type": "function", "function": {
            "name": r.choice(["get_weather", "search"]),
            "arguments": arguments if r.random() < 0.8 else '{"city": "Bern"}'}}
        if r.random() < 0.7:
            call["id"] = r.choice(["abc123XYZ", "call_1"])
        return call

    def content(self):
        r = self.r
        kind = r.random()
        if kind < 0.75:
            return self.text()
        if kind < 0.85:
            return [{"type": "text", "text": self.text()}] + (
                [{"type": "image"}] if r.random() < 0.4 else [])
        if kind < 0.92:
            return None
        return self.value(2)

    def message(self, role):
        r = self.r
        message = {"role": role, "content": self.content()}
        if role == "assistant":
            if r.random() < 0.3:
                message["tool_calls"] = [self.call() for _ in range(r.randint(1, 2))]
            if r.random() < 0.2:
                message["content"] = "<think>\n" + self.text() + "\n</think>\n\n" + self.text()
            if r.random() < 0.2:
                message[r.choice(["reasoning_content", "thinking"])] = self.text()
        if role == "tool":
            message["tool_call_id"] = "abc123XYZ"
            if r.random() < 0.5:
                message["name"] = "get_weather"
        if r.random() < 0.04:
            del message[r.choice(list(message))]
        return message

    def conversation(self):
        r = self.r
        messages = [self.message("system")] if r.random() < 0.4 else []
        for _ in range(r.randint(1, 3)):
            messages.append(self.message("user"))
            if r.random() < 0.8:
                messages.append(self.message("assistant"))
                if "tool_calls" in messages[-1]:
                    messages.append(self.message("tool"))
                    if r.random() < 0.3:
                        messages.append(self.message("tool"))
        if r.random() < 0.7:
            messages.append(self.message("user"))
        if r.random() < 0.05:
            r.shuffle(messages)
        variables = {"messages": messages, "bos_token": "<s>", "eos_token": "</s>"}
        if r.random() < 0.8:
            variables["add_generation_prompt"] = r.random() < 0.7
        choice = r.random()
        if choice < 0.4:
            variables["tools"] = [self.tool() for _ in range(r.randint(1, 3))]
        elif choice < 0.8:
            variables["tools"] = None
        for name in ["enable_thinking", "thinking"]:
            if r.random() < 0.3:
                variables[name] = r.random() < 0.5
        if r.random() < 0.2:
            variables["documents"] = [self.value(2) for _ in range(2)]
        if r.random() < 0.3:
            variables["functions"] = variables.get("tools")
            variables["datetime"] = "Friday"
        return variables


def cases(name):
    """Templates of a file, separated by lines of ----."""
    text = (HERE / name).read_bytes().decode()
    return [part.removesuffix("\n") for part in text.split("\n----\n")]


# What the expressions and statements see.
VARIABLES = {
    "s": "Hello Wörld <b>'q'\"</b>\n x", "n": 5, "f": 0.1, "e22": 1e22, "neg": -7, "l": [3, 1, 2],
    "d": {"b": 1, "a": [1, {"x": None}], "C": "z"}, "t": True, "no": None, "e": [],
    "ms": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None, "n": 2},
           {"role": "user", "content": "yo", "n": 1}],
    "u": "日本語テキスト", "mix": [1, 2.5, "a", None, True, [], {}], "em": "", "w": "  pad  ",
    "lines": "a\nb\n\nc\n", "big": 9007199254740993, "items": 1,
    "tree": [{"n": "a", "c": [{"n": "b", "c": [{"n": "c"}]}, {"n": "d"}]}, {"n": "e"}],
}


class Expressions:
    """Random expressions over VARIABLES: mostly meaningful, some not."""

    NAMES = list(VARIABLES) + ["nope"]
    FILTERS = ["upper", "lower", "title", "capitalize", "trim", "length", "list", "first", "last",
               "sort", "reverse|list", "unique|list", "join(',')", "join", "string", "tojson",
               "tojson(indent=2)", "int", "float", "abs", "round", "round(1)", "default('D')",
               "default(1, true)", "items|list", "dictsort", "sum", "max", "min", "map('string')|list",
               "map('upper')|join('-')", "select|list", "reject('none')|list", "batch(2)|list",
               "slice(2)|list", "replace('a', 'bb')", "indent(2)", "indent(2, true)", "wordcount",
               "truncate(5)", "center(9)", "e", "safe", "urlencode", "filesizeformat", "count",
               "map(attribute='role')|list", "selectattr('n')|list", "groupby('role')|list",
               "format(1)", "forceescape", "tojson(ensure_ascii=true)", "xmlattr", "d('x')",
               "select('string')|list", "reject('number')|list", "tojson(sort_keys=true)"]
    TESTS = ["defined", "undefined", "none", "string", "number", "mapping", "sequence", "iterable",
             "boolean", "integer", "float", "true", "false", "odd", "even", "upper", "lower",
             "divisibleby(2)", "in [1, 'a', none]", "eq(1)", "callable", "sameas(none)", "gt(2)",
             "not none", "not defined", "escaped", "lt(3)"]
    METHODS = ["upper()", "strip()", "split()", "split(',')", "title()", "lower()", "get('a')",
               "items()", "keys()", "values()", "startswith('H')", "endswith(('x', '語'))",
               "find('o')", "count('l')", "replace('l', 'L', 1)", "splitlines()", "isdigit()",
               "index(1)", "rsplit(' ', 1)", "partition('o')", "join(['a', 'b'])", "zfill(8)",
               "format(1, a=2)", "lstrip('H')", "rstrip('x\\n')", "islower()", "copy()", "swapcase()",
               "removeprefix('He')", "rfind('l')", "isalpha()", "isspace()", "ljust(4)", "real",
               "role", "a", "append(1)", "__class__", "is_integer()", "bit_length()", "center(9, '*')"]

    def __init__(self, seed):
        self.r = random.Random(seed)

    def literal(self):
        r = self.r
        return r.choice(["1", "0", "-3", "2.5", "1e3", "'a'", "'x,y'", "\"it's\"", "true", "none",
                         "false", "[]", "{}", "[1, 2]", "('a', 1)", "{'a': 1, 'b': [2]}", "''",
                         "'%s-%s'", "'{}'", "'日'", "7", "100", "range(4)", "'\\n'", "0.1"])

    def make(self, depth):
        r = self.r
        if depth == 0:
            return r.choice(self.NAMES) if r.random() < 0.6 else self.literal()
        kind = r.randrange(14)
        sub = lambda: self.make(depth - 1)  # noqa: E731
        if kind < 3:
            return f"({sub()})|{r.choice(self.FILTERS)}"
        if kind == 3:
            return f"({sub()}) is {r.choice(self.TESTS)}"
        if kind < 6:
            target = f"{sub()}" if r.random() < 0.4 else f"({sub()})|string"
            return f"({target}).{r.choice(self.METHODS)}"
        if kind == 6:
            op = r.choice(["+", "-", "*", "/", "//", "%", "~", "~"])
            if r.random() < 0.5:
                return f"({sub()})|int {op} ({sub()})|length"
            return f"({sub()}) {op} ({sub()})"
        if kind == 7:
            op = r.choice(["==", "!=", "<", ">=", "in", "not in"])
            return f"({sub()}) {op} ({sub()})"
        if kind == 8:
            return f"({sub()}) {r.choice(['and', 'or'])} ({sub()})"
        if kind == 9:
            return f"({sub()}) if ({sub()}) else ({sub()})"
        if kind == 10:
            # Slices of variables only: Jinja computes those of literals by other rules.
            if r.random() < 0.5:
                return f"{r.choice(self.NAMES)}[{r.choice(['1:', ':-1', '::-1', '1:3', '::2'])}]"
            return f"({sub()})[{r.choice(['0', '-1', '5', 'n', repr('a'), repr('role')])}]"
        if kind == 11:
            return f"[{sub()}, {sub()}]"
        if kind == 12:
            return f"{{'k': {sub()}, 'a': {sub()}}}"
        return f"not ({sub()})"


class Statements:
    """Random templates: nested tags with all kinds of white space control, few of them broken."""

    TEXTS = ["a", " ", "\n", "  \n", "\n\n", "\t", "x y\n  ", "\n  z", "é", "\u00a0", "{ ", "}", "#", "% }",
              "\r\n", "-", "\n \n", "a\n"]

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.expressions = Expressions(f"{seed} expressions")
        self.depth = 0

    def text(self):
        return "".join(self.r.choice(self.TEXTS) for _ in range(self.r.randint(0, 3)))

    def tag(self, body):
        r = self.r
        return ("{%" + r.choice(["", "", "", "-", "+"]) + r.choice([" ", "", "\n "]) + body
                + r.choice([" ", "", "\n"]) + r.choice(["", "", "", "-", "+"]) + "%}")

    def expr(self):
        r = self.r
        if r.random() < 0.04:
            return r.choice(["loop.index", "m(x, b=i)", "caller()", self.expressions.make(1)])
        return r.choice(["n", "s", "x", "i", "l", "'lit'", "1", "none", "ns.v", "t", "d.b", "m(1)",
                         "ms[0].content", "nope", "l|length", "q", "e", "varargs", "kwargs",
                         "(loop.index if loop is defined else 0)", "(loop.last if loop is defined else 1)",
                         "(caller() if caller else 'no caller')", "(loop.length if loop is defined else 7)"])

    def block(self):
        self.depth += 1
        parts = [self.text()]
        for _ in range(self.r.randint(0, 3 if self.depth < 4 else 1)):
            parts += [self.statement(), self.text()]
        self.depth -= 1
        return "".join(parts)

    def statement(self):
        r = self.r
        kind = r.randrange(20) if self.depth < 5 else r.randrange(7)
        e, tag, block = self.expr, self.tag, self.block
        if kind < 4:
            minus = r.choice(["", "", "-"]), r.choice(["", "", "-"])
            return "{{" + minus[0] + " " + e() + " " + minus[1] + "}}"
        if kind == 4:
            return ("{#" + r.choice(["", "-", "+"]) + self.text() + r.choice(["", "-", "+"]) + "#}")
        if kind == 5:
            return tag(f"set {r.choice(['x', 'i', 'q', 'ns.v'])} = {e()}")
        if kind == 6:
            start = "{%" + r.choice(["", "-", "+"]) + " raw" + r.choice([" ", "-", "\n"]) + "%}"
            return start + self.text() + "{{ x }}" + self.text() + tag("endraw")
        if kind < 10:
            middle = tag(f"elif {e()}") + block() if r.random() < 0.3 else ""
            other = tag("else") + block() if r.random() < 0.5 else ""
            return tag(f"if {e()}") + block() + middle + other + tag("endif")
        if kind < 14:
            what = r.choice(["l", "[1, 2]", "range(3)", "ms", "d", "e", "'ab'", "l|sort", "nope",
                             "ms|selectattr('n')", "l|map('string')"])
            guard = r.choice(["", "", "", " if i", " if i is string", " if not ns.v"])
            jump = ""
            if r.random() < 0.2:
                jump = tag(f"if {e()}") + tag(r.choice(["break", "continue"])) + tag("endif")
            other = tag("else") + block() if r.random() < 0.3 else ""
            return (tag(f"for i in {what}{guard}") + block() + jump + block() + other
                    + tag("endfor"))
        if kind == 14:
            head = r.choice(["m(a, b=2)", "m(a)", "m(x, i=3)", "m(a, b=n)"])
            return tag(f"macro {head}") + block() + tag("endmacro") + "{{ m(1) }}"
        if kind == 15:
            return tag(f"call{r.choice(['(i)', '(x=3)'])} c(1)") + block() + tag("endcall")
        if kind == 16:
            name = r.choice(["upper", "trim", "replace('a', 'b')", "indent(2, true)"])
            return tag(f"filter {name}") + block() + tag("endfilter")
        if kind == 17:
            return tag(f"set {r.choice(['x', 'q', 'q | upper'])}") + block() + tag("endset")
        if kind == 18:
            return tag(f"with x = {e()}, q = {e()}") + block() + tag("endwith")
        return tag("generation") + block() + tag("endgeneration")

    def template(self):
        start = ("{% set ns = namespace(v=0) %}{% macro m(a, b=1) %}<{{ a }}{{ b }}>{% endmacro %}"
                 "{% macro c(a) %}[{{ caller(a) }}{{ caller(a + 1) }}]{% endmacro %}")
        return (start if self.r.random() < 0.95 else "") + self.block() + self.block()
