// Ids and texts of Hugging Face's tokenizers, as lines of JSON: each line of the input is
//   {"tokenizer": {...}, "config": {...}}    the tokenizer for what follows
//   {"text": "...", "add": true}             -> {"ids": [...], "decoded": "...", "js": [...]}
//   {"ids": [...]}                           -> {"decoded": "..."}
// `ids` and `decoded` are those of the implementation in Rust (tokenizers 0.22), `js` those of
// @huggingface/tokenizers, null for long texts; "add" adds special tokens, decoding skips them. A failure is {"error"}.
import {createInterface} from "node:readline";
import {createRequire} from "node:module";
import {Tokenizer as Js} from "@huggingface/tokenizers";

const {Tokenizer: Rust} = createRequire(import.meta.url)("@anush008/tokenizers");
let rust = null, js = null;

const JS_LONGEST = 400; // characters: its time grows with the square of the length

function jsIds(text, add) {
    if (text.length > JS_LONGEST) return null;
    try {
        return js.encode(text, {add_special_tokens: add}).ids;
    } catch (error) {
        return String(error);
    }
}

async function answer(line) {
    const request = JSON.parse(line);
    try {
        if (request.tokenizer) {
            rust = Rust.fromString(JSON.stringify(request.tokenizer));
            try {
                js = new Js(request.tokenizer, request.config ?? {});
            } catch (error) {
                js = {encode: () => { throw error; }};
            }
            return {};
        }
        if (request.text === undefined) return {decoded: await rust.decode(request.ids, true)};
        const add = request.add ?? false;
        const encoding = await rust.encode(request.text, null, {addSpecialTokens: add});
        const ids = encoding.getIds();
        return {ids, decoded: await rust.decode(ids, true), js: jsIds(request.text, add)};
    } catch (error) {
        return {error: String(error)};
    }
}

for await (const line of createInterface({input: process.stdin}))
    console.log(JSON.stringify(await answer(line)));
