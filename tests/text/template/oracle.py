"""The oracle: Jinja2 with the settings in which chat templates are rendered everywhere."""
import copy
import datetime
import functools
import json
import types
import warnings

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = 1721952000  # 26 Jul 2024, 00:00 UTC


class Generation(jinja2.ext.Extension):
    """{% generation %}: its body, in a scope of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_body")
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    @staticmethod
    def _body(caller):
        return caller()


def _iterator(value):
    """Iterators print as lists, as in the shared cases."""
    if isinstance(value, types.GeneratorType) or type(value).__name__.endswith("reverseiterator"):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


def _tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys, default=_iterator)


def _raise(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, jinja2.ext.loopcontrols])
    clock = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=NOW)
    env.filters["tojson"] = _tojson
    env.globals["raise_exception"] = _raise
    env.globals["strftime_now"] = clock.strftime
    return env


ENV = environment()
warnings.simplefilter("ignore", SyntaxWarning)  # literals that are sliced or called


@functools.lru_cache(maxsize=64)
def _compiled(template):
    return ENV.from_string(template)


def render(template, variables):
    """(text, None) or (None, what was raised)."""
    try:
        # A copy: `list|indent` fails, but only after it has changed the list.
        text = _compiled(template).render(**copy.deepcopy(variables))
        text.encode()
        return text, None
    except Exception as error:  # whatever a template can do wrong
        return None, f"{type(error).__name__}: {error}"
