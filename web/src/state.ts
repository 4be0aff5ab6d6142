// What the page knows: models, chats, the one that is open.
import { batch, computed, signal } from "@preact/signals";
import { api, type Chat, type ChatHead, key, type Message, type Model, Problem, type Settings } from "./api";

export const models = signal<Model[]>([]);
export const chats = signal<ChatHead[]>([]);
export const more_chats = signal(false);
export const search = signal("");
export const open = signal<Chat | null>(null);
/** The chat that the address names; "": none. What comes late for another one is not shown. */
export const wanted = signal("");
export const draft = signal<{ model: string; system: string; settings: Settings }>({ model: "", system: "", settings: {} });
export const waiting = signal<Record<string, { before: number; read: number; prompt: number }>>({});
export const sending = signal(false); // a question is on its way to the server
export const trouble = signal("");
export const wants_key = signal(false);
export const key_was_wrong = signal(false);

export const loading = computed(() => wanted.value !== "" && open.value?.id !== wanted.value);

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

export const children = computed(() => {
  const out = new Map<string | null, Message[]>();
  for (const message of open.value?.messages ?? []) {
    const list = out.get(message.parent);
    if (list) list.push(message);
    else out.set(message.parent, [message]);
  }
  return out;
});

/** Those that follow the same message, in order. */
export const versions = (message: Message): Message[] => (children.value.get(message.parent) ?? []).filter((one) => one.role === message.role);

export const running = computed<Message | undefined>(() => way.value.find((message) => message.status === "running"));

export const model = computed<Model | undefined>(() => {
  const id = open.value ? open.value.model : draft.value.model;
  return models.value.find((one) => one.model === id) ?? models.value[0];
});

export function show_trouble(error: unknown): void {
  if (error instanceof Problem && error.status === 401) {
    key_was_wrong.value = key.get() !== "";
    wants_key.value = true;
  } else {
    trouble.value = error instanceof Problem ? error.message || "offline" : error instanceof Error ? error.message : String(error);
  }
}

/** Whether it went well; trouble is shown, and stays until the person does something that goes well. */
export async function attempt(work: () => Promise<void>, quiet = false): Promise<boolean> {
  try {
    await work();
    if (!quiet || trouble.value === "offline") trouble.value = "";
    return true;
  } catch (error) {
    show_trouble(error);
    return false;
  }
}

export const load_models = (): Promise<boolean> =>
  attempt(async () => {
    models.value = await api.models();
  }, true);

export const load_chats = (): Promise<boolean> =>
  attempt(async () => {
    const text = search.value;
    const found = await api.chats(text);
    if (text !== search.value) return; // typed on meanwhile
    batch(() => {
      chats.value = found.chats;
      more_chats.value = found.more;
    });
  }, true);

export const load_more = (): Promise<boolean> =>
  attempt(async () => {
    const found = await api.chats(search.value, chats.value[chats.value.length - 1]);
    batch(() => {
      chats.value = [...chats.value, ...found.chats];
      more_chats.value = found.more;
    });
  });

export function change_message(id: string, change: (message: Message) => Message): void {
  const chat = open.value;
  if (!chat?.messages.some((message) => message.id === id)) return;
  open.value = { ...chat, messages: chat.messages.map((message) => (message.id === id ? change(message) : message)) };
}
