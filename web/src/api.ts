// What the page asks of its server. A key, where the server wants one, stays in this tab.

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens: number };
  completion_tokens_details?: { reasoning_tokens: number };
}

export interface Facts {
  ms?: number;
  first_ms?: number;
  thought_ms?: number;
  usage?: Usage;
}

export interface TextFile {
  name: string;
  text: string;
}

export type Status = "done" | "running" | "stopped" | "length" | "cut" | "error";

export interface Message {
  id: string;
  parent: string | null;
  role: "user" | "assistant";
  content: string;
  reasoning: string;
  files: TextFile[];
  model: string;
  status: Status;
  error: string;
  facts: Facts;
  created: number;
}

export interface Settings {
  temperature?: number;
  top_p?: number;
  top_k?: number;
  repetition_penalty?: number;
  min_p?: number;
  max_tokens?: number;
  seed?: number;
  enable_thinking?: boolean;
  thinking_budget?: number;
}

export interface ChatHead {
  id: string;
  title: string;
  model: string;
  system: string;
  settings: Settings;
  leaf: string | null;
  created: number;
  changed: number;
}

export interface Chat extends ChatHead {
  messages: Message[];
}

export interface Model {
  model: string;
  n_ctx: number;
  n_vocab: number;
  class: string;
  dialect: string;
  chat_template: string | null;
  sampling: Record<string, number>;
  weight_bytes: number;
  cache_bytes: number; // of all conversations, when full
  version: string;
}

export interface Key {
  name: string;
  at_once: number | null;
  per_minute: number | null;
  tokens_per_minute: number | null;
  admin: boolean;
}

export interface Keys {
  asked: boolean;
  key: Key | null;
  keys: Key[] | null; // for an admin
}

export interface RunHead {
  id: number;
  name: string;
  state: string;
  error: string | null;
  folder: string;
  class: string;
  parameters: number;
  active: number;
  step: number;
  steps: number;
  level: string;
  cpu: string;
  loss: number | null;
  held_out: number | null;
  tokens_per_second: number | null;
  share_of_peak: number | null;
  seconds: number;
  tokens: number;
}

export interface Run extends RunHead {
  recipe: string;
  samples: { step: number; prompt: string; text: string }[];
  events: { step: number; time: number | null; kind: string; text: string }[];
  curves: Record<string, [number, number | null][]>;
}

const KEY = "jinlin-key";

export const key = {
  get: (): string => sessionStorage.getItem(KEY) ?? "",
  set: (value: string): void => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

export class Problem extends Error {
  constructor(
    public status: number,
    message: string,
  ) {
    super(message);
  }
}

async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {};
  if (key.get()) headers["authorization"] = `Bearer ${key.get()}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "");
  }
  if (response.ok) return response;
  let message = response.statusText;
  try {
    message = ((await response.json()) as { error: { message: string } }).error.message;
  } catch {
    // not ours: the status says enough
  }
  throw new Problem(response.status, message);
}

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  return (await ask(method, path, body)).json() as Promise<T>;
}

const at = (id: string): string => `/api/chats/${encodeURIComponent(id)}`;

export const api = {
  models: async (): Promise<Model[]> => (await json<{ models: Model[] }>("GET", "/props")).models,
  /** The newest; or those behind `after`. */
  chats: (search: string, after?: ChatHead): Promise<{ chats: ChatHead[]; more: boolean }> =>
    json("GET", `/api/chats?search=${encodeURIComponent(search)}${after ? `&before=${after.changed}&id=${after.id}` : ""}`),
  create: (fields: Partial<ChatHead>): Promise<ChatHead> => json("POST", "/api/chats", fields),
  chat: (id: string): Promise<Chat> => json("GET", at(id)),
  change: (id: string, fields: Partial<ChatHead>): Promise<unknown> => json("PATCH", at(id), fields),
  remove: (id: string): Promise<unknown> => json("DELETE", at(id)),
  say: (id: string, fields: { parent: string | null; content: string; files: TextFile[] }) =>
    json<{ said: Message; answer: Message }>("POST", `${at(id)}/messages`, fields),
  again: (id: string, parent: string) => json<{ answer: Message }>("POST", `${at(id)}/answers`, { parent }),
  stop: (answer: string): Promise<unknown> => json("POST", `/api/answers/${encodeURIComponent(answer)}/stop`, {}),
  export: (): Promise<Blob> => ask("GET", "/api/export").then((response) => response.blob()),
  keys: (): Promise<Keys> => json("GET", "/api/keys"),
  make_key: (fields: Partial<Key>): Promise<{ name: string; key: string }> => json("POST", "/api/keys", fields),
  remove_key: (name: string): Promise<unknown> => json("DELETE", `/api/keys/${encodeURIComponent(name)}`),
  runs: async (): Promise<RunHead[]> => (await json<{ runs: RunHead[] }>("GET", "/api/runs")).runs,
  run: (id: string): Promise<Run> => json("GET", `/api/runs/${encodeURIComponent(id)}`),
  import: (chats: unknown): Promise<{ chats: number }> => json("POST", "/api/import", chats),
};

export interface Event {
  state?: Message;
  facts?: Facts;
  content?: string;
  reasoning?: string;
  waiting?: { before: number; read: number; prompt: number };
}

const SILENCE = 30_000; // the server says something every ten seconds: a connection that is silent is dead

/** The events of an answer until it, or the connection, ends. Throws a Problem of status 404 where it is over. */
export async function watch(answer: string, on: (event: Event) => void, signal: AbortSignal): Promise<void> {
  const response = await ask("GET", `/api/answers/${encodeURIComponent(answer)}`, undefined, signal);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined), { once: true });
  let held = "";
  for (;;) {
    const silent = setTimeout(() => void reader.cancel(), SILENCE);
    const { done, value } = await reader.read().finally(() => clearTimeout(silent));
    if (done) return;
    held += value;
    const lines = held.split("\n");
    held = lines.pop()!;
    for (const line of lines) if (line.startsWith("data: ")) on(JSON.parse(line.slice(6)) as Event);
  }
}
