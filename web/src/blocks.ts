// An answer as it grows: its top-level blocks, each rendered once.
import { parse, render_tokens } from "./markdown";

export type Known = Map<string, string>; // source of a block: its HTML

/** The HTML of each block of `text`. `known` has those of the time before, and has these afterwards. */
export function blocks(text: string, known: Known): string[] {
  const { tokens, env, lines } = parse(text);
  const out: string[] = [];
  const now: Known = new Map();
  for (let at = 0; at < tokens.length; ) {
    let end = at;
    let depth = 0;
    do depth += tokens[end++]!.nesting;
    while (depth > 0 && end < tokens.length);
    const map = tokens[at]!.map;
    // What links name may be defined anywhere.
    const source = map && `${Object.keys(env.references ?? {}).length} ${tokens[at]!.type} ${lines.slice(map[0], map[1]).join("\n")}`;
    const html = (source && known.get(source)) ?? render_tokens(tokens.slice(at, end), env);
    if (source) now.set(source, html);
    out.push(html);
    at = end;
  }
  known.clear();
  for (const [source, html] of now) known.set(source, html);
  return out;
}
