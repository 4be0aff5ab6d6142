// Markdown to HTML that nothing of an answer can break out of: no raw HTML, links that lead nowhere
// dangerous, mathematics as MathML, code with colours by class.
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import katex from "katex";
import MarkdownIt from "markdown-it";
import type StateInline from "markdown-it/lib/rules_inline/state_inline.mjs";
import type Token from "markdown-it/lib/token.mjs";
import { core_mathml } from "./mathml";

for (const [name, language] of Object.entries({
  bash, c, cpp, css, diff, go, java, javascript, json, markdown, python, rust, sql, typescript, xml, yaml,
}))
  hljs.registerLanguage(name, language);

const LONGEST_COLOURED = 50_000; // characters of code; longer is shown as it is

const md: MarkdownIt = new MarkdownIt({ html: false, linkify: false, breaks: true });

function coloured(code: string, language: string): string {
  if (code.length <= LONGEST_COLOURED && hljs.getLanguage(language))
    return hljs.highlight(code, { language, ignoreIllegals: true }).value;
  return md.utils.escapeHtml(code);
}

md.renderer.rules["fence"] = (tokens, index) => {
  const token = tokens[index]!;
  const language = token.info.trim().split(/\s+/)[0] ?? "";
  const name = md.utils.escapeHtml(language);
  return `<div class="code"><div class="code-head"><span>${name}</span><button type="button" class="copy-code"></button></div><pre tabindex="0"><code>${coloured(token.content, language.toLowerCase())}</code></pre></div>`;
};
md.renderer.rules["code_block"] = (tokens, index) =>
  `<pre tabindex="0"><code>${md.utils.escapeHtml(tokens[index]!.content)}</code></pre>`;
md.renderer.rules["table_open"] = () => `<div class="table" tabindex="0"><table>`;
md.renderer.rules["table_close"] = () => `</table></div>`;
for (const cell of ["th_open", "td_open"]) // the policy has no inline styles
  md.renderer.rules[cell] = (tokens, index) => {
    const style = tokens[index]!.attrGet("style") ?? "";
    const side = /right|center/.exec(style)?.[0];
    return `<${cell.slice(0, 2)}${side ? ` class="${side}"` : ""}>`;
  };
md.renderer.rules["link_open"] = (tokens, index, options, _env, self) => {
  tokens[index]!.attrSet("target", "_blank");
  tokens[index]!.attrSet("rel", "noreferrer noopener");
  return self.renderToken(tokens, index, options);
};
// Pictures would be fetched from elsewhere: their text is shown, and where they lead.
md.renderer.rules["image"] = (tokens, index) => {
  const token = tokens[index]!;
  const source = md.utils.escapeHtml(token.attrGet("src") ?? "");
  return `<a href="${source}" target="_blank" rel="noreferrer noopener">${md.utils.escapeHtml(token.content || source)}</a>`;
};

function formula(text: string, display: boolean): string {
  try {
    return core_mathml(
      katex.renderToString(text, { output: "mathml", displayMode: display, throwOnError: true, trust: false, maxSize: 20, maxExpand: 200 }),
    );
  } catch {
    return `<code>${md.utils.escapeHtml(text)}</code>`;
  }
}

// Formulas: \( \) and $ $ in a line, \[ \] and $$ $$ over lines.

const LONGEST_FORMULA = 10_000; // characters

/** Where `mark` stands next at or behind `from`, -1: nowhere. Each text is searched once. */
class Marks {
  private seen = new Map<string, { from: number; at: number }>();
  constructor(private text: string) {}
  next(mark: string, from: number): number {
    const known = this.seen.get(mark);
    if (known && known.from <= from && (known.at < 0 || known.at >= from)) return known.at;
    const at = this.text.indexOf(mark, from);
    this.seen.set(mark, { from, at });
    return at;
  }
}
const marks = new WeakMap<object, Marks>();
function marks_of(state: { src: string }): Marks {
  const known = marks.get(state) ?? new Marks(state.src);
  marks.set(state, known);
  return known;
}

const pairs: [string, string, boolean][] = [["\\(", "\\)", false], ["\\[", "\\]", true], ["$$", "$$", true]];
const dollars = /\$(?![\s$])((?:\\.|[^$\\\n])*[^\s$\\])\$(?![0-9])/y;

md.inline.ruler.before("escape", "formula", (state, silent) => {
  const { src, pos } = state;
  if (src[pos] !== "\\" && src[pos] !== "$") return false;
  let found: { text: string; length: number; block: boolean } | undefined;
  for (const [open, close, block] of pairs) {
    if (!src.startsWith(open, pos)) continue;
    const at = marks_of(state).next(close, pos + open.length + 1);
    if (at >= 0 && at - pos <= LONGEST_FORMULA) found = { text: src.slice(pos + open.length, at), length: at + close.length - pos, block };
    break;
  }
  dollars.lastIndex = pos;
  const inline = found ? null : dollars.exec(src);
  if (inline) found = { text: inline[1]!, length: inline[0].length, block: false };
  if (!found) return false;
  if (!silent) {
    const token = state.push("formula", "", 0);
    token.content = found.text;
    token.block = found.block;
  }
  state.pos += found.length;
  return true;
});
md.renderer.rules["formula"] = (tokens, index) => formula(tokens[index]!.content, tokens[index]!.block);
md.block.ruler.before(
  "fence",
  "formula_block",
  (state, line, end, silent) => {
    const start = state.bMarks[line]! + state.tShift[line]!;
    const [open, close] = pairs.find(([mark, , block]) => block && state.src.startsWith(mark, start)) ?? [];
    if (!open || !close) return false;
    const at = marks_of(state).next(close, start + open.length);
    if (at < 0 || at - start > LONGEST_FORMULA) return false;
    let last = line;
    while (last < end && state.eMarks[last]! < at + close.length) last++;
    if (last === end || state.src.slice(at + close.length, state.eMarks[last]).trim()) return false;
    if (silent) return true;
    const token = state.push("formula", "", 0);
    token.content = state.src.slice(start + open.length, at);
    token.block = true;
    token.map = [line, last + 1];
    state.line = last + 1;
    return true;
  },
  { alt: ["paragraph", "reference", "blockquote", "list"] },
);

// Chinese has no spaces around emphasis, and ends it behind full-width marks: beside a Han character,
// kana or hangul ** begins and ends where CommonMark asks for a space or punctuation.
const han = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uffef]/u;
md.inline.State.prototype.scanDelims = function (this: StateInline, start: number, can_split_word: boolean) {
  const { src, posMax } = this;
  const mark = src[start]!;
  let pos = start;
  while (pos < posMax && src[pos] === mark) pos++;
  const before = start > 0 ? (/[\ud800-\udbff][\udc00-\udfff]$/.exec(src.slice(Math.max(0, start - 2), start))?.[0] ?? src[start - 1]!) : " ";
  const after = pos < posMax ? String.fromCodePoint(src.codePointAt(pos)!) : " ";
  const is_mark = (char: string): boolean => /[\p{P}\p{S}]/u.test(char);
  const is_space = (char: string): boolean => /\s/u.test(char);
  const left = !is_space(after) && (!is_mark(after) || is_space(before) || is_mark(before) || han.test(before));
  const right = !is_space(before) && (!is_mark(before) || is_space(after) || is_mark(after) || han.test(after));
  return {
    can_open: left && (can_split_word || !right || is_mark(before)),
    can_close: right && (can_split_word || !left || is_mark(after)),
    length: pos - start,
  };
};

export interface Env {
  references?: Record<string, unknown>;
}

export function parse(text: string): { tokens: Token[]; env: Env; lines: string[] } {
  const env: Env = {};
  const clean = text.replace(/\r\n?/g, "\n");
  return { tokens: md.parse(clean, env), env, lines: clean.split("\n") };
}

export const render_tokens = (tokens: Token[], env: Env): string => md.renderer.render(tokens, md.options, env);
