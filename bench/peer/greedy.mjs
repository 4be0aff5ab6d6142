// Do Jinlin and llama.cpp give the same answers, token for token, to the tasks of a file?
//
//   greedy.mjs MODEL.gguf TASKS.jsonl ... [--n 20] [--gen 512] [--threads T] [--jinlin PROGRAM]
//
// Of each file the first n tasks, as the model's chat template writes them, are gone on with greedily
// up to the end of the answer. The engines add in different orders and round activations each in its
// own way, so that two near-equal logits may change places: such an answer parts there, and both go
// on with sense. Where the first ids differ, or many do, the file is not read as the same model.
import {spawnSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {cores, fail, options, peer, root, runJson} from "./lib.mjs";

const usage = "usage: greedy.mjs MODEL.gguf TASKS.jsonl ... [--n 20] [--gen 512] [--threads T]";
const opt = options({
    jinlin: path.join(root, "build/jinlin"), n: 20, gen: 512, threads: cores().length,
}, usage);
const [model, ...files] = opt.positional;
if (files.length === 0) fail(usage);

function jinlin(command, input, ...more) {
    const done = spawnSync(opt.jinlin, [command, model, ...more], {input, encoding: "utf8"});
    if (done.status !== 0) fail(done.stderr);
    return done.stdout;
}

const tokensOf = (text) => JSON.parse(jinlin("tokenize", text, "--special"));

const prompts = files.flatMap((file) => fs.readFileSync(file, "utf8").trim().split("\n").slice(1, 1 + opt.n)
    .map((line) => {
        const {messages} = JSON.parse(line);
        return tokensOf(jinlin("render", JSON.stringify({messages, add_generation_prompt: true})));
    }));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "greedy-"));
const file = path.join(folder, "prompts.json");
fs.writeFileSync(file, JSON.stringify({prompts}));
const common = ["--threads", String(opt.threads)];
const theirs = runJson(peer("greedy", model, "--tokens", file, "--gen", opt.gen, ...common));
let same = 0, ids = 0;
prompts.forEach((_, i) => {
    const other = theirs.answers[i];
    const ours = runJson([opt.jinlin, "generate", model, "--tokens", file, "--prompt", String(i), "--greedy",
        "-n", String(other.length), ...common]);
    const at = other.findIndex((id, k) => id !== ours[k]);
    if (at < 0) same++;
    else console.log(`  answer ${i} parts at ${at} of ${ours.length}; the two likeliest are ` +
        `${theirs.gaps[i][at]?.toPrecision(2)} apart`);
    ids += at < 0 ? ours.length : at;
});
fs.rmSync(folder, {recursive: true});
console.log(`${same} of ${prompts.length} answers are the same, token for token (${ids} tokens)`);
