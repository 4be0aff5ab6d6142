// KaTeX writes MathML as of old; browsers now draw its core: letters of other alphabets are characters
// of their own, and there are no inline styles.

type Alphabet = { upper: number; lower: number; digits?: number; greek?: number };

const alphabets: Record<string, Alphabet> = {
  bold: { upper: 0x1d400, lower: 0x1d41a, digits: 0x1d7ce, greek: 0x1d6a8 },
  italic: { upper: 0x1d434, lower: 0x1d44e, greek: 0x1d6e2 },
  "bold-italic": { upper: 0x1d468, lower: 0x1d482, digits: 0x1d7ce, greek: 0x1d71c },
  script: { upper: 0x1d49c, lower: 0x1d4b6 },
  "bold-script": { upper: 0x1d4d0, lower: 0x1d4ea },
  fraktur: { upper: 0x1d504, lower: 0x1d51e },
  "bold-fraktur": { upper: 0x1d56c, lower: 0x1d586 },
  "double-struck": { upper: 0x1d538, lower: 0x1d552, digits: 0x1d7d8 },
  "sans-serif": { upper: 0x1d5a0, lower: 0x1d5ba, digits: 0x1d7e2 },
  "bold-sans-serif": { upper: 0x1d5d4, lower: 0x1d5ee, digits: 0x1d7ec },
  "sans-serif-italic": { upper: 0x1d608, lower: 0x1d622 },
  "sans-serif-bold-italic": { upper: 0x1d63c, lower: 0x1d656 },
  monospace: { upper: 0x1d670, lower: 0x1d68a, digits: 0x1d7f6 },
};

// Unicode had these before the others.
const earlier: Record<string, string> = {
  "double-struck": "CℂHℍNℕPℙQℚRℝZℤ",
  script: "BℬEℰFℱHℋIℐLℒMℳRℛeℯgℊoℴ",
  fraktur: "CℭHℌIℑRℜZℨ",
  italic: "hℎ",
};

function letter(char: string, variant: string): string {
  const { upper, lower, digits, greek } = alphabets[variant]!;
  const known = earlier[variant]?.indexOf(char) ?? -1;
  if (known >= 0) return earlier[variant]![known + 1]!;
  const code = char.codePointAt(0)!;
  if (char >= "A" && char <= "Z") return String.fromCodePoint(upper + code - 0x41);
  if (char >= "a" && char <= "z") return String.fromCodePoint(lower + code - 0x61);
  if (digits && char >= "0" && char <= "9") return String.fromCodePoint(digits + code - 0x30);
  if (greek && char >= "Α" && char <= "Ω") return String.fromCodePoint(greek + code - 0x391);
  if (greek && char >= "α" && char <= "ω") return String.fromCodePoint(greek + 26 + code - 0x3b1);
  return char;
}

export function core_mathml(html: string): string {
  return html
    .replace(/ style="[^"]*"/g, "")
    .replace(/<(mi|mn|mo|mtext)((?: [^>]*)?) mathvariant="([a-z-]+)"([^>]*)>([^<]*)</g, (whole, tag: string, before: string, variant: string, after: string, text: string) => {
      if (!(variant in alphabets)) return whole;
      const changed = text.replace(/&[a-z#0-9]+;|[\s\S]/gu, (char) => (char.length > 2 ? char : letter(char, variant)));
      return `<${tag}${before}${after}>${changed}<`;
    });
}
