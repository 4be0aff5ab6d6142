// Shared by the bench's programs: options, child processes, CPUs, medians.
import {spawnSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {fileURLToPath} from "node:url";

export const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, "../..");

export function fail(message) {
    console.error(message);
    process.exit(1);
}

/** Command line into {positional, name: value}; `known` holds the defaults, whose types decide. */
export function options(known, usage) {
    const result = {positional: [], ...known};
    const args = process.argv.slice(2);
    while (args.length > 0) {
        const arg = args.shift();
        const name = arg.slice(2);
        if (!arg.startsWith("--")) {
            result.positional.push(arg);
            continue;
        }
        if (!Object.hasOwn(known, name) || args.length === 0) fail(`${arg}?\n${usage}`);
        const value = args.shift();
        result[name] = typeof known[name] === "number" ? Number(value) : value;
        if (Number.isNaN(result[name])) fail(`${arg} takes a number, not '${value}'`);
    }
    return result;
}

/** The value below which a share of them lies, between two of them where it must. */
export function quantile(values, share) {
    const sorted = [...values].sort((a, b) => a - b);
    const at = share * (sorted.length - 1), low = Math.floor(at);
    return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

export const median = (values) => quantile(values, 0.5);

function readList(text) { // "0-2,5"
    return text.trim().split(",").filter(Boolean).flatMap((part) => {
        const [first, last = first] = part.split("-").map(Number);
        return Array.from({length: last - first + 1}, (_, i) => first + i);
    });
}

/** One CPU of each physical core that this process may use. */
export function cores() {
    const status = fs.readFileSync("/proc/self/status", "utf8");
    const allowed = readList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)[1]);
    const seen = new Set();
    return allowed.filter((cpu) => {
        const file = `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`;
        const core = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : String(cpu);
        return !seen.has(core) && seen.add(core);
    });
}

const hasTaskset = spawnSync("taskset", ["--version"]).status === 0;

/** Command line that keeps a program on these CPUs, as far as the system can. */
export function pinned(cpus, command) {
    return hasTaskset ? ["taskset", "-c", cpus.join(","), ...command] : command;
}
export const pinning = hasTaskset ? "pinned with taskset" : "not pinned: there is no taskset";

/** Microseconds in which some program of the machine waited for a CPU; NaN where Linux keeps none. */
export function waited() {
    const file = "/proc/pressure/cpu";
    return fs.existsSync(file) ? Number(/^some .*total=(\d+)/m.exec(fs.readFileSync(file))[1]) : NaN;
}

/** Runs a command and returns what it printed. */
export function run(command) {
    const done = spawnSync(command[0], command.slice(1), {
        encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"],
    });
    if (done.error) fail(`${command[0]}: ${done.error.message}`);
    if (done.status !== 0) fail(`failed (${done.status ?? done.signal}): ${command.join(" ")}`);
    return done.stdout;
}

export const runJson = (command) => JSON.parse(run(command));
export const peer = (...args) => [process.execPath, path.join(here, "peer.mjs"), ...args.map(String)];
