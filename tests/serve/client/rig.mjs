// A live server for a test, and the test's cases run one after the other.
import { spawn } from "node:child_process";

/** Ends the test as skipped. */
export function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(77);
}

/** Fry, the model that ships. */
export const fry = (folder) => `${folder}/fry.gguf`;

/** Starts the server with these arguments; where it is, what it says, and how to end it (resolves to its exit status). */
export async function start(program, ...args) {
  const child = spawn(program, ["serve", ...args]);
  const ended = new Promise((done) => child.on("exit", done));
  const server = { told: "", url: "", end: (signal = "SIGTERM") => (child.kill(signal), ended) };
  server.url = await new Promise((done, reject) => {
    child.stderr.on("data", (data) => {
      server.told += data;
      const found = /serving at (\S+)/.exec(server.told);
      if (found) done(found[1]);
    });
    ended.then((code) => reject(new Error(`the server ended with ${code}: ${server.told}`)));
  });
  return server;
}

/** Runs the cases, or those that TEST_ONLY names; how many failed. `again`: a failed one gets another try, which is said. */
export async function run(cases, again = false) {
  let failures = 0;
  const only = process.env.TEST_ONLY?.split(",");
  for (const [name, test] of Object.entries(cases)) {
    if (only && !only.includes(name)) continue;
    for (let tries = again ? 2 : 1; ; ) {
      try {
        await test();
        console.log(`ok ${name}`);
        break;
      } catch (error) {
        console.log(`${--tries ? "once more" : "not ok"} ${name}: ${error.stack}`);
        if (tries) continue;
        failures++;
        break;
      }
    }
  }
  return failures;
}
