// Training beside PyTorch, as ratios: GPT shapes, vocabulary 8192, batch 8 x 256.
//
//   train.mjs [gpt-5m gpt-10m gpt-30m] [--pairs 3] [--repeat 3] [--threads T] [--peer bf16|f32] [--python PYTHON]
//
// PyTorch computes by bf16 autocast where the CPU multiplies bf16; elsewhere that takes minutes a step
// and f32 is its best: the default is by what the CPU says of itself.
// Both programs take turns on the same CPUs; a pair is one run of each, and its ratio that of the
// medians of their steps. A pair in which other programs kept a CPU waiting for more than a tenth of
// the time is told of.
import fs from "node:fs";
import path from "node:path";
import {cores, fail, here, median, options, pinned, pinning, quantile, root, runJson, waited}
    from "./lib.mjs";

const shapes = {"gpt-5m": [4, 256, 4], "gpt-10m": [6, 320, 5], "gpt-30m": [8, 512, 8]};
const opt = options({
    jinlin: path.join(root, "build/jinlin"), pairs: 3, repeat: 3, threads: cores().length,
    peer: "", python: "/usr/bin/python3", json: "",
}, "usage: train.mjs [gpt-5m gpt-10m gpt-30m] [--pairs 3] [--repeat 3] [--threads T] [--peer bf16|f32]");
const flags = fs.readFileSync("/proc/cpuinfo", "latin1");
const peer = opt.peer || (/\bavx512_bf16\b/.test(flags) ? "bf16" : "f32");
const names = opt.positional.length > 0 ? opt.positional : Object.keys(shapes);
const cpus = cores().slice(0, opt.threads);
const results = [];

console.log(`Jinlin against PyTorch (${peer}), ${opt.threads} threads, ${opt.pairs} pairs, ` +
    `${pinning}\n  shape     tokens/s  PyTorch   ratio (quartiles)`);
for (const name of names) {
    if (!Object.hasOwn(shapes, name)) fail(`shapes are ${Object.keys(shapes).join(", ")}`);
    const ours = [], theirs = [], ratios = [];
    let busy = 0;
    for (let i = 0; i < opt.pairs; i++) {
        const before = waited(), start = performance.now();
        const a = runJson(pinned(cpus, [opt.jinlin, "bench", "train", name, "--repeat",
            String(opt.repeat), "--threads", String(opt.threads), "--json"]));
        const b = runJson(pinned(cpus, [opt.python, path.join(here, "train_peer.py"),
            ...shapes[name].map(String), "--threads", String(opt.threads), "--repeat",
            String(opt.repeat), "--type", peer]));
        if (waited() - before > 100 * (performance.now() - start)) busy++;
        ours.push(a.tokens_per_second);
        theirs.push(b.tokens_per_second);
        ratios.push(a.tokens_per_second / b.tokens_per_second);
        results.push({shape: name, pair: i, jinlin: a, peer: b});
    }
    const say = (x) => x.toFixed(2);
    console.log(`  ${name.padEnd(9)} ${median(ours).toFixed(0).padStart(8)} ` +
        `${median(theirs).toFixed(0).padStart(8)}   ${say(median(ratios))} ` +
        `(${say(quantile(ratios, 0.25))} to ${say(quantile(ratios, 0.75))})` +
        (busy ? `; other programs were at work in ${busy} pairs` : ""));
}
if (opt.json) fs.writeFileSync(opt.json, JSON.stringify(results, null, 1) + "\n");
