// OpenAI's own client against a live server.
//
// usage: node openai.mjs JINLIN FOLDER     (Fry's; npm ci beforehand, else exit 77: skipped)
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import * as rig from "./rig.mjs";

const here = dirname(fileURLToPath(import.meta.url));
if (!existsSync(`${here}/node_modules/openai`)) rig.skip(`npm ci in ${here} brings the client`);
const { default: OpenAI } = await import("openai");
const { default: Ajv } = await import("ajv");
const [program, folder] = process.argv.slice(2);
const model = rig.fry(folder);

// ---- the server ----

async function start(...more) {
  const server = await rig.start(program, model, "--name", "fry", "-p", "0", "-t", "2", "--ctx", "1024", ...more);
  server.client = (apiKey = "none") => new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });
  server.stop = async () => assert.equal(await server.end(), 0, server.told);
  return server;
}

const server = await start();
const { url } = server;
const client = server.client();

const user = (content) => [{ role: "user", content }];
const ask = (more) => client.chat.completions.create({ model: "fry", temperature: 0, max_tokens: 64, ...more });

async function collect(stream) {
  const out = { content: "", reasoning: "", finish: null, usage: null, chunks: 0, calls: [] };
  for await (const chunk of stream) {
    out.chunks++;
    if (chunk.usage) out.usage = chunk.usage;
    for (const choice of chunk.choices) {
      const delta = choice.delta;
      out.content += delta.content ?? "";
      out.reasoning += delta.reasoning_content ?? "";
      assert.equal(delta.reasoning_content, delta.reasoning);
      for (const call of delta.tool_calls ?? []) {
        const known = (out.calls[call.index] ??= { arguments: "" });
        if (call.id) assert.equal(known.id, undefined, "an id comes once");
        known.id ??= call.id;
        known.name ??= call.function?.name;
        known.arguments += call.function?.arguments ?? "";
      }
      if (choice.finish_reason) out.finish = choice.finish_reason;
    }
  }
  return out;
}

async function refused(promise, status, check = () => {}) {
  const error = await promise.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  assert.equal(error.status, status, error.message);
  check(error);
}

// ---- what is tried ----

const tests = {
  async models() {
    const list = await client.models.list();
    assert.deepEqual(list.data.map((model) => model.id), ["fry"]);
    assert.equal((await client.models.retrieve("fry")).id, "fry");
    await refused(client.models.retrieve("other"), 404, (error) => assert.equal(error.code, "model_not_found"));
  },

  async whole_and_streamed() {
    const question = { messages: user("12+35"), seed: 1 };
    const whole = await ask(question);
    const streamed = await collect(await ask({ ...question, stream: true, stream_options: { include_usage: true } }));
    const { message, finish_reason } = whole.choices[0];
    assert.equal(streamed.content, message.content);
    assert.equal(streamed.reasoning, message.reasoning_content ?? "");
    assert.equal(streamed.finish, finish_reason);
    assert.equal(streamed.usage.completion_tokens, whole.usage.completion_tokens);
    assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
  },

  async answers_of_a_seed() {
    const question = { messages: user("写一首关于月的七绝。"), temperature: 1, seed: 7, n: 3, max_tokens: 24 };
    const first = await ask(question);
    const second = await ask(question);
    const texts = (answer) => answer.choices.map((choice) => JSON.stringify(choice.message));
    assert.equal(first.choices.length, 3);
    assert.deepEqual(texts(first), texts(second));
    assert.ok(new Set(texts(first)).size > 1, "answers of one request differ");
  },

  async log_probabilities() {
    const answer = await ask({ messages: user("hi"), logprobs: true, top_logprobs: 3, max_tokens: 8 });
    const entries = answer.choices[0].logprobs.content;
    assert.equal(entries.length, answer.usage.completion_tokens);
    for (const entry of entries) {
      assert.ok(entry.logprob <= 0);
      assert.equal(entry.top_logprobs.length, 3);
      assert.ok(entry.top_logprobs[0].logprob >= entry.logprob);
      assert.equal(Buffer.from(entry.bytes).toString(), entry.token);
    }
    const bytes = Buffer.concat(entries.map((entry) => Buffer.from(entry.bytes)));
    assert.ok(bytes.toString().includes(answer.choices[0].message.content));
  },

  async stops() {
    const free = await ask({ messages: user("hi") });
    const text = free.choices[0].message.content;
    const stop = text.slice(3, 7);
    const cut = await ask({ messages: user("hi"), stop });
    assert.equal(cut.choices[0].message.content, text.slice(0, text.indexOf(stop)));
    assert.equal(cut.choices[0].finish_reason, "stop");
    const short = await ask({ messages: user("hi"), max_tokens: 2 });
    assert.equal(short.choices[0].finish_reason, "length");
    assert.equal(short.usage.completion_tokens, 2);
  },

  async schemas() {
    const schema = {
      type: "object",
      properties: {
        name: { type: "string", maxLength: 6 },
        size: { type: "integer", minimum: 3, maximum: 40 },
        tags: { type: "array", items: { enum: ["a", "b"] }, maxItems: 2 },
      },
      required: ["name", "size", "tags"],
      additionalProperties: false,
    };
    const valid = new Ajv().compile(schema);
    for (let seed = 0; seed < 8; seed++) {
      const answer = await ask({
        messages: user("hi"), temperature: 1, seed, max_tokens: 400,
        response_format: { type: "json_schema", json_schema: { name: "thing", schema } },
      });
      if (answer.choices[0].finish_reason === "length") continue;
      const value = JSON.parse(answer.choices[0].message.content);
      assert.ok(valid(value), JSON.stringify([value, valid.errors]));
    }
    await refused(
      ask({ messages: user("hi"), response_format: { type: "json_schema",
        json_schema: { name: "thing", schema: { type: "object", dependentRequired: { a: ["b"] } } } } }),
      400, (error) => assert.match(error.message, /dependentRequired/));
  },

  async tools() {
    const parameters = {
      type: "object",
      properties: { x: { type: "integer", maximum: 99 }, unit: { enum: ["cm", "m"] } },
      required: ["x", "unit"],
      additionalProperties: false,
    };
    const tools = [
      { type: "function", function: { name: "measure", parameters } },
      { type: "function", function: { name: "other", parameters: { type: "object", properties: {} } } },
    ];
    const valid = new Ajv().compile(parameters);
    const question = { messages: user("12+35"), tools, max_tokens: 300,
      tool_choice: { type: "function", function: { name: "measure" } }, parallel_tool_calls: false };
    for (let seed = 0; seed < 4; seed++) {
      const whole = await ask({ ...question, temperature: 1, seed });
      const streamed = await collect(await ask({ ...question, temperature: 1, seed, stream: true }));
      if (whole.choices[0].finish_reason === "length") continue;
      const [call] = whole.choices[0].message.tool_calls;
      assert.equal(whole.choices[0].finish_reason, "tool_calls");
      assert.equal(call.function.name, "measure");
      assert.ok(valid(JSON.parse(call.function.arguments)), call.function.arguments);
      assert.equal(streamed.calls.length, 1);
      assert.equal(streamed.calls[0].name, "measure");
      assert.equal(streamed.calls[0].arguments, call.function.arguments);
    }
    const after = await ask({ messages: [
      ...user("12+35"),
      { role: "assistant", content: null, tool_calls: [
        { id: "call_1", type: "function", function: { name: "measure", arguments: '{"x": 3, "unit": "m"}' } }] },
      { role: "tool", tool_call_id: "call_1", content: "3 m" },
    ], tools });
    assert.ok(after.choices[0].message);
  },

  async completions() {
    const answer = await client.completions.create({
      model: "fry", prompt: ["床前", "hello"], max_tokens: 5, temperature: 0, echo: true, n: 2 });
    assert.equal(answer.choices.length, 4);
    assert.ok(answer.choices[0].text.startsWith("床前"));
    assert.equal(answer.choices[2].text, answer.choices[3].text);
    let text = "";
    const stream = await client.completions.create({
      model: "fry", prompt: "床前", max_tokens: 5, temperature: 0, stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
    assert.equal(`床前${text}`, answer.choices[0].text);
    const ids = await client.completions.create({
      model: "fry", prompt: [5, 6, 7], max_tokens: 3, temperature: 0, logprobs: 2 });
    assert.equal(ids.choices[0].logprobs.tokens.length, 3);
    assert.equal(ids.usage.prompt_tokens, 3);
  },

  async scored_prompts() { // the same bits, whether a token was chosen or is only looked at
    const complete = (more) => client.completions.create({ model: "fry", temperature: 0, logprobs: 2, ...more });
    const made = await complete({ prompt: "床前", max_tokens: 6, return_token_ids: true });
    const [choice] = made.choices;
    const ids = [...choice.prompt_token_ids, ...choice.token_ids];
    const shown = await complete({ prompt: ids, max_tokens: 0, echo: true });
    const scored = shown.choices[0].logprobs;
    assert.equal(scored.token_logprobs[0], null);
    assert.equal(shown.choices[0].text, `床前${choice.text}`);
    assert.deepEqual(scored.token_logprobs.slice(-6), choice.logprobs.token_logprobs);
    assert.deepEqual(scored.top_logprobs.slice(-6), choice.logprobs.top_logprobs);
    const own = await (await fetch(`${url}/score`, { method: "POST", body: JSON.stringify({ tokens: ids }) })).json();
    assert.deepEqual(own.logprobs, scored.token_logprobs);
  },

  async embeddings() {
    const input = ["你好", "写一首诗"];
    const coded = await client.embeddings.create({ model: "fry", input });
    const plain = await client.embeddings.create({ model: "fry", input, encoding_format: "float" });
    assert.deepEqual(Float32Array.from(coded.data[1].embedding), Float32Array.from(plain.data[1].embedding));
    const many = await client.embeddings.create({ model: "fry", input: Array.from({ length: 300 }, (_, i) => `${i}`) });
    assert.equal(many.data.length, 300);
    const square = plain.data[0].embedding.reduce((sum, x) => sum + x * x, 0);
    assert.ok(Math.abs(square - 1) < 1e-5);
    await refused(client.embeddings.create({ model: "fry", input: "" }), 400);
    await refused(client.embeddings.create({ model: "fry", input: "a", dimensions: 3 }), 400);
  },

  async texts_and_tokens() {
    const post = async (path, body) =>
      (await fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) })).json();
    const { tokens, count } = await post("/tokenize", { content: "你好 12" });
    assert.equal(tokens.length, count);
    assert.equal((await post("/detokenize", { tokens })).content, "你好 12");
    const { prompt } = await post("/apply-template", { messages: user("hi") });
    assert.deepEqual(await post("/tokenize", { messages: user("hi") }), await post("/tokenize", { content: prompt }));
  },

  async requests_as_they_come() { // what clients send that is not quite what the API says
    const say = async (more) => (await ask({ max_tokens: 16, ...more })).choices[0].message.content;
    const post = (body) => fetch(`${url}/v1/chat/completions`, { method: "POST", body });
    const half = await post('{"messages": [{"role": "user", "content": "a \\ud83d b \\u0000"}], "max_tokens": 4}');
    assert.equal(half.status, 200);
    const cut = { role: "assistant", content: null, tool_calls: [
      { id: "a", type: "function", function: { name: "f", arguments: '{"x": ' } },
      { id: "b", type: "function", function: { name: "f", arguments: '"{\\"x\\": 1}"' } },
      { id: "c", type: "function", function: { name: "f", arguments: '{"x": 1, "x": 2}' } }] };
    const tools = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }, { type: "web_search" }];
    await say({ messages: [...user("hi"), cut, { role: "tool", tool_call_id: "a", content: "" }], tools });
    await say({ messages: [{ role: "system", content: "a" }, { role: "system", content: "b" }, ...user("hi"),
      { role: "system", content: "c" }, ...user("hi")] });
    await say({ messages: [{ role: "user", content: ["a", { type: "text", text: "b" }] }], stop: ["", "zzz"] });
    assert.equal(await say({ messages: user("hi"), max_tokens: -1, stop: "!" }),
      (await say({ messages: user("hi") })).split("!")[0]);
    assert.ok(["yes", "no"].includes(await say({ messages: user("hi"), guided_choice: ["yes", "no"], reasoning_effort: "none" })));
    JSON.parse(await say({ messages: user("hi"), guided_json: { enum: [1, 2] }, reasoning_effort: "none" }));
    const begun = await say({ messages: user("hi") });
    const at = begun.indexOf(" ", 4);
    const [head, tail] = [begun.slice(0, at), begun.slice(at)];
    const more = { messages: [...user("hi"), { role: "assistant", content: head, prefix: true }] };
    assert.ok(tail.startsWith((await say(more)).slice(0, 4)));
    await refused(ask({ messages: [...user("hi"), { role: "assistant", content: "x".repeat(999) + "</think>" }],
      continue_final_message: true, chat_template_kwargs: { messages: user("hi") } }), 400);
    const odd = { type: "object", properties: { when: { type: "string", format: "path" },
      sizes: { type: "array", items: { type: "integer", format: "uint32" }, uniqueItems: true },
      any: { oneOf: [{ type: "string" }, { type: "string", maxLength: 3 }], nullable: true } },
      propertyNames: { pattern: "^a(?!b)" }, required: ["when"] };
    const loose = await ask({ messages: user("hi"), max_tokens: 8, tools: [{ type: "function",
      function: { name: "odd", parameters: odd } }] }).withResponse();
    assert.equal(loose.response.headers.get("x-relaxed-tools"), "odd");
    await refused(ask({ messages: user("hi"), tools: [{ type: "function",
      function: { name: "odd", parameters: odd, strict: true } }] }), 400);
    assert.equal((await fetch(`${url}/v1/models/`)).status, 200);
    assert.equal((await fetch(`${url}/models`)).status, 200);
  },

  async answers_that_end() { // the token that ends an answer has its entry and its id
    const answer = await ask({ messages: user("hi"), logprobs: true, return_token_ids: true, max_tokens: 200 });
    const [choice] = answer.choices;
    assert.equal(choice.finish_reason, "stop");
    assert.equal(choice.token_ids.length, answer.usage.completion_tokens);
    assert.equal(choice.logprobs.content.length, answer.usage.completion_tokens);
    assert.equal(choice.logprobs.content.at(-1).token, "<|end|>");
    const scored = await client.completions.create({ model: "fry", echo: true, logprobs: 1, max_tokens: 1,
      prompt: [...answer.prompt_token_ids, ...choice.token_ids.slice(0, -1)] });
    assert.equal(scored.choices[0].logprobs.tokens.at(-1), "<|end|>");
    assert.equal(scored.choices[0].logprobs.token_logprobs.at(-1), choice.logprobs.content.at(-1).logprob);
  },

  async refusals() {
    const long = "天".repeat(3000);
    await refused(ask({ messages: user(long) }), 400, (error) => {
      assert.equal(error.code, "context_length_exceeded");
      assert.match(error.message, /maximum context length is 1024 tokens/);
    });
    await refused(ask({ messages: user("hi"), temperature: -1 }), 400, (error) =>
      assert.equal(error.param, "temperature"));
    await refused(ask({ messages: user("hi"), n: 1000 }), 400);
    await refused(ask({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] }), 400);
    await refused(ask({ messages: user("hi"), model: "gpt" }), 404);
    const { response } = await ask({ messages: user("hi"), sparkle: 1, max_tokens: 1 }).withResponse();
    assert.equal(response.headers.get("x-ignored-fields"), "sparkle");
  },

  async conversations() {
    const messages = user("你好");
    for (let turn = 0; turn < 3; turn++) {
      const answer = await ask({ messages, max_tokens: 24 });
      const { prompt_tokens, prompt_tokens_details } = answer.usage;
      if (turn) assert.ok(prompt_tokens_details.cached_tokens >= prompt_tokens / 2, JSON.stringify(answer.usage));
      messages.push({ role: "assistant", content: answer.choices[0].message.content }, ...user("12+35"));
    }
  },

  async kept_conversations() {
    const folder = mkdtempSync(`${tmpdir()}/jinlin-`);
    const question = { model: "fry", messages: user("天地玄黄，".repeat(40)), max_tokens: 4, temperature: 0 };
    const cached = async () => {
      const one = await start("--keep", folder);
      const { usage } = await one.client().chat.completions.create(question);
      await one.stop();
      return [usage.prompt_tokens_details.cached_tokens, one.told];
    };
    try {
      assert.equal((await cached())[0], 0);
      assert.ok((await cached())[0] > 150);
      const [name] = readdirSync(`${folder}/fry`);
      const bytes = readFileSync(`${folder}/fry/${name}`);
      bytes[bytes.length >> 1] ^= 1;
      writeFileSync(`${folder}/fry/${name}`, bytes);
      const [n, told] = await cached();
      assert.equal(n, 0);
      assert.match(told, /left out: .*checksum/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },

  async keys() {
    const folder = mkdtempSync(`${tmpdir()}/jinlin-`);
    const file = `${folder}/keys`;
    let one;
    try {
      const make = (name) => spawnSync(program, ["serve", "--keys", file, "--make-key", name]).stdout.toString().trim();
      const [alice, bob] = [make("alice"), make("bob")];
      writeFileSync(file, readFileSync(file, "utf8").replace(/(bob .*)/, "$1 tokens-per-minute=60"));
      one = await start("--keys", file);
      const question = { model: "fry", messages: user("天地玄黄，".repeat(40)), max_tokens: 4, temperature: 0 };
      await refused(one.client("jl-nobody").chat.completions.create(question), 401);
      const first = await one.client(alice).chat.completions.create(question);
      const again = await one.client(alice).chat.completions.create(question);
      const other = await one.client(bob).chat.completions.create(question);
      assert.deepEqual(again.choices, first.choices);
      assert.ok(again.usage.prompt_tokens_details.cached_tokens > 150);
      assert.equal(other.usage.prompt_tokens_details.cached_tokens, 0, "nothing is shared between keys");
      await refused(one.client(bob).chat.completions.create(question), 429, (error) => {
        assert.equal(error.code, "rate_limit_exceeded");
        assert.ok(Number(error.headers["retry-after"]) > 60);
      });
    } finally {
      await one?.stop();
      rmSync(folder, { recursive: true });
    }
  },

  async many_at_once() {
    const questions = Array.from({ length: 32 }, (_, i) => ({
      messages: user(`${i + 11}+${3 * i + 20}`), temperature: i % 2, seed: i, max_tokens: 40 }));
    const alone = [];
    for (const question of questions) alone.push((await ask(question)).choices[0].message);
    const together = await Promise.all(questions.map((question, i) =>
      i % 3 ? ask(question).then((answer) => answer.choices[0].message)
        : ask({ ...question, stream: true }).then(collect)));
    together.forEach((message, i) => assert.equal(message.content, alone[i].content));
  },

  async aborts() {
    const { tokens } = await (await fetch(`${url}/tokenize`, { method: "POST", body: JSON.stringify({ content: "<|end|>", parse_special: true }) })).json();
    const long = { messages: user("写一首关于月的七绝。"), max_tokens: 900, logit_bias: { [tokens[0]]: -100 },
      temperature: 2, stream: true };
    for (let i = 0; i < 8; i++) {
      const stream = await ask(long);
      let seen = 0;
      for await (const _ of stream) if (++seen === 3) break;
      stream.controller.abort();
    }
    for (let i = 0; i < 100; i++) {
      const [slots] = await (await fetch(`${url}/slots`)).json();
      if (!slots.answering && !slots.waiting && !slots.reading) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail("answers go on that nobody waits for");
  },
};

const failures = await rig.run(tests);
await server.stop();
process.exit(failures ? 1 : 0);
