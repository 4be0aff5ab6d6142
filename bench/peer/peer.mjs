// llama.cpp's side of a comparison; one JSON line on stdout.
//
//   peer.mjs bench MODEL --threads T --prompt N --gen N --depth N --repeat R
//   peer.mjs check MODEL --threads T --tokens FILE.json --positions 0,7 --gen N --output OUT.f32
//                        [--texts FILE.json]
//   peer.mjs greedy MODEL --threads T --tokens FILE.json --gen N
//
// `bench` does what `jinlin bench` does: one warm-up, then the medians of R runs, random ids of the
// model's vocabulary, the head computed for the last token of the prompt. The clock runs only
// inside llama.cpp's decode call, so that neither JavaScript nor the sampler counts against it.
// These bindings start llama.cpp's worker threads anew for every call, which can cost a token more
// than the threads bring: tokens are decoded with T threads and with one, and the faster counts.
// `check` writes the raw logits of some positions, then continues greedily, then tokenizes texts.
// `greedy` continues each prompt of {"prompts": [[ids]]} up to the token that ends an answer.
import fs from "node:fs";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";
import {fail, median, options} from "./lib.mjs";

const usage = "usage: peer.mjs bench|check|greedy MODEL [options]";
const opt = options({threads: 1, prompt: 512, gen: 64, depth: 0, repeat: 3, tokens: "", positions: "",
    output: "", texts: ""}, usage);
const [mode, modelPath] = opt.positional;
if (!modelPath) fail(usage);

const ids = mode === "check" ? JSON.parse(fs.readFileSync(opt.tokens, "utf8")) : [];
const prompts = mode === "greedy" ? JSON.parse(fs.readFileSync(opt.tokens, "utf8")).prompts : [];
const nPrompt = mode === "bench" ? opt.depth + opt.prompt : Math.max(ids.length, ...prompts.map((x) => x.length));

const llama = await getLlama({
    gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: opt.threads,
});
const started = performance.now();
const model = await llama.loadModel({modelPath});
const context = await model.createContext({
    contextSize: nPrompt + opt.gen + 64, batchSize: 512, threads: opt.threads, flashAttention: true,
});
const opened = (performance.now() - started) / 1e3;
const clock = timeDecode(context);
const sequence = context.getSequence();

/** Puts a clock around the decode call of a context. */
function timeDecode(context) {
    const clock = {ms: 0, threads: opt.threads};
    const native = context._ctx;
    if (typeof native?.decodeBatch !== "function")
        fail("this node-llama-cpp has no decode call to time: use the version of package-lock.json");
    const decodeBatch = async (...args) => {
        native.setThreads(clock.threads);
        const start = performance.now();
        const result = await native.decodeBatch(...args);
        clock.ms += performance.now() - start;
        return result;
    };
    context._ctx = new Proxy(native, {
        get(target, name) {
            if (name === "decodeBatch") return decodeBatch;
            const value = target[name];
            return typeof value === "function" ? value.bind(target) : value;
        },
    });
    return clock;
}

const last = {generateNext: {logits: {filter: {tokens: [], includeTop: 2}}}};

/** Feeds tokens; returns the two likeliest next ones as [[id, logit], [id, logit]]. */
async function feed(tokens) {
    const out = await sequence.controlledEvaluate([...tokens.slice(0, -1), [tokens.at(-1), last]]);
    const top = [...out.at(-1).next.logits];
    return top.sort((a, b) => b[1] - a[1]);
}

function vocabularySize() {
    const size = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
    return size > 0 ? size : fail(`${modelPath}: no vocabulary`);
}

function randomIds(n) {
    let state = 1;
    const size = vocabularySize();
    return Array.from({length: n}, () => {
        state = Math.imul(state, 1664525) + 1013904223 >>> 0;
        return Math.floor(state / 2 ** 32 * size);
    });
}

/** Seconds inside llama.cpp. */
async function timed(threads, tokensOf, steps) {
    clock.threads = threads;
    clock.ms = 0;
    for (let i = 0; i < steps; i++) await feed(tokensOf(i));
    return clock.ms / 1e3;
}

async function bench() {
    const all = randomIds(opt.depth + opt.prompt + opt.gen), prompt = all.slice(opt.depth);
    let first = 0;
    if (opt.depth > 0) await timed(opt.threads, () => all.slice(0, opt.depth), 1);
    const prefill = [], decode = new Map([[opt.threads, []], [1, []]]);
    for (let i = -1; i < opt.repeat; i++) {
        await sequence.eraseContextTokenRanges([{start: opt.depth, end: all.length}]);
        const taken = await timed(opt.threads, () => prompt.slice(0, opt.prompt), +(opt.prompt > 0));
        if (i < 0) first = opened + taken;
        if (i >= 0) prefill.push(opt.prompt / taken);
        for (const [threads, rates] of decode) {
            await sequence.eraseContextTokenRanges([{start: opt.depth + opt.prompt, end: all.length}]);
            const then = await timed(threads, (k) => [prompt[opt.prompt + k]], opt.gen);
            if (i >= 0) rates.push(opt.gen / then);
        }
    }
    const [threads, rate] = [...decode].map(([threads, rates]) => [threads, median(rates)])
        .reduce((best, other) => other[1] > best[1] ? other : best);
    return {
        engine: "llama.cpp", release: llama.llamaCppRelease.release, threads: opt.threads,
        prefill_tokens_per_s: opt.prompt > 0 ? median(prefill) : 0,
        decode_tokens_per_s: opt.gen > 0 ? rate : 0, decode_threads: threads,
        open_s: opened, first_token_s: first, peak_mb: process.resourceUsage().maxRSS * 1024e-6,
        decode_by_threads: Object.fromEntries([...decode].map(([t, rates]) => [t, median(rates)])),
    };
}

/** The likeliest ids after a prompt, and how far the second ones are from them, until `ends` is true of one. */
async function goOn(prompt, ends) {
    const greedy = [], gaps = [];
    await sequence.clearHistory();
    for (let tokens = prompt; greedy.length < opt.gen && !(greedy.length > 0 && ends(greedy.at(-1))); tokens = [greedy.at(-1)]) {
        const [best, second] = await feed(tokens);
        greedy.push(best[0]);
        gaps.push(best[1] - second[1]);
    }
    return {greedy, gaps};
}

async function check() {
    const positions = new Set(opt.positions.split(",").map(Number));
    const all = {generateNext: {logits: true}};
    const out = await sequence.controlledEvaluate(
        ids.map((id, i) => positions.has(i) ? [id, all] : id));
    const file = fs.openSync(opt.output, "w");
    let size = 0;
    for (const at of [...positions].sort((a, b) => a - b)) {
        const row = new Float32Array(size = out[at].next.logits.size);
        for (const [id, logit] of out[at].next.logits) row[id] = logit;
        fs.writeSync(file, row);
    }
    fs.closeSync(file);
    const {greedy, gaps} = await goOn(ids, () => false);
    const texts = opt.texts ? JSON.parse(fs.readFileSync(opt.texts, "utf8")) : [];
    return {vocabulary: size, greedy, gaps, tokenized: texts.map((text) => [...model.tokenize(text)])};
}

async function greedy() {
    const answers = [], gaps = [];
    for (const prompt of prompts) {
        const made = await goOn(prompt, (id) => model.isEogToken(id));
        answers.push(made.greedy);
        gaps.push(made.gaps);
    }
    return {answers, gaps};
}

const modes = {bench, check, greedy};
if (!Object.hasOwn(modes, mode)) fail(usage);
console.log(JSON.stringify(await modes[mode]()));
process.exit(0);
