// What is done with chats: opening, saying, going from version to version, renaming, removing.
import { batch } from "@preact/signals";
import { api, type Chat, type Message, type Settings, type TextFile } from "./api";
import { follow, forget_all, take_chat } from "./follow";
import { attempt, children, draft, load_chats, model, models, open, running, sending, wanted } from "./state";

// ---- the open chat ----

export function open_chat(id: string): Promise<boolean> {
  wanted.value = id;
  return attempt(async () => take_chat(await api.chat(id)));
}

export function close_chat(): void {
  forget_all(); // the server goes on
  wanted.value = "";
  open.value = null;
}

// ---- what is said ----

/** The open chat, or a new one: opened, unless the person has gone elsewhere meanwhile. */
async function need_chat(): Promise<Chat> {
  if (open.value) return open.value;
  const place = wanted.value;
  const head = await api.create({ ...draft.value, model: model.value?.model ?? "" });
  const chat: Chat = { ...head, messages: [] };
  if (wanted.value !== place || open.value) return chat;
  batch(() => {
    wanted.value = chat.id;
    open.value = chat;
  });
  history.pushState(null, "", `#/chat/${chat.id}`);
  return chat;
}

/** A chat whose model is not served any more goes on with one that is. */
async function need_model(chat: Chat): Promise<void> {
  const now = models.value[0];
  if (!now || models.value.some((one) => one.model === chat.model)) return;
  await api.change(chat.id, { model: now.model });
  if (open.value?.id === chat.id) open.value = { ...open.value, model: now.model };
}

/** One question at a time: whoever presses twice is not heard twice. */
async function send(work: () => Promise<void>): Promise<boolean> {
  if (sending.value) return false;
  sending.value = true;
  try {
    return await attempt(work);
  } finally {
    sending.value = false;
  }
}

/** What came of it: where the server did not answer, whether it has the question all the same. */
async function after_failure(chat: Chat, content: string): Promise<boolean> {
  const now = await api.chat(chat.id).catch(() => null);
  if (!now) return false;
  take_chat(now);
  const known = new Set(chat.messages.map((one) => one.id));
  return now.messages.some((one) => !known.has(one.id) && one.role === "user" && one.content === content);
}

/** A question behind `parent`; undefined: where the person is. True: it need not be said again. */
export async function say(content: string, files: TextFile[], parent?: string | null): Promise<boolean> {
  let kept = false;
  const well = await send(async () => {
    const chat = await need_chat();
    try {
      await need_model(chat);
      const { said, answer } = await api.say(chat.id, { content, files, parent: parent === undefined ? chat.leaf : parent });
      const now = open.value;
      if (now?.id === chat.id) {
        open.value = { ...now, title: now.title || content.trim().split("\n")[0]!, leaf: answer.id, messages: [...now.messages, said, answer] };
        void follow(chat.id, answer.id);
      }
      void load_chats();
    } catch (error) {
      kept = await after_failure(chat, content);
      throw error;
    }
  });
  return well || kept;
}

export const answer_again = (question: string): Promise<boolean> =>
  send(async () => {
    const chat = open.value!;
    await need_model(chat);
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

/** Goes to another version, and to the newest of what follows it. */
export const go_to = (message: Message): Promise<boolean> =>
  attempt(async () => {
    const chat = open.value!;
    let leaf = message;
    for (let next; (next = children.value.get(leaf.id)); ) leaf = next[next.length - 1]!;
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
    if (wanted.value === id) location.hash = "#/";
    await load_chats();
  });

/** Of the open chat, or of the next new one. */
export const change_settings = (fields: { model?: string; system?: string; settings?: Settings }): Promise<boolean> =>
  attempt(async () => {
    const chat = open.value;
    if (!chat) {
      draft.value = { ...draft.value, ...fields };
      return;
    }
    open.value = { ...chat, ...fields };
    await api.change(chat.id, fields);
  });
