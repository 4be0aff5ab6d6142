// Where one writes. Enter sends, unless an input method is composing; Shift and Enter is a new line.
import { useRef, useState } from "preact/hooks";
import type { TextFile } from "./api";
import { IconButton } from "./icons";
import { model, running, say, stop, trouble, way } from "./state";
import { words } from "./words";

const LARGEST = 1 << 20;

async function read_file(file: File): Promise<TextFile> {
  if (file.size > LARGEST) throw new Error(`${file.name} ${words().too_large}`);
  try {
    return { name: file.name, text: new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()) };
  } catch {
    throw new Error(`${file.name} ${words().not_text}`);
  }
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

export function Composer() {
  const [text, set_text] = useState("");
  const [files, set_files] = useState<TextFile[]>([]);
  const place = useRef<HTMLTextAreaElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  const grow = (): void => {
    const area = place.current!;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 0.4 * innerHeight)}px`;
  };
  const add = async (list: Iterable<File>): Promise<void> => {
    for (const file of list)
      try {
        const read = await read_file(file);
        set_files((before) => [...before, read]);
      } catch (error) {
        trouble.value = (error as Error).message;
      }
  };
  const send = (): void => {
    const content = text.trim();
    if (!content || running.value) return;
    const sent = files;
    set_text("");
    set_files([]);
    requestAnimationFrame(grow);
    void say(content, sent).then((well) => {
      if (well) return;
      set_text((now) => now || content); // nothing that was written is lost
      set_files((now) => (now.length ? now : sent));
    });
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void add(event.dataTransfer?.files ?? []);
      }}
    >
      {files.length > 0 && (
        <ul class="files">
          {files.map((file, i) => (
            <li key={i}>
              {file.name}
              <IconButton name="close" label={`${words().remove}: ${file.name}`} on={() => set_files(files.filter((_, k) => k !== i))} />
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
        value={text}
        onInput={(event) => {
          set_text(event.currentTarget.value);
          grow();
        }}
        onPaste={(event) => {
          const pasted = event.clipboardData?.files;
          if (!pasted?.length) return;
          event.preventDefault();
          void add(pasted);
        }}
        onKeyDown={(event) => {
          // 229: some input methods end a composition with an Enter that does not say so
          if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
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
          <button type="submit" class="icon-button gold" aria-label={words().send} title={words().send} disabled={!text.trim()}>
            <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
              <path d="M12 19V5M6 11l6-6 6 6" />
            </svg>
          </button>
        )}
      </div>
    </form>
  );
}
