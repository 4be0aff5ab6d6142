// The chats, by when they were last changed.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { api, type ChatHead } from "./api";
import { Icon, IconButton } from "./icons";
import { remove, rename } from "./acts";
import { attempt, chats, load_chats, load_more, more_chats, search, trouble, wanted } from "./state";
import { words } from "./words";

const DAY = 86_400_000;

function groups(all: ChatHead[]): [string, ChatHead[]][] {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const out: [string, ChatHead[]][] = [
    [words().today, all.filter((chat) => chat.changed >= midnight)],
    [words().week, all.filter((chat) => chat.changed < midnight && chat.changed >= midnight - 6 * DAY)],
    [words().older, all.filter((chat) => chat.changed < midnight - 6 * DAY)],
  ];
  return out.filter(([, some]) => some.length > 0);
}

function Row({ chat, done }: { chat: ChatHead; done: () => void }) {
  const [mode, set_mode] = useState<"" | "rename" | "remove">("");
  const [title, set_title] = useState(chat.title);
  const here = wanted.value === chat.id;
  const place = useRef<HTMLLIElement>(null);
  const area = useRef<HTMLInputElement>(null);
  const end = (): void => {
    set_mode("");
    requestAnimationFrame(() => place.current?.querySelector<HTMLElement>("a")?.focus());
  };
  useLayoutEffect(() => area.current?.select(), [mode]);
  if (mode === "rename")
    return (
      <li ref={place}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            end();
            void rename(chat.id, title.trim());
          }}
        >
          <input
            aria-label={words().rename}
            value={title}
            ref={area}
            onInput={(event) => set_title(event.currentTarget.value)}
            onBlur={() => set_mode("")}
            onKeyDown={(event) => {
              if (event.key !== "Escape" || event.isComposing || event.keyCode === 229) return;
              event.stopPropagation();
              end();
            }}
          />
        </form>
      </li>
    );
  if (mode === "remove")
    return (
      <li class="sure" ref={place}>
        <span>{words().remove_sure}</span>
        <div class="row end">
          <button type="button" onClick={end}>{words().cancel}</button>
          <button type="button" class="bad" onClick={() => void remove(chat.id)}>{words().remove}</button>
        </div>
      </li>
    );
  return (
    <li class={here ? "here" : ""} ref={place}>
      <a href={`#/chat/${chat.id}`} aria-current={here ? "page" : undefined} onClick={done} title={chat.title}>
        {chat.title || words().new_chat}
      </a>
      <span class="row-tools">
        <IconButton
          name="edit"
          label={`${words().rename}: ${chat.title}`}
          on={() => {
            set_title(chat.title);
            set_mode("rename");
          }}
        />
        <IconButton name="trash" label={`${words().remove}: ${chat.title}`} on={() => set_mode("remove")} />
      </span>
    </li>
  );
}

const save_all = (): Promise<boolean> =>
  attempt(async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await api.export());
    link.download = `jinlin-${new Date().toISOString().slice(0, 10)}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });

const PART = 4 << 20; // characters of one request: the server takes no more than it can hold

/** Chats of an export, some at a time. */
const take_in = async (file: File): Promise<void> => {
  let n = 0;
  const well = await attempt(async () => {
    const all = JSON.parse(await file.text()) as { jinlin_chats?: unknown; chats?: unknown };
    let part: unknown[] = [];
    let size = 0;
    const post = async (): Promise<void> => {
      n += (await api.import({ ...all, chats: part })).chats;
      part = [];
      size = 0;
    };
    const chats = Array.isArray(all.chats) ? (all.chats as unknown[]) : [];
    for (const chat of chats) {
      const length = JSON.stringify(chat).length;
      if (part.length && size + length > PART) await post();
      part.push(chat);
      size += length;
    }
    if (part.length || !chats.length) await post(); // what is no export the server says
  });
  await load_chats();
  if (well) trouble.value = `${n} ${words().imported}`;
};

let typed = 0; // the timer of what is being typed

function look_for(text: string): void {
  search.value = text;
  clearTimeout(typed);
  typed = window.setTimeout(() => void load_chats(), 200);
}

export function Sidebar({ shown, done }: { shown: boolean; done: () => void }) {
  const all = chats.value;
  return (
    <nav class={shown ? "sidebar shown" : "sidebar"} aria-label={words().menu}>
      <a class="brand" href="#/" onClick={done}>
        <img src="/icon.svg" alt="" width="28" height="28" />
        Jinlin <span lang="zh">金鳞</span>
      </a>
      <a class="button" href="#/" onClick={done}>
        <Icon name="plus" /> {words().new_chat}
      </a>
      <input
        type="search"
        placeholder={words().search}
        aria-label={words().search}
        value={search.value}
        onInput={(event) => !event.isComposing && look_for(event.currentTarget.value)}
        onCompositionEnd={(event) => look_for(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" && search.value) event.stopPropagation();
        }}
      />
      <div class="list">
        {all.length === 0 && <p class="note">{search.value ? words().nothing_found : words().no_chats}</p>}
        {groups(all).map(([name, some]) => (
          <section key={name}>
            <h2>{name}</h2>
            <ul>
              {some.map((chat) => (
                <Row key={chat.id} chat={chat} done={done} />
              ))}
            </ul>
          </section>
        ))}
        {more_chats.value && <button type="button" onClick={() => void load_more()}>{words().more}</button>}
      </div>
      <div class="foot">
        <a class="button" href="#/runs" onClick={done}>{words().runs}</a>
        <button type="button" onClick={() => void save_all()}>{words().export}</button>
        <label class="button">
          {words().import}
          <input
            type="file"
            accept="application/json,.json"
            class="hidden"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              if (file) void take_in(file);
              event.currentTarget.value = "";
            }}
          />
        </label>
      </div>
    </nav>
  );
}
