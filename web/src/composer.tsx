// Where one writes. Enter sends, unless an input method is composing; Shift and Enter is a new line.
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { say, stop } from "./acts";
import type { TextFile } from "./api";
import { IconButton } from "./icons";
import { model, running, sending, trouble, way } from "./state";
import { words } from "./words";

// What is being written stays while one looks at something else, and in this tab when it is loaded again.
const text = signal(sessionStorage.getItem("jinlin-draft") ?? "");
const files = signal<TextFile[]>([]);
text.subscribe((now) => sessionStorage.setItem("jinlin-draft", now));

const LARGEST = 1 << 20;

async function read_file(file: File): Promise<TextFile> {
  if (file.size > LARGEST) throw new Error(`${file.name} ${words().too_large}`);
  const text = decode(new Uint8Array(await file.arrayBuffer()));
  if (text === null) throw new Error(`${file.name} ${words().not_text}`);
  return { name: file.name, text };
}

/** UTF-8; UTF-16 with its mark; else the older Chinese coding. null: it is no text. */
function decode(bytes: Uint8Array): string | null {
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "";
  if (!utf16 && bytes.includes(0)) return null;
  for (const coding of utf16 ? [utf16] : ["utf-8", "gb18030"])
    try {
      return new TextDecoder(coding, { fatal: true }).decode(bytes);
    } catch {
      // the next one
    }
  return null;
}

/** How much of the context the conversation takes. */
function Meter() {
  const last = [...way.value].reverse().find((message) => message.facts.usage);
  const n_ctx = model.value?.n_ctx;
  if (!last || !n_ctx) return null;
  const usage = last.facts.usage!;
  const used = usage.prompt_tokens + usage.completion_tokens;
  return (
    <span class="meter" title={`${used} / ${n_ctx}`}>
      <meter min={0} max={n_ctx} high={0.8 * n_ctx} value={used} aria-label={words().context} />
      {`${Math.round((100 * used) / n_ctx)} % ${words().context}`}
    </span>
  );
}

const touch = matchMedia("(pointer: coarse)"); // there Enter is a new line: a button sends

async function add(list: Iterable<File>): Promise<void> {
  for (const file of list)
    try {
      const read = await read_file(file);
      files.value = [...files.value, read];
    } catch (error) {
      trouble.value = (error as Error).message;
    }
}

export function Composer() {
  const place = useRef<HTMLTextAreaElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    const area = place.current!;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 0.4 * innerHeight)}px`;
  }, [text.value]);
  useEffect(() => {
    // A file that is dropped anywhere is taken; else the browser would leave the page for it.
    const has_files = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent): void => void (has_files(event) && event.preventDefault());
    const drop = (event: DragEvent): void => {
      if (!has_files(event)) return;
      event.preventDefault();
      void add([...event.dataTransfer!.files]);
    };
    addEventListener("dragover", over);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("drop", drop);
    };
  }, []);
  const send = (): void => {
    const content = text.value.trim();
    if (!content || running.value || sending.value) return;
    const sent = files.value;
    text.value = "";
    files.value = [];
    void say(content, sent).then((kept) => {
      if (kept) return;
      text.value ||= content; // nothing that was written is lost
      if (!files.value.length) files.value = sent;
    });
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {files.value.length > 0 && (
        <ul class="files">
          {files.value.map((file, i) => (
            <li key={i}>
              {file.name}
              <IconButton name="close" label={`${words().remove}: ${file.name}`} on={() => (files.value = files.value.filter((_, k) => k !== i))} />
            </li>
          ))}
        </ul>
      )}
      <textarea
        ref={place}
        id="composer"
        rows={1}
        placeholder={words().ask}
        aria-label={words().ask}
        enterkeyhint={touch.matches ? "enter" : "send"}
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
        }}
        onPaste={(event) => {
          const pasted = event.clipboardData?.files;
          if (!pasted?.length || event.clipboardData?.getData("text/plain")) return; // words come with a picture of them
          event.preventDefault();
          void add([...pasted]);
        }}
        onKeyDown={(event) => {
          // 229: some input methods end a composition with an Enter that does not say so
          if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || touch.matches) return;
          event.preventDefault();
          send();
        }}
      />
      <div class="row">
        <IconButton name="clip" label={words().attach} on={() => chooser.current!.click()} />
        <input
          ref={chooser}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            void add([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
        <Meter />
        <span class="space" />
        {running.value ? (
          <IconButton name="stop" label={words().stop} class="gold" on={() => void stop()} />
        ) : (
          <button type="submit" class="icon-button gold" aria-label={words().send} title={words().send} disabled={!text.value.trim() || sending.value}>
            <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
              <path d="M12 19V5M6 11l6-6 6 6" />
            </svg>
          </button>
        )}
      </div>
    </form>
  );
}
