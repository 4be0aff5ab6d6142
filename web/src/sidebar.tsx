// The chats, by when they were last changed.
import { useState } from "preact/hooks";
import { api, type ChatHead } from "./api";
import { Icon, IconButton } from "./icons";
import { chats, load_chats, load_more, more_chats, open, remove, rename, search, trouble } from "./state";
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
  const here = open.value?.id === chat.id;
  if (mode === "rename")
    return (
      <li>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            set_mode("");
            void rename(chat.id, title.trim());
          }}
        >
          <input
            aria-label={words().rename}
            value={title}
            ref={(element) => element?.focus()}
            onInput={(event) => set_title(event.currentTarget.value)}
            onBlur={() => set_mode("")}
            onKeyDown={(event) => {
              if (event.key === "Escape") set_mode("");
            }}
          />
        </form>
      </li>
    );
  if (mode === "remove")
    return (
      <li class="sure">
        <span>{words().remove_sure}</span>
        <div class="row end">
          <button type="button" onClick={() => set_mode("")}>{words().cancel}</button>
          <button type="button" class="bad" onClick={() => void remove(chat.id)}>{words().remove}</button>
        </div>
      </li>
    );
  return (
    <li class={here ? "here" : ""}>
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

async function save_all(): Promise<void> {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await api.export());
  link.download = `jinlin-${new Date().toISOString().slice(0, 10)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function take_in(file: File): Promise<void> {
  try {
    const { chats: n } = await api.import(JSON.parse(await file.text()));
    await load_chats();
    trouble.value = `${n} ${words().imported}`;
  } catch (error) {
    trouble.value = (error as Error).message;
  }
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
        onInput={(event) => {
          search.value = event.currentTarget.value;
          void load_chats();
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
