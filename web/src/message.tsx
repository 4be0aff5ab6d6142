// One message: words, a thought folded away, what can be done with it.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Message } from "./api";
import { Icon, IconButton } from "./icons";
import { answer_again, go_to, say } from "./acts";
import { blocks, type Known } from "./blocks";
import { copy } from "./copy";
import { sending, versions, waiting, way } from "./state";
import { words } from "./words";

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} ${words().second}`;
}

/** One block of an answer: it stays as it is while others grow, with what is selected in it. */
function Block({ html, copy_word }: { html: string; copy_word: string }) {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    for (const button of place.current!.querySelectorAll<HTMLButtonElement>("button.copy-code")) button.textContent = copy_word;
  }, [html, copy_word]);
  return <div class="block" ref={place} dangerouslySetInnerHTML={{ __html: html }} />;
}

function Words({ text }: { text: string }) {
  const known = useRef<Known>(new Map());
  const all = useMemo(() => blocks(text, known.current), [text]);
  const on = (event: MouseEvent): void => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button.copy-code");
    if (!button) return;
    void copy(button.closest(".code")!.querySelector("code")!.textContent ?? "").then((done) => {
      if (!done) return;
      button.textContent = words().copied;
      setTimeout(() => (button.textContent = words().copy), 1500);
    });
  };
  return (
    <div class="words" onClick={on}>
      {all.map((html, i) => (
        <Block key={i} html={html} copy_word={words().copy} />
      ))}
    </div>
  );
}

function Thought({ message }: { message: Message }) {
  const live = message.status === "running" && !message.content;
  const { thought_ms } = message.facts;
  return (
    <details class="thought">
      <summary>
        {live ? <span class="pulse">{words().thinking}</span> : `${words().thought} ${thought_ms === undefined ? "…" : seconds(thought_ms)}`}
      </summary>
      <div class="thought-words">{message.reasoning}</div>
    </details>
  );
}

function Waiting({ id }: { id: string }) {
  const now = waiting.value[id];
  if (now && now.before > 0) return <p class="note pulse">{`${words().waiting}: ${now.before}`}</p>;
  if (now && now.prompt > 256 && now.read < now.prompt)
    return <p class="note pulse">{`${words().reading} ${now.read} ${words().of} ${now.prompt}`}</p>;
  return <p class="note pulse" aria-label="…">…</p>;
}

function Versions({ message }: { message: Message }) {
  const all = versions(message);
  if (all.length < 2) return null;
  const at = all.findIndex((one) => one.id === message.id);
  return (
    <span class="versions">
      <IconButton name="left" label={words().before} disabled={at === 0} on={() => void go_to(all[at - 1]!)} />
      <span>{`${at + 1}/${all.length}`}</span>
      <IconButton name="right" label={words().after} disabled={at === all.length - 1} on={() => void go_to(all[at + 1]!)} />
    </span>
  );
}

function CopyButton({ text }: { text: string }) {
  const [done, set_done] = useState(false);
  return (
    <IconButton
      name="copy"
      label={done ? words().copied : words().copy}
      pressed={done || undefined}
      on={() => {
        void copy(text).then(set_done);
        setTimeout(() => set_done(false), 1500);
      }}
    />
  );
}

function facts_of(message: Message): string {
  const { usage, ms, first_ms } = message.facts;
  if (!usage || ms === undefined) return "";
  const rate = usage.completion_tokens > 1 && ms > (first_ms ?? 0) ? (1000 * usage.completion_tokens) / (ms - (first_ms ?? 0)) : 0;
  return rate ? `${rate.toFixed(rate < 100 ? 1 : 0)} ${words().tokens_a_second}` : "";
}

function Question({ message }: { message: Message }) {
  const [editing, set_editing] = useState(false);
  const [text, set_text] = useState(message.content);
  const area = useRef<HTMLTextAreaElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const end = (): void => {
    set_editing(false);
    requestAnimationFrame(() => place.current?.querySelector<HTMLElement>('[data-name="edit"]')?.focus());
  };
  const send = (): void => {
    set_editing(false);
    void say(text, message.files, message.parent).then((kept) => kept || set_editing(true)); // what was written stays
  };
  useLayoutEffect(() => area.current?.focus(), [editing]);
  if (editing)
    return (
      <form
        class="edit"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea
          aria-label={words().edit}
          value={text}
          rows={Math.min(12, text.split("\n").length + 1)}
          ref={area}
          onInput={(event) => set_text(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Escape" || event.isComposing || event.keyCode === 229) return;
            event.stopPropagation();
            end();
          }}
        />
        <div class="row end">
          <button type="button" onClick={end}>{words().cancel}</button>
          <button type="submit" class="gold" disabled={!text.trim() || sending.value}>{words().send}</button>
        </div>
      </form>
    );
  return (
    <>
      <div class="bubble">
        {message.content}
        {message.files.map((file) => (
          <span class="file" key={file.name}>
            <Icon name="clip" /> {file.name}
          </span>
        ))}
      </div>
      <div class="tools" ref={place}>
        <CopyButton text={message.content} />
        {way.value[way.value.length - 1]?.id === message.id && !sending.value && ( // nobody answers it
          <IconButton name="again" label={words().again} on={() => void answer_again(message.id)} />
        )}
        <IconButton
          name="edit"
          label={words().edit}
          on={() => {
            set_text(message.content);
            set_editing(true);
          }}
        />
        <Versions message={message} />
      </div>
    </>
  );
}

function Answer({ message }: { message: Message }) {
  const live = message.status === "running";
  const notes: Partial<Record<Message["status"], string>> = {
    stopped: words().stopped,
    cut: words().cut,
    length: words().length,
    error: `${words().failed} ${message.error}`,
  };
  const note = notes[message.status];
  return (
    <>
      {message.reasoning && <Thought message={message} />}
      {message.content && <Words text={message.content} />}
      {live && !message.content && !message.reasoning && <Waiting id={message.id} />}
      {note && <p class={message.status === "error" ? "note bad" : "note"}>{note}</p>}
      {!live && (
        <div class="tools">
          <CopyButton text={message.content} />
          <IconButton name="again" label={words().again} disabled={sending.value} on={() => void answer_again(message.parent!)} />
          <Versions message={message} />
          <span class="facts">{facts_of(message)}</span>
        </div>
      )}
    </>
  );
}

export function MessageView({ message }: { message: Message }) {
  return (
    <article class={message.role} aria-busy={message.status === "running"} aria-label={message.role === "user" ? words().you : message.model || words().model}>
      {message.role === "user" ? <Question message={message} /> : <Answer message={message} />}
    </article>
  );
}
