// Do Jinlin and llama.cpp read the same model from a file that `jinlin synth` or `jinlin quantize`
// wrote?
//
//   check.mjs [SHAPE:TYPE | MODEL:TYPE ...] [--jinlin PROGRAM] [--data DIR] [--layers 2]
//
// MODEL is a path with a slash in it: a GGUF file or a folder, which is quantised; texts must then
// be tokenised alike by both programs and by Jinlin from the model it came from. Each file must
// load in both, the logits of some positions must agree within the type's limit, and a greedy
// continuation must take the same ids. This covers the metadata, head dimensions, biases, head
// norms, rotary form and scaling, and the layout of every block type. At 256 positions rotary
// factors that are left out make an error of 0.03, thirty times the limit of F32.
import {spawnSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {cores, fail, options, peer, root, run, runJson} from "./lib.mjs";

const everyShape = ["qwen3-0.6b", "qwen2-1.5b", "llama-3.2-1b"];
const opt = options({
    jinlin: path.join(root, "build/jinlin"), data: path.join(root, "bench/.data"), layers: 2,
    prompt: 256, gen: 8, threads: cores().length,
}, "usage: check.mjs [SHAPE:TYPE | MODEL:TYPE ...] [--jinlin PROGRAM] [--data DIR] [--layers 2]");
const files = opt.positional.length > 0 ? opt.positional
    : [...everyShape.map((shape) => `${shape}:f32`), "qwen3-0.6b:bf16", "qwen3-0.6b:q8_0",
        "qwen3-0.6b:q4_k_m"];

// Largest error of the logits, as a share of their standard deviation. Floats: the engines add in
// different orders and keep keys and values in 16 bits; llama.cpp rounds activations to the type
// of F16 and BF16 weights. Integer types: each engine rounds activations in blocks of its own.
const limits = {f32: 0.001, f16: 0.005, bf16: 0.03};
const integerLimit = 0.05;
// Attention of tiny models is flat, and what 16 bits lose of a value weighs more.
const tinyWidth = 256, tinyFactor = 3;
// A mixture's router turns a rounding into another expert now and then, and all that follows is then
// another text: its median position must be within the limit, and its greedy text may part ways.
const median = (x) => x.toSorted((a, b) => a - b)[x.length >> 1];

const texts = [
    "Once upon a time, there was a little girl named Lily.", " two  spaces\n\nand\tlines ",
    "It's 2024-07-15, isn't it? x2 3.14 \u{4F60}\u{597D} na\u{EF}ve \u{1F600}", "</s> <|end|>",
];

const positions = [0, 1, 2, 17, 100, 127, 128, opt.prompt - 1];

function randomIds(n, size) {
    let state = 7;
    return Array.from({length: n}, () => {
        state = Math.imul(state, 1664525) + 1013904223 >>> 0;
        return Math.floor(state / 2 ** 32 * size);
    });
}

function readRow(file, row, size) {
    const out = new Float32Array(size), handle = fs.openSync(file, "r");
    const bytes = fs.readSync(handle, out, 0, out.byteLength, row * out.byteLength);
    fs.closeSync(handle);
    if (bytes !== out.byteLength) fail(`${file}: ends before row ${row}`);
    return out;
}

const indexOfMax = (row) => row.reduce((best, x, i) => x > row[best] ? i : best, 0);

/** Root mean square of ours - theirs in units of theirs' standard deviation. */
function error(ours, theirs) {
    let sum = 0, squares = 0, wrong = 0;
    for (let i = 0; i < ours.length; i++) {
        sum += theirs[i];
        squares += theirs[i] ** 2;
        wrong += (ours[i] - theirs[i]) ** 2;
    }
    const n = ours.length, variance = squares / n - (sum / n) ** 2;
    return Math.sqrt(wrong / n / variance);
}

/** Ids taken alike, and whether a difference is more than two near-equal logits. */
function compareGreedy(ours, theirs, gaps, slack) {
    const at = ours.findIndex((id, i) => id !== theirs[i]);
    return at < 0 ? {same: ours.length, ok: true} : {same: at, ok: gaps[at] <= slack};
}

const isPath = (model) => model.includes("/");

/** Writes the file; returns {vocabulary, context, width, routed} of the model in it. */
function write(model, type, file) {
    if (isPath(model)) run([opt.jinlin, "quantize", model, file, "--type", type]);
    else run([opt.jinlin, "synth", model, "--type", type, "--layers", String(opt.layers), "-o", file]);
    const {hparams} = runJson([opt.jinlin, "inspect", file, "--json"]);
    return {vocabulary: hparams.n_vocab, context: hparams.n_ctx_train, width: hparams.n_embd,
        routed: hparams.n_expert > 0};
}

/** What Jinlin makes of the texts. */
function tokenize(model) {
    const lines = texts.map((text) => JSON.stringify({text})).join("\n");
    const done = spawnSync(opt.jinlin, ["tokenize", model, "--jsonl"], {input: lines, encoding: "utf8"});
    if (done.status !== 0) fail(done.stderr);
    return done.stdout.trim().split("\n").map((line) => JSON.parse(line));
}

/** Texts that all three take for the same tokens. */
function sameTokens(model, file, theirs) {
    const source = tokenize(model), written = tokenize(file);
    return texts.filter((_, i) => JSON.stringify(source[i]) === JSON.stringify(written[i]) &&
        JSON.stringify(written[i]) === JSON.stringify(theirs[i])).length;
}

function checkOne(model, type, file, names) {
    const about = write(model, type, file);
    const limit = (limits[type] ?? integerLimit) * (about.width <= tinyWidth ? tinyFactor : 1);
    const ids = randomIds(opt.prompt, Math.min(about.vocabulary, 32000));
    fs.writeFileSync(names.tokens, JSON.stringify(ids));
    fs.writeFileSync(names.texts, JSON.stringify(isPath(model) ? texts : []));
    const common = ["--threads", String(opt.threads)];
    run([opt.jinlin, "logits", file, "--tokens", names.tokens, "-o", names.ours, ...common]);
    const greedy = runJson([opt.jinlin, "generate", file, "--tokens", names.tokens, "--greedy",
        "-n", String(opt.gen), ...common]);
    const other = runJson(peer("check", file, "--tokens", names.tokens, "--output", names.theirs,
        "--positions", positions.join(), "--gen", opt.gen, "--texts", names.texts, ...common));
    const errors = [];
    let top = 0, spread = 0;
    positions.forEach((position, i) => {
        const ours = readRow(names.ours, position, other.vocabulary);
        const theirs = readRow(names.theirs, i, other.vocabulary);
        if (!theirs.every(Number.isFinite)) fail(`${file}: logits of llama.cpp are not finite`);
        errors.push(error(ours, theirs));
        top += indexOfMax(ours) === indexOfMax(theirs);
        spread = Math.max(spread, ...theirs.slice(0, 1000).map(Math.abs));
    });
    const continued = compareGreedy(greedy, other.greedy, other.gaps, 2 * limit * spread);
    const same = isPath(model) ? sameTokens(model, file, other.tokenized) : texts.length;
    const worst = about.routed ? median(errors) : Math.max(...errors);
    const ok = worst <= limit && (continued.ok || about.routed) && same === texts.length;
    console.log(`  ${path.basename(model).padEnd(22)}${type.padEnd(8)}` +
        `${worst.toExponential(1).padStart(9)} of ${String(limit.toPrecision(1)).padEnd(7)}` +
        `${top}/${positions.length}`.padStart(6) + `${continued.same}/${opt.gen}`.padStart(8) +
        (isPath(model) ? `${same}/${texts.length}`.padStart(8) : "") + (ok ? "" : "   DIFFERENT"));
    return ok;
}

const folder = path.join(opt.data, "check");
fs.mkdirSync(folder, {recursive: true});
const names = {
    tokens: path.join(folder, "tokens.json"), texts: path.join(folder, "texts.json"),
    ours: path.join(folder, "ours.f32"),
    theirs: path.join(folder, "theirs.f32"),
};
console.log(`jinlin against llama.cpp, ${opt.layers} layers, ${opt.prompt} random ids\n` +
    `  ${"model".padEnd(22)}${"type".padEnd(8)}    error of limit  top-1  greedy   texts`);
let failed = 0;
for (const name of files) {
    const colon = name.lastIndexOf(":");
    if (colon < 1) fail(`'${name}' is neither SHAPE:TYPE nor MODEL:TYPE`);
    const model = name.slice(0, colon), type = name.slice(colon + 1).toLowerCase();
    const file = path.join(folder, `${path.basename(model)}-${type}.gguf`);
    if (!checkOne(model, type, file, names)) failed++;
    else fs.rmSync(file);
}
if (failed > 0) fail(`${failed} files differ; they are in ${folder}`);
fs.rmSync(folder, {recursive: true});
