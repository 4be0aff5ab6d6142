// Ratios of a run of pairs as a picture: a bar for each file, its quartiles as a line.

const LEFT = 260, WIDTH = 420, STEP = 22, TOP = 40;
const escape = (text) => text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** An SVG of the results of pairs.mjs. */
export function plot(results) {
    const bars = results.flatMap((result) => ["prefill", "decode"].filter((kind) => result[kind])
        .map((kind) => ({label: `${result.model.replace(/\.gguf$/, "")} ${kind}`, kind, ratio: result[kind].ratio})));
    const most = Math.max(2, ...bars.map((bar) => bar.ratio[2]));
    const x = (ratio) => LEFT + ratio / most * WIDTH;
    const height = TOP + STEP * bars.length + 30;
    const lines = [`<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 70}" height="${height}" ` +
        'font-family="sans-serif" font-size="12">',
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="${LEFT}" y="20">tokens a second, Jinlin over llama.cpp, medians and quartiles</text>`];
    for (let tick = 0; tick <= most; tick++)
        lines.push(`<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 8}" y2="${height - 24}" ` +
            `stroke="${tick === 1 ? "black" : "#ccc"}"/>`,
        `<text x="${x(tick)}" y="${height - 8}" text-anchor="middle">${tick}</text>`);
    bars.forEach(({label, kind, ratio: [low, middle, high]}, i) => {
        const y = TOP + STEP * i;
        lines.push(`<text x="${LEFT - 8}" y="${y + 12}" text-anchor="end">${escape(label)}</text>`,
            `<rect x="${LEFT}" y="${y}" width="${x(middle) - LEFT}" height="15" ` +
            `fill="${kind === "prefill" ? "#c8962e" : "#5b7fa6"}"/>`,
            `<line x1="${x(low)}" x2="${x(high)}" y1="${y + 7.5}" y2="${y + 7.5}" stroke="black" stroke-width="2"/>`,
            `<text x="${x(high) + 6}" y="${y + 12}">${middle.toFixed(2)}</text>`);
    });
    return [...lines, "</svg>", ""].join("\n");
}
