// Jinlin and llama.cpp on the same files, the same CPUs, in turns.
//
//   pairs.mjs MODEL.gguf ... [--pairs 7] [--prompt 512] [--gen 64] [--depth 0] [--repeat 1]
//             [--threads T] [--floor 60] [--ops OPS.json] [--jinlin PROGRAM] [--probe PROGRAM]
//             [--json FILE] [--csv FILE] [--svg FILE]
//
// A pair is one run of each, the first of the pair alternating; before and after it a probe measures
// what the memory gives. Ratios are taken within a pair, so that a machine that is slow for a while
// slows both; their median and quartiles are printed. `busy` is the share of the pair's time in which
// a program waited for a CPU: on a machine with other work the engines do not measure themselves, and
// threads that wait for each other suffer most. A pair first waits a while for the machine to be
// quiet; the figures are those of the quiet pairs, if there are any, and decode counts only where the
// memory gave --floor GB/s. With --ops (`jinlin bench ops --json`) prefill is told as a share of what
// the cores can do with such tiles.
import fs from "node:fs";
import path from "node:path";
import {cores, fail, median, options, peer, pinned, pinning, quantile, root, run, runJson, waited} from "./lib.mjs";
import {plot} from "./plot.mjs";

const usage = "usage: pairs.mjs MODEL.gguf ... [--pairs 7] [--prompt 512] [--gen 64] [--threads T]";
const available = cores();
const opt = options({
    jinlin: path.join(root, "build/jinlin"), probe: path.join(root, "build/bench/probe"),
    pairs: 7, prompt: 512, gen: 64, depth: 0, repeat: 1, threads: available.length, floor: 60,
    ops: "", json: "", csv: "", svg: "",
}, usage);
if (opt.positional.length === 0 || opt.pairs < 1) fail(usage);
if (opt.threads < 1 || opt.threads > available.length)
    fail(`--threads ${opt.threads}: this process may use ${available.length} cores`);
const cpus = available.slice(0, opt.threads);

const sizes = ["prompt", "gen", "depth", "repeat", "threads"]
    .flatMap((name) => [`--${name}`, `${opt[name]}`]);
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

const probe = () => Number(run(pinned(cpus, [opt.probe, String(opt.threads)])));

async function onePair(model, turn) {
    await settle();
    const pair = {memory: probe()};
    const order = turn % 2 ? ["peer", "jinlin"] : ["jinlin", "peer"];
    const start = performance.now(), waitedBefore = waited();
    for (const name of order) pair[name] = runJson(pinned(cpus, engines[name](model)));
    pair.busy = (waited() - waitedBefore) / 1e3 / (performance.now() - start);
    pair.memory = Math.min(pair.memory, probe());
    return pair;
}

// ---- figures ----

const kinds = {
    prefill: {of: (result) => result.prefill_tokens_per_s, counts: () => true},
    decode: {of: (result) => result.decode_tokens_per_s, counts: (pair) => pair.memory >= opt.floor},
};

/** Quartiles of a kind's figures over the pairs that count; null without one. */
function figures(pairs, {of, counts}) {
    const rows = pairs.filter((pair) => counts(pair) && of(pair.peer) > 0)
        .map((pair) => [of(pair.jinlin), of(pair.peer), of(pair.jinlin) / of(pair.peer)]);
    if (rows.length === 0) return null;
    const column = (i) => [0.25, 0.5, 0.75].map((share) => quantile(rows.map((row) => row[i]), share));
    return {n: rows.length, jinlin: column(0), peer: column(1), ratio: column(2)};
}

const ceilings = opt.ops ? JSON.parse(fs.readFileSync(opt.ops, "utf8")) : null;

/** Multiplications and additions of a prompt's tokens over what the cores could do with the tile of
 *  its integer type, the first of several, or with floats where it has none. */
function prefillShare(result, rate) {
    const bodies = (ceilings?.bodies ?? []).filter((one) =>
        one.op === "gemm" && one.level === result.level && result.bodies.includes(one.body));
    const body = bodies.find((one) => one.unit === "GOP/s") ?? bodies[0];
    const top = body && ceilings.ceilings.find((one) =>
        one.level === result.level && one.body === body.ceiling);
    return top ? 2 * result.weights * rate / (top.rate * 1e9 * opt.threads) : NaN;
}

const show = (value, digits = 1) => value.toFixed(digits).padStart(9);
const percent = (share) => Number.isNaN(share) ? "?" : `${Math.round(100 * share)} %`;

function printPair(label, pair) {
    const cells = Object.values(kinds).flatMap(({of}) =>
        [show(of(pair.jinlin)), show(of(pair.peer)), show(of(pair.jinlin) / of(pair.peer), 2) + " "]);
    console.log(`  ${label.padEnd(6)}${show(pair.memory)}${percent(pair.busy).padStart(8)}  ${cells.join("")}`);
}

function printFigures(name, found) {
    if (!found) {
        console.log(`  ${name}: no pair counts (memory below ${opt.floor} GB/s, or nothing asked for)`);
        return;
    }
    const [low, middle, high] = found.ratio;
    console.log(`  ${name}: ${found.jinlin[1].toFixed(1)} / ${found.peer[1].toFixed(1)} tokens/s, ratio ` +
        `${middle.toFixed(2)} (quartiles ${low.toFixed(2)} to ${high.toFixed(2)}, ${found.n} pairs)`);
}

async function compare(model) {
    const size = fs.statSync(model).size;
    console.log(`\n${path.basename(model)}, ${(size / 1e9).toFixed(2)} GB\n` +
        "  pair     memory    busy       prefill, tokens/s            decode, tokens/s\n" +
        "             GB/s              jinlin     peer    ratio     jinlin     peer    ratio");
    const pairs = [];
    for (let turn = 0; turn < opt.pairs; turn++) {
        const pair = await onePair(model, turn);
        pairs.push(pair);
        printPair(String(turn + 1), pair);
    }
    const quiet = pairs.filter((pair) => !(pair.busy > BUSY));
    const counted = quiet.length > 0 ? quiet : pairs;
    if (quiet.length < pairs.length)
        console.log(`  other programs ran during ${pairs.length - quiet.length} of the pairs: ` +
            (quiet.length > 0 ? "left out" : "repeat this on a quiet machine"));
    const [{jinlin, peer: other}] = pairs;
    const result = {model: path.basename(model), bytes: size, pairs, quiet: quiet.length};
    for (const [name, kind] of Object.entries(kinds)) {
        result[name] = figures(counted, kind);
        printFigures(name, result[name]);
    }
    const memory = median(counted.map((pair) => pair.memory));
    const rate = median(counted.map((pair) => pair.jinlin.decode_tokens_per_s));
    result.share = {
        decode: rate * jinlin.weight_bytes / 1e9 / memory,
        prefill: prefillShare(jinlin, median(counted.map((pair) => pair.jinlin.prefill_tokens_per_s))),
    };
    console.log(`  of the ceilings: prefill ${percent(result.share.prefill)}, decode ` +
        `${percent(result.share.decode)} of ${memory.toFixed(1)} GB/s`);
    for (const [name, unit] of [["peak_mb", "MB at most in memory"], ["open_s", "s to open"],
        ["first_token_s", "s to the first token"]]) {
        result[name] = ["jinlin", "peer"].map((engine) => median(counted.map((pair) => pair[engine][name])));
        console.log(`  ${unit}: ${result[name].map((value) => value.toFixed(2)).join(" / ")}`);
    }
    const decodeThreads = [...new Set(pairs.map((pair) => pair.peer.decode_threads))].join(" or ");
    console.log(`  jinlin: ${jinlin.level}, ${jinlin.class}\n  peer: llama.cpp ${other.release}, ` +
        `fastest at decode with ${decodeThreads} of ${opt.threads} threads`);
    return result;
}

function csv(results) {
    const head = "model,pair,memory_gbs,busy,prefill_jinlin,prefill_peer,decode_jinlin,decode_peer," +
        "peak_mb_jinlin,peak_mb_peer,open_s_jinlin,open_s_peer,first_token_s_jinlin,first_token_s_peer";
    const both = (pair, name) => [pair.jinlin[name], pair.peer[name]];
    const rows = results.flatMap(({model, pairs}) => pairs.map((pair, i) => [model, i + 1, pair.memory, pair.busy,
        ...["prefill_tokens_per_s", "decode_tokens_per_s", "peak_mb", "open_s", "first_token_s"]
            .flatMap((name) => both(pair, name))].join(",")));
    return [head, ...rows].join("\n") + "\n";
}

console.log(`${opt.threads} threads on CPUs ${cpus.join(",")} (${pinning}), prompt ${opt.prompt}, ` +
    `gen ${opt.gen}, depth ${opt.depth}, ${opt.pairs} pairs`);
const results = [];
for (const model of opt.positional) results.push(await compare(model));
if (opt.json) fs.writeFileSync(opt.json, JSON.stringify({cpus, ...opt, results}, null, 1) + "\n");
if (opt.csv) fs.writeFileSync(opt.csv, csv(results));
if (opt.svg) fs.writeFileSync(opt.svg, plot(results));
