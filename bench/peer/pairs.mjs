// Jinlin and llama.cpp on the same files, the same CPUs, in turns.
//
//   pairs.mjs MODEL.gguf ... [--pairs 3] [--prompt 512] [--gen 32] [--repeat 1] [--threads T]
//             [--jinlin PROGRAM] [--probe PROGRAM] [--json FILE]
//
// A pair is one run of each, the first of the pair alternating; before each pair a probe measures
// what the memory gives at that moment. Ratios are taken within a pair, so that a machine that is
// slow for a while slows both, and their median is printed. `busy` is the share of the pair's time in
// which a program waited for a CPU: on a machine with other work the engines do not measure
// themselves, and threads that wait for each other suffer most. A pair first waits a while for the
// machine to be quiet, and the medians are those of the quiet pairs, if there are any.
import fs from "node:fs";
import path from "node:path";
import {cores, fail, median, options, peer, pinned, pinning, root, run, runJson, waited} from "./lib.mjs";

const usage = "usage: pairs.mjs MODEL.gguf ... [--pairs 3] [--prompt 512] [--gen 32] [--threads T]";
const available = cores();
const opt = options({
    jinlin: path.join(root, "build/jinlin"), probe: path.join(root, "build/bench/probe"),
    pairs: 3, prompt: 512, gen: 32, repeat: 1, threads: available.length, json: "",
}, usage);
if (opt.positional.length === 0 || opt.pairs < 1) fail(usage);
if (opt.threads < 1 || opt.threads > available.length)
    fail(`--threads ${opt.threads}: this process may use ${available.length} cores`);
const cpus = available.slice(0, opt.threads);

const sizes = ["prompt", "gen", "repeat", "threads"].flatMap((name) => [`--${name}`, `${opt[name]}`]);
const engines = {
    jinlin: (model) => [opt.jinlin, "bench", model, ...sizes, "--json"],
    peer: (model) => peer("bench", model, ...sizes),
};

const BUSY = 0.2;

async function settle() {
    for (let i = 0; i < 30; i++) {
        const before = waited();
        await new Promise((resolve) => setTimeout(resolve, 1000));
        if (!((waited() - before) / 1e6 > BUSY)) return;
    }
}

async function onePair(model, turn) {
    await settle();
    const pair = {memory: Number(run(pinned(cpus, [opt.probe, String(opt.threads)])))};
    const order = turn % 2 ? ["peer", "jinlin"] : ["jinlin", "peer"];
    const start = performance.now(), waitedBefore = waited();
    for (const name of order) pair[name] = runJson(pinned(cpus, engines[name](model)));
    pair.busy = (waited() - waitedBefore) / 1e3 / (performance.now() - start);
    return pair;
}

const prefill = (result) => result.prefill_tokens_per_s;
const decode = (result) => result.decode_tokens_per_s;
const show = (value, digits = 1) => value.toFixed(digits).padStart(9);

function line(label, memory, busy, figures) {
    const percent = Number.isNaN(busy) ? "?" : `${Math.round(100 * busy)} %`;
    console.log(`  ${label.padEnd(8)}${show(memory)}${percent.padStart(8)}  ${show(figures[0])}${show(figures[1])}` +
        `${show(figures[2], 2)}  ${show(figures[3])}${show(figures[4])}${show(figures[5], 2)}`);
}

function figures(pair) {
    return [prefill, decode].flatMap((of) =>
        [of(pair.jinlin), of(pair.peer), of(pair.peer) > 0 ? of(pair.jinlin) / of(pair.peer) : 0]);
}

async function compare(model) {
    const size = fs.statSync(model).size;
    console.log(`\n${path.basename(model)}, ${(size / 1e9).toFixed(2)} GB\n` +
        "  pair       memory    busy       prefill, tokens/s            decode, tokens/s\n" +
        "               GB/s              jinlin     peer    ratio     jinlin     peer    ratio");
    const pairs = [];
    for (let turn = 0; turn < opt.pairs; turn++) {
        const pair = await onePair(model, turn);
        pairs.push(pair);
        line(String(turn + 1), pair.memory, pair.busy, figures(pair));
    }
    const quiet = pairs.filter((pair) => !(pair.busy > BUSY));
    const counted = quiet.length > 0 ? quiet : pairs;
    const rows = counted.map(figures);
    const medians = rows[0].map((_, i) => median(rows.map((row) => row[i])));
    line("median", median(counted.map((pair) => pair.memory)),
        median(counted.map((pair) => pair.busy)), medians);
    if (quiet.length < pairs.length)
        console.log(`  other programs ran during ${pairs.length - quiet.length} of the pairs: ` +
            (quiet.length > 0 ? "not in the medians" : "repeat this on a quiet machine"));
    const [{jinlin, peer: other}] = pairs;
    const decodeThreads = [...new Set(pairs.map((pair) => pair.peer.decode_threads))].join(" or ");
    console.log(`  jinlin: ${jinlin.level}, ${jinlin.class}\n  peer: llama.cpp ${other.release}, ` +
        `fastest at decode with ${decodeThreads} of ${opt.threads} threads`);
    return {model: path.basename(model), bytes: size, pairs, quiet: quiet.length, medians};
}

console.log(`${opt.threads} threads on CPUs ${cpus.join(",")} (${pinning}), prompt ${opt.prompt}, ` +
    `gen ${opt.gen}, ${opt.pairs} pairs`);
const results = [];
for (const model of opt.positional) results.push(await compare(model));
if (opt.json) fs.writeFileSync(opt.json, JSON.stringify({cpus, ...opt, results}, null, 1) + "\n");
