// The page in Chromium against a live server.
//
// usage: node page.mjs JINLIN FOLDER     (Fry's; exit 77: no Chromium, no npm ci, or a program without
// the page). PAGE_SHOTS=FOLDER keeps pictures.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as rig from "./rig.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [program, folder] = process.argv.slice(2).map((path) => resolve(path));
const model = rig.fry(folder);
const chromium_path = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!existsSync(`${here}/node_modules/playwright-core`)) rig.skip(`npm ci in ${here} brings playwright-core`);
if (!chromium_path) rig.skip("there is no Chromium (on Debian: chromium)");
const { chromium } = await import("playwright-core");

const state = mkdtempSync(`${tmpdir()}/jinlin-`);
process.env.JINLIN_RUNS = `${state}/runs.db`;
const start = (...more) =>
  rig.start(program, model, "--name", "fry", "-p", "0", "-t", "2", "--chats", `${state}/chats.db`, ...more);

let server = await start();
if ((await (await fetch(server.url)).text()).includes("make web")) {
  await server.end("SIGTERM");
  rmSync(state, { recursive: true });
  rig.skip("the program was built without the page (make web)");
}
const browser = await chromium.launch({ executablePath: chromium_path, args: ["--no-sandbox"] });
const shots = process.env.PAGE_SHOTS;
const complaints = [];

async function open(options = {}, hash = "#/") {
  const context = await browser.newContext({ locale: "en-US", colorScheme: "light", viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${server.url}/${hash}`);
  await page.waitForSelector("#composer");
  return page;
}
const shot = (page, name) => (shots ? page.screenshot({ path: `${shots}/${name}.png` }) : undefined);
const answers = (page, n) => page.waitForSelector(`article.assistant[aria-busy="false"] >> nth=${n - 1}`);
const post = async (path, body, method = "POST") =>
  (await fetch(`${server.url}${path}`, { method, body: JSON.stringify(body) })).json();

/** A chat whose messages are these texts in turn, through the importer. */
async function chat_of(texts, fields = {}) {
  const messages = texts.map((content, i) => ({
    id: `m${i}`, parent: i ? `m${i - 1}` : null, role: i % 2 ? "assistant" : "user", content }));
  await post("/api/import", { jinlin_chats: 1, chats: [{ title: texts[0].slice(0, 40), messages, leaf: `m${texts.length - 1}`, ...fields }] });
  return (await (await fetch(`${server.url}/api/chats`)).json()).chats[0].id;
}

/** A page where an answer is being written, and goes on for long: it may not end. */
async function long_answer() {
  const { tokens } = await post("/tokenize", { content: "<|end|>", parse_special: true });
  const { id } = await post("/api/chats", { settings: { temperature: 3, max_tokens: 1800, logit_bias: { [tokens[0]]: -100 } } });
  const page = await open({}, `#/chat/${id}`);
  await page.fill("#composer", "go on");
  await page.press("#composer", "Enter");
  await page.waitForSelector('article.assistant[aria-busy="true"]');
  return page;
}

const tests = {
  async first_answer() {
    const page = await open();
    await page.waitForSelector(".examples button >> nth=4");
    await shot(page, "welcome-en-light");
    await page.click(".examples button >> nth=1");
    await answers(page, 1);
    assert.match(await page.textContent("article.user"), /837/);
    assert.match(await page.textContent(".facts"), /tokens\/s/);
    assert.match(page.url(), /#\/chat\//);
    await page.waitForSelector(".sidebar li.here");
    await page.click(".thought summary");
    await shot(page, "answer");
    await page.reload();
    await answers(page, 1);
    assert.match(await page.textContent("article.user"), /837/);
    await page.context().close();
  },

  async branches() {
    const page = await open();
    await page.fill("#composer", "12+35");
    await page.press("#composer", "Enter");
    await answers(page, 1);
    await page.click('article.assistant button[aria-label="Answer again"]');
    await page.waitForSelector("article.assistant .versions");
    await answers(page, 1);
    assert.match(await page.textContent("article.assistant .versions"), /2\/2/);
    await page.click('article.assistant button[aria-label="Previous version"]');
    await page.waitForSelector("article.assistant .versions >> text=1/2");
    await page.click('article.user button[aria-label="Edit"]');
    await page.fill(".edit textarea", "20+22");
    await page.click(".edit button.gold");
    await page.waitForSelector("article.user .versions >> text=2/2");
    await answers(page, 1);
    assert.match(await page.textContent("article.user"), /20\+22/);
    await page.reload(); // where one was is kept
    await page.waitForSelector("article.user .versions >> text=2/2");
    await page.context().close();
  },

  async stop_and_reload_in_the_middle() {
    const page = await open();
    await page.click('header button[aria-label="Settings"]');
    await page.fill("#setting-temperature", "3"); // rambles for long
    await page.press("#setting-temperature", "Tab");
    await page.click('dialog button[aria-label="Close"]');
    let seen = false; // some answers are over before one could look
    for (let i = 0; i < 12 && !seen; i++) {
      await page.fill("#composer", "hi");
      await page.press("#composer", "Enter");
      await page.waitForSelector(`article.user >> nth=${i}`);
      await page.waitForSelector('button[aria-label="Stop"], article.assistant[aria-busy="false"]:last-child');
      seen = (await page.locator('button[aria-label="Stop"]').count()) > 0;
    }
    assert.ok(seen);
    await page.reload();
    if (await page.locator('button[aria-label="Stop"]').count()) await page.press("#composer", "Escape").catch(() => {});
    await answers(page, 1); // it went on meanwhile, and ended or was stopped
    const text = await page.textContent("article.assistant");
    assert.ok(text.length > 0);
    await page.context().close();
  },

  async server_that_dies() {
    const page = await open();
    const id = await chat_of(["question", "answer"]);
    await server.end("SIGKILL");
    await page.fill("#composer", "are you there?");
    await page.press("#composer", "Enter");
    await page.waitForSelector(".trouble");
    assert.equal(await page.inputValue("#composer"), "are you there?"); // nothing is lost
    await page.context().close();
    server = await start();
    const again = await open({}, `#/chat/${id}`);
    await again.waitForSelector("article.assistant >> text=answer");
    await again.context().close();
  },

  async lost_connection() {
    const page = await long_answer();
    const { port } = new URL(server.url);
    await server.end("SIGKILL");
    await page.waitForSelector(".trouble");
    server = await rig.start(program, model, "--name", "fry", "-p", port, "-t", "2", "--chats", `${state}/chats.db`);
    await page.waitForSelector('article.assistant[aria-busy="false"] .note', { timeout: 20000 }); // what was kept, cut
    assert.equal(await page.locator(".trouble").count(), 0);
    await page.fill("#composer", "hello");
    await page.press("#composer", "Enter");
    await page.waitForSelector("article.user >> nth=1");
    await page.press("#composer", "Escape");
    await answers(page, 2);
    await page.context().close();
  },

  async settings_while_an_answer_comes() {
    const page = await long_answer();
    await page.click('header button[aria-label="Settings"]');
    assert.match(await page.textContent(".panel .hint >> nth=0"), /MB of weights, \d+ MB of cache/);
    await page.type("#setting-system", "Answer like a fish.", { delay: 20 });
    assert.equal(await page.inputValue("#setting-system"), "Answer like a fish.");
    await page.fill("#setting-temperature", "0.75");
    await page.press("#setting-temperature", "Tab");
    await page.click(".more summary");
    await page.fill("#setting-top_k", "40");
    await page.press("#setting-top_k", "Tab");
    await page.fill("#setting-system", "Answer like a carp.");
    await page.press("#setting-system", "Escape"); // closes the panel, with what was typed, and not the answer
    await page.waitForSelector("dialog", { state: "detached" });
    await page.press("#composer", "Escape");
    await answers(page, 1);
    const { system, settings } = await (await fetch(`${server.url}/api/chats/${page.url().split("/").pop()}`)).json();
    assert.deepEqual([system, settings.temperature, settings.top_k], ["Answer like a carp.", 0.75, 40]);
    await page.context().close();
  },

  async twice_and_elsewhere() {
    const page = await open();
    const before = (await (await fetch(`${server.url}/api/chats`)).json()).chats.length;
    await page.dblclick(".examples button >> nth=1"); // asked once
    await answers(page, 1);
    await page.waitForTimeout(200);
    assert.equal((await (await fetch(`${server.url}/api/chats`)).json()).chats.length, before + 1);
    const [slow, quick] = [await chat_of(["slow", "s"]), await chat_of(["quick", "q"])];
    await page.route(`**/api/chats/${slow}`, async (route) => {
      await new Promise((done) => setTimeout(done, 600));
      await route.continue();
    });
    for (const id of [slow, quick]) await page.evaluate((to) => void (location.hash = `#/chat/${to}`), id);
    await page.waitForSelector("article.user >> text=quick");
    await page.waitForTimeout(900); // the slow one has come meanwhile
    assert.match(await page.textContent("article.user"), /quick/);
    await page.context().close();
  },

  async a_model_that_is_gone() {
    const page = await open({}, `#/chat/${await chat_of(["q", "a"], { model: "gone" })}`);
    await page.fill("#composer", "12+30");
    await page.press("#composer", "Enter");
    await answers(page, 2);
    assert.equal(await page.locator(".note.bad").count(), 0);
    await page.context().close();
  },

  async chinese_marks_and_formulas() {
    const text = "**注意：**请看。\n\n在\n\\[\na\n- b\n\\]\n\n$x \\in \\mathbb{R}^n$，$\\mathbf{v}$\n\n**“引号”**后面";
    const page = await open({}, `#/chat/${await chat_of(["q", text])}`);
    const answer = page.locator("article.assistant");
    assert.deepEqual(await answer.locator("strong").allTextContents(), ["注意：", "“引号”"]);
    assert.equal(await answer.locator("li").count(), 0);
    assert.equal(await answer.locator('math[display="block"]').count(), 1);
    const formulas = (await answer.locator("math").allTextContents()).join();
    assert.match(formulas, /ℝ/);
    assert.match(formulas, /𝐯/u);
    await page.context().close();
  },

  async phone() {
    const page = await open({ isMobile: true, hasTouch: true, viewport: { width: 390, height: 844 } });
    await page.fill("#composer", "one");
    await page.press("#composer", "End");
    await page.press("#composer", "Enter"); // a new line: the button sends
    await page.type("#composer", "two");
    assert.equal(await page.inputValue("#composer"), "one\ntwo");
    await page.click('button[aria-label="Send"]');
    await answers(page, 1);
    await page.context().close();
  },

  async composition() {
    const page = await open();
    await page.focus("#composer");
    await page.evaluate(() => {
      const area = document.getElementById("composer");
      const key = (fields) => area.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...fields }));
      area.value = "ni hao";
      area.dispatchEvent(new Event("input", { bubbles: true }));
      key({ isComposing: true });
      key({ keyCode: 229 });
      key({ shiftKey: true });
    });
    await page.waitForTimeout(100);
    assert.equal(await page.locator("article").count(), 0);
    assert.equal(await page.inputValue("#composer"), "ni hao");
    await page.context().close();
  },

  async languages_themes_and_phones() {
    for (const [locale, colorScheme, width] of [["zh-CN", "dark", 390], ["zh-CN", "light", 1280], ["en-US", "dark", 1280]]) {
      const page = await open({ locale, colorScheme, viewport: { width, height: 844 } });
      await page.waitForSelector(".examples button >> nth=4");
      assert.equal((await page.textContent("h1")).includes("想试点什么"), locale === "zh-CN");
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      await shot(page, `welcome-${locale}-${colorScheme}-${width}`);
      if (width < 500) {
        await page.click("header .only-small");
        await page.waitForTimeout(300);
        await shot(page, "phone-menu");
        await page.click(".veil", { position: { x: 380, y: 400 } });
      }
      await page.click("header button.plain"); // the other language
      assert.equal((await page.textContent("h1")).includes("想试点什么"), locale !== "zh-CN");
      await page.context().close();
    }
  },

  async hostile_answers() {
    const wide = `|${"a|".repeat(60)}\n|${"-|".repeat(60)}\n${`|${"cell|".repeat(60)}\n`.repeat(50)}`;
    const id = await chat_of([
      "show me",
      `<script>document.title = "broken"</script><img src=x onerror="document.title='broken'">\n\n` +
        `[link](javascript:document.title='broken') ![picture](https://example.com/x.png)\n\n` +
        `${"x".repeat(100000)}\n\n${wide}\n\n` +
        "```html\n<b>bold</b>\n```\n\nA formula: $x^2 + \\frac{1}{2}$ and a price of $5 or $6.\n\n$$\\sum_{i=1}^n i$$\n\n" +
        `$\\href{javascript:alert(1)}{x}$ ${"> ".repeat(300)}deep`,
    ]);
    const page = await open({}, `#/chat/${id}`);
    await page.waitForSelector("article.assistant .words");
    assert.ok(!(await page.title()).includes("broken"));
    assert.equal(await page.locator("article script, article img, article iframe").count(), 0);
    assert.equal(await page.locator('article a[href^="javascript"]').count(), 0);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.ok((await page.locator("article math").count()) >= 2);
    assert.match(await page.textContent("article.assistant"), /price of \$5 or \$6/);
    assert.ok(await page.locator(".code .hljs-name").count());
    await page.context().close();
  },

  async long_history() {
    const id = await chat_of(Array.from({ length: 10000 }, (_, i) => `message ${i}`));
    const page = await open();
    const began = Date.now();
    await page.goto(`${server.url}/#/chat/${id}`);
    await page.waitForSelector("article >> text=message 9999");
    assert.ok(Date.now() - began < 10000);
    assert.ok((await page.locator("article").count()) <= 80);
    await page.click(".earlier");
    await page.waitForSelector("article >> text=message 9850");
    await page.context().close();
  },

  async search_rename_delete() {
    const page = await open();
    await chat_of(["a needle", "in a haystack"]);
    await page.fill(".sidebar input[type=search]", "HAYSTACK");
    await page.waitForSelector(".sidebar li a >> text=a needle");
    assert.equal(await page.locator(".sidebar li").count(), 1);
    await page.hover(".sidebar li");
    await page.click('.sidebar li button[aria-label^="Rename"]');
    await page.fill(".sidebar li input", "renamed");
    await page.press(".sidebar li input", "Enter");
    await page.waitForSelector(".sidebar li a >> text=renamed");
    await page.hover(".sidebar li");
    await page.click('.sidebar li button[aria-label^="Delete"]');
    await page.click(".sidebar li button.bad");
    await page.waitForSelector(".sidebar .note");
    await page.context().close();
  },

  async files() {
    const page = await open();
    const chooser = page.locator('.composer input[type="file"]');
    await chooser.setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("金鳞 <b>notes</b>") });
    await page.waitForSelector(".files li >> text=notes.txt");
    await chooser.setInputFiles({ name: "picture.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0xff, 0, 1]) });
    await page.waitForSelector("text=picture.png is no text");
    assert.equal(await page.locator(".files li").count(), 1);
    await page.fill("#composer", "What is in it?");
    await page.press("#composer", "Enter");
    await answers(page, 1);
    assert.match(await page.textContent("article.user"), /notes\.txt/);
    const id = /chat\/(\w+)/.exec(page.url())[1];
    const chat = await (await fetch(`${server.url}/api/chats/${id}`)).json();
    assert.equal(chat.messages[0].files[0].text, "金鳞 <b>notes</b>");
    await page.context().close();
  },

  async export_and_import() {
    const page = await open();
    await chat_of(["carried over", "by a file"]);
    await page.reload();
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(".foot button >> nth=0")]);
    const file = `${state}/${download.suggestedFilename()}`;
    await download.saveAs(file);
    await page.setInputFiles(".foot input[type=file]", file);
    await page.waitForSelector(".trouble >> text=chats came in");
    await page.fill(".sidebar input[type=search]", "carried over");
    for (let i = 0; i < 100 && (await page.locator(".sidebar li").count()) !== 2; i++) await page.waitForTimeout(50);
    assert.equal(await page.locator(".sidebar li >> text=carried over").count(), 2);
    writeFileSync(file, "{");
    await page.setInputFiles(".foot input[type=file]", file);
    await page.waitForSelector(".trouble >> text=JSON");
    await page.context().close();
  },

  /** From the first key to an answer, its copy, the settings and back. */
  async keyboard_alone() {
    const page = await open();
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("aria-label"));
    const tab_to = async (wanted) => {
      for (let i = 0; i < 300 && (await focused()) !== wanted; i++) await page.keyboard.press("Tab");
      assert.equal(await focused(), wanted);
    };
    assert.equal(await focused(), "composer");
    await page.keyboard.type("12+35");
    await page.keyboard.press("Enter");
    await answers(page, 1);
    await tab_to("Settings");
    await page.keyboard.press("Enter");
    await page.waitForSelector("dialog");
    await tab_to("setting-system");
    await page.keyboard.type("briefly");
    await page.keyboard.press("Escape");
    await page.waitForSelector("dialog", { state: "detached" });
    assert.equal(await focused(), "Settings"); // where one was
    await tab_to("Answer again");
    await page.keyboard.press("Enter");
    await page.waitForSelector("article.assistant .versions");
    await answers(page, 1);
    await page.keyboard.press("Control+Shift+O");
    await page.waitForSelector(".welcome");
    await page.context().close();
  },

  async trainings() {
    const page = await open({ locale: "zh-CN", colorScheme: "dark" });
    await page.click('.sidebar a[href="#/runs"]');
    await page.waitForSelector(".runs .note");
    const train = (...words) => assert.equal(spawnSync(program, words, { cwd: state }).status, 0);
    writeFileSync(`${state}/corpus.jsonl`, `${JSON.stringify({ text: "the golden carp swims in a pond " })}\n`.repeat(100));
    writeFileSync(`${state}/recipe`, `[run]\nsample = the <b>carp\nsample_every = 9\n[model]\ntokenizer = tok\ndtype = f32
[config]\narchitectures = ["Qwen3ForCausalLM"]\nhidden_size = 32\nintermediate_size = 64\nnum_hidden_layers = 1
num_attention_heads = 2\nnum_key_value_heads = 1\nhead_dim = 16\nmax_position_embeddings = 128\nrms_norm_eps = 1e-6
rope_theta = 10000\nhidden_act = silu\ntie_word_embeddings = true
[data]\nsource = corpus.jsonl\nseq_len = 32\nrows = 64\n[stage one]\nsteps = 30\n`);
    train("tokenizer", "train", "corpus.jsonl", "--out", "tok", "--vocab-size", "280", "--eos", "<end>");
    train("train", "recipe");
    await page.waitForSelector(".run-list li a"); // it looks again by itself
    await page.click(".run-list li a");
    await page.waitForSelector(".curve >> nth=3");
    assert.match(await page.textContent(".runs h1"), /recipe/);
    assert.match(await page.textContent(".sample"), /the <b>carp/);
    await page.hover(".curve svg");
    await page.waitForSelector(".curve circle.here");
    await page.setViewportSize({ width: 390, height: 844 });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    await shot(page, "trainings-zh-dark-390");
    await page.goto(`${server.url}/#/runs/77`);
    await page.waitForSelector(".trouble");
    await page.context().close();
  },

  async keys() {
    const file = `${state}/keys`;
    const made = spawnSync(program, ["serve", "--keys", file, "--make-key", "root", "--admin"]);
    const guarded = await start("--keys", file);
    const context = await browser.newContext({ locale: "en-US" });
    const page = await context.newPage();
    await page.goto(guarded.url);
    await page.fill("#key", "jl-wrong");
    await page.press("#key", "Enter");
    await page.waitForSelector("dialog >> text=not known");
    await page.fill("#key", String(made.stdout).trim());
    await page.press("#key", "Enter");
    await page.waitForSelector(".examples button >> nth=4");
    await page.click('header button[aria-label="Key"]');
    await page.fill("#key-name", "ann");
    await page.fill("#key-rate", "60");
    await page.click("dialog button.gold");
    await page.waitForSelector("dialog [role=status] >> text=jl-");
    await page.waitForSelector(".keys li >> text=60 requests a minute");
    await shot(page, "keys");
    const key = (await page.textContent("dialog [role=status] code")).trim();
    const ask = () => fetch(`${guarded.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    assert.equal((await ask()).status, 200);
    await page.click('dialog button[aria-label="Delete: ann"]');
    await page.click("dialog button.bad");
    await page.waitForSelector(".keys li >> text=ann", { state: "detached" });
    assert.equal((await ask()).status, 401);
    await context.close();
    assert.equal(await guarded.end("SIGTERM"), 0);
  },

  async for_screen_readers() {
    const page = await open();
    await page.waitForSelector(".examples button >> nth=4");
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("button, a, input, textarea, select")]
        .filter((element) => !element.hidden && !(element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.length))
        .map((element) => element.outerHTML));
    assert.deepEqual(nameless, []);
    for (const role of ["navigation", "main"]) assert.equal(await page.getByRole(role).count(), 1);
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "composer");
    await page.keyboard.press("Control+k");
    assert.equal(await page.evaluate(() => document.activeElement.type), "search");
    await page.context().close();
  },
};

let failures = await rig.run(tests, true); // a browser on a busy machine may be late once
const real = complaints.filter((text) => !/Failed to load resource|ERR_CONNECTION|404/.test(text));
if (real.length) failures++, console.log(`not ok: the browser complains: ${real.join("; ")}`);
await browser.close();
if ((await server.end("SIGTERM")) !== 0) failures++, console.log("not ok: the server ended badly");
rmSync(state, { recursive: true });
process.exit(failures ? 1 : 0);
