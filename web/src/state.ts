// What the page knows: chats, the one that is open, answers that are being written.
import { batch, computed, signal } from "@preact/signals";
import { api, type Chat, type ChatHead, key, type Message, type Model, Problem, type Settings, type TextFile, watch } from "./api";

export const models = signal<Model[]>([]);
export const chats = signal<ChatHead[]>([]);
export const more_chats = signal(false);
export const search = signal("");
export const open = signal<Chat | null>(null);
export const draft = signal<{ model: string; system: string; settings: Settings }>({ model: "", system: "", settings: {} });
export const waiting = signal<Record<string, { before: number; read: number; prompt: number }>>({});
export const trouble = signal("");
export const wants_key = signal(false);
export const key_was_wrong = signal(false);

/** The messages from the first to the one where the person is. */
export const way = computed<Message[]>(() => {
  const chat = open.value;
  if (!chat) return [];
  const known = new Map(chat.messages.map((message) => [message.id, message]));
  const out: Message[] = [];
  for (let id = chat.leaf; id; ) {
    const message = known.get(id);
    if (!message) break;
    out.push(message);
    id = message.parent;
  }
  return out.reverse();
});

export const running = computed<Message | undefined>(() => way.value.find((message) => message.status === "running"));

export const model = computed<Model | undefined>(() => {
  const id = open.value ? open.value.model : draft.value.model;
  return models.value.find((one) => one.model === id) ?? models.value[0];
});

/** Whether it went well; trouble is shown. */
export async function attempt(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    trouble.value = "";
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) {
      key_was_wrong.value = key.get() !== "";
      wants_key.value = true;
    } else {
      trouble.value = error instanceof Problem ? error.message || "offline" : String(error);
    }
    return false;
  }
}

export const load_models = (): Promise<boolean> =>
  attempt(async () => {
    models.value = await api.models();
  });

export const load_chats = (): Promise<boolean> =>
  attempt(async () => {
    const wanted = search.value;
    const found = await api.chats(wanted, 0);
    if (wanted !== search.value) return; // typed on meanwhile
    batch(() => {
      chats.value = found.chats;
      more_chats.value = found.more;
    });
  });

export const load_more = (): Promise<boolean> =>
  attempt(async () => {
    const last = chats.value[chats.value.length - 1];
    const found = await api.chats(search.value, last?.changed ?? 0);
    batch(() => {
      chats.value = [...chats.value, ...found.chats];
      more_chats.value = found.more;
    });
  });

function change_message(id: string, change: (message: Message) => Message): void {
  const chat = open.value;
  if (!chat?.messages.some((message) => message.id === id)) return;
  open.value = { ...chat, messages: chat.messages.map((message) => (message.id === id ? change(message) : message)) };
}

// ---- answers that are being written ----

const watched = new Map<string, AbortController>();

async function follow(chat: string, answer: string): Promise<void> {
  if (watched.has(answer)) return;
  const control = new AbortController();
  let over = false;
  let held = { content: "", reasoning: "" };
  let frame = 0;
  const flush = (): void => {
    frame = 0;
    const now = held;
    held = { content: "", reasoning: "" };
    if (now.content || now.reasoning)
      change_message(answer, (message) => ({
        ...message,
        content: message.content + now.content,
        reasoning: message.reasoning + now.reasoning,
      }));
  };
  watched.set(answer, control);
  try {
    await watch(
      answer,
      (event) => {
        if (event.waiting) waiting.value = { ...waiting.value, [answer]: event.waiting };
        held = { content: held.content + (event.content ?? ""), reasoning: held.reasoning + (event.reasoning ?? "") };
        if (event.state) {
          held = { content: "", reasoning: "" };
          over = event.state.status !== "running";
          change_message(answer, () => event.state!);
        } else if (!frame) {
          frame = requestAnimationFrame(flush); // several tokens a frame are one change
        }
      },
      control.signal,
    );
  } catch (error) {
    over = control.signal.aborted;
    if (!over && !(error instanceof Problem && error.status === 404)) trouble.value = "offline";
  }
  cancelAnimationFrame(frame);
  watched.delete(answer);
  if (over) {
    void load_chats();
    return;
  }
  // It ended before we looked, or the server did: what is kept says how it stands.
  await new Promise((resolve) => setTimeout(resolve, 300));
  if (open.value?.id === chat) await open_chat(chat);
}

export async function open_chat(id: string): Promise<boolean> {
  return attempt(async () => {
    const chat = await api.chat(id);
    open.value = chat;
    for (const message of chat.messages) if (message.status === "running") void follow(id, message.id);
  });
}

export function close_chat(): void {
  for (const control of watched.values()) control.abort(); // the server goes on
  open.value = null;
}

// ---- what is said ----

async function need_chat(): Promise<Chat> {
  if (open.value) return open.value;
  const head = await api.create({ ...draft.value, model: model.value?.model ?? "" });
  const chat: Chat = { ...head, messages: [] };
  open.value = chat;
  history.pushState(null, "", `#/chat/${chat.id}`);
  return chat;
}

/** A question behind `parent`; undefined: where the person is. */
export const say = (content: string, files: TextFile[], parent?: string | null): Promise<boolean> =>
  attempt(async () => {
    const chat = await need_chat();
    const { said, answer } = await api.say(chat.id, { content, files, parent: parent === undefined ? chat.leaf : parent });
    const now = open.value;
    if (now?.id !== chat.id) return;
    open.value = { ...now, title: now.title || content.trim().split("\n")[0]!, leaf: answer.id, messages: [...now.messages, said, answer] };
    void follow(chat.id, answer.id);
    void load_chats();
  });

export const answer_again = (question: string): Promise<boolean> =>
  attempt(async () => {
    const chat = open.value!;
    const { answer } = await api.again(chat.id, question);
    const now = open.value;
    if (now?.id !== chat.id) return;
    open.value = { ...now, leaf: answer.id, messages: [...now.messages, answer] };
    void follow(chat.id, answer.id);
  });

export const stop = (): Promise<boolean> =>
  attempt(async () => {
    if (running.value) await api.stop(running.value.id);
  });

/** Those that follow the same message, in order. */
export function versions(message: Message): Message[] {
  return (open.value?.messages ?? []).filter((one) => one.parent === message.parent && one.role === message.role);
}

/** Goes to another version, and to the newest of what follows it. */
export const go_to = (message: Message): Promise<boolean> =>
  attempt(async () => {
    const chat = open.value!;
    let leaf = message;
    for (;;) {
      const next = chat.messages.filter((one) => one.parent === leaf.id);
      if (!next.length) break;
      leaf = next[next.length - 1]!;
    }
    open.value = { ...chat, leaf: leaf.id };
    await api.change(chat.id, { leaf: leaf.id });
  });

// ---- chats ----

export const rename = (id: string, title: string): Promise<boolean> =>
  attempt(async () => {
    await api.change(id, { title });
    if (open.value?.id === id) open.value = { ...open.value, title };
    await load_chats();
  });

export const remove = (id: string): Promise<boolean> =>
  attempt(async () => {
    await api.remove(id);
    if (open.value?.id === id) location.hash = "#/";
    await load_chats();
  });

/** Of the open chat, or of the next one. */
export const change_settings = (fields: { model?: string; system?: string; settings?: Settings }): Promise<boolean> =>
  attempt(async () => {
    draft.value = { ...draft.value, ...fields };
    const chat = open.value;
    if (!chat) return;
    open.value = { ...chat, ...fields };
    await api.change(chat.id, fields);
  });
