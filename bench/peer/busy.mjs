// What another busy program costs: Jinlin alone, and beside a process that keeps one of its CPUs busy.
//
//   busy.mjs MODEL.gguf ... [--pairs 7] [--prompt 512] [--gen 64] [--threads T] [--peer 1]
//
// The two take turns; ratios are those of neighbours, medians and quartiles are printed. --peer 1 does
// the same with llama.cpp.
import {spawn} from "node:child_process";
import path from "node:path";
import {cores, fail, median, options, peer, pinned, quantile, root, runJson} from "./lib.mjs";

const usage = "usage: busy.mjs MODEL.gguf ... [--pairs 7] [--prompt 512] [--gen 64] [--threads T] [--peer 1]";
const available = cores();
const opt = options({jinlin: path.join(root, "build/jinlin"), pairs: 7, prompt: 512, gen: 64,
    threads: available.length, peer: 0}, usage);
if (opt.positional.length === 0 || opt.pairs < 1) fail(usage);
const cpus = available.slice(0, opt.threads);
const sizes = ["prompt", "gen", "threads"].flatMap((name) => [`--${name}`, `${opt[name]}`]);

/** Runs `measure` while a process spins on the last of the CPUs. */
function besides(measure) {
    const [program, ...args] = pinned([cpus.at(-1)], [process.execPath, "-e", "for (;;) ;"]);
    const other = spawn(program, args, {stdio: "ignore"});
    try {
        return measure();
    } finally {
        other.kill("SIGKILL");
    }
}

function compare(name, command) {
    const measure = () => runJson(pinned(cpus, command));
    const ratios = {prefill: [], decode: []}, alone = {prefill: [], decode: []};
    for (let turn = 0; turn < opt.pairs; turn++) {
        const quiet = measure(), busy = besides(measure);
        for (const kind of Object.keys(ratios)) {
            ratios[kind].push(quiet[`${kind}_tokens_per_s`] / busy[`${kind}_tokens_per_s`]);
            alone[kind].push(quiet[`${kind}_tokens_per_s`]);
        }
    }
    for (const [kind, values] of Object.entries(ratios))
        console.log(`  ${name.padEnd(8)}${kind.padEnd(9)}${median(alone[kind]).toFixed(1).padStart(8)} tokens/s alone, ` +
            `${median(values).toFixed(2)} times slower (quartiles ${quantile(values, 0.25).toFixed(2)} to ` +
            `${quantile(values, 0.75).toFixed(2)})`);
}

for (const model of opt.positional) {
    console.log(`${path.basename(model)}, ${opt.threads} threads on CPUs ${cpus.join(",")}, CPU ${cpus.at(-1)} busy`);
    compare("jinlin", [opt.jinlin, "bench", model, ...sizes, "--repeat", "1", "--json"]);
    if (opt.peer) compare("peer", peer("bench", model, ...sizes, "--repeat", "1"));
}
