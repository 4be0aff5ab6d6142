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
    return katex.renderToString(text, {
      output: "mathml", displayMode: display, throwOnError: true, trust: false, maxSize: 20, maxExpand: 200,
    });
  } catch {
    return `<code>${md.utils.escapeHtml(text)}</code>`;
  }
}

// \( \) and $ $ in a line, \[ \] and $$ $$ over lines.
md.inline.ruler.before("escape", "formula", (state, silent) => {
  const rest = state.src.slice(state.pos);
  const found =
    /^\\\(([\s\S]+?)\\\)/.exec(rest) ??
    /^\\\[([\s\S]+?)\\\]/.exec(rest) ??
    /^\$\$([\s\S]+?)\$\$/.exec(rest) ??
    /^\$(?![\s$])((?:\\.|[^$\\\n])*[^\s$\\])\$(?![0-9])/.exec(rest);
  if (!found) return false;
  if (!silent) {
    const token = state.push("formula", "", 0);
    token.content = found[1]!;
    token.block = found[0].startsWith("\\[") || found[0].startsWith("$$");
  }
  state.pos += found[0].length;
  return true;
});
md.renderer.rules["formula"] = (tokens, index) => formula(tokens[index]!.content, tokens[index]!.block);
md.block.ruler.before("fence", "formula_block", (state, line, end, silent) => {
  const start = state.bMarks[line]! + state.tShift[line]!;
  const text = state.src.slice(start, state.eMarks[line]);
  const [open, close] = text.startsWith("$$") ? ["$$", "$$"] : text.startsWith("\\[") ? ["\\[", "\\]"] : ["", ""];
  if (!open) return false;
  for (let last = line; last < end; last++) {
    const from = last === line ? start + open.length : state.bMarks[last]!;
    const at = state.src.slice(from, state.eMarks[last]).indexOf(close);
    if (at < 0) continue;
    if (state.src.slice(from + at + close.length, state.eMarks[last]).trim()) return false;
    if (silent) return true;
    const token = state.push("formula", "", 0);
    token.content = state.src.slice(start + open.length, from + at);
    token.block = true;
    state.line = last + 1;
    return true;
  }
  return false;
});

export const render = (text: string): string => md.render(text);
