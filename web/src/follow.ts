// Answers that are being written, by the server: the page looks on, and looks again when the connection
// was lost, until what is kept says how the answer ended.
import { api, type Chat, Problem, watch } from "./api";
import { change_message, load_chats, open, show_trouble, trouble, waiting, wanted } from "./state";

const followed = new Map<string, AbortController>();

export function forget_all(): void {
  for (const control of followed.values()) control.abort();
  followed.clear();
}

/** What the server keeps of a chat. An answer that is followed is further on than what is kept. */
export function take_chat(chat: Chat): void {
  if (wanted.value !== chat.id) return;
  const now = open.value?.id === chat.id ? open.value : null;
  const live = new Map(now?.messages.filter((one) => followed.has(one.id)).map((one) => [one.id, one]));
  open.value = { ...chat, messages: chat.messages.map((one) => live.get(one.id) ?? one) };
  for (const message of chat.messages) if (message.status === "running") void follow(chat.id, message.id);
}

const SLOW = 20_000; // characters; longer answers are shown anew ten times a second

/** Gathers what comes, to be shown once a frame. */
class Gathering {
  private content = "";
  private reasoning = "";
  private timer = 0;
  private shown = 0;
  constructor(private answer: string) {}

  add(content = "", reasoning = ""): void {
    this.content += content;
    this.reasoning += reasoning;
    if (!this.timer) this.timer = window.setTimeout(() => this.show(), this.shown > SLOW ? 100 : 16);
  }

  show(): void {
    this.timer = 0;
    const { content, reasoning } = this;
    this.content = this.reasoning = "";
    if (!content && !reasoning) return;
    change_message(this.answer, (message) => {
      this.shown = message.content.length + message.reasoning.length;
      return { ...message, content: message.content + content, reasoning: message.reasoning + reasoning };
    });
  }

  drop(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.content = this.reasoning = "";
  }
}

type Outcome = "over" | "gone" | "lost";

/** Looks on until the answer or the connection ends. */
async function look_on(answer: string, signal: AbortSignal): Promise<Outcome> {
  const gathering = new Gathering(answer);
  let over = false;
  try {
    await watch(
      answer,
      (event) => {
        if (signal.aborted) return;
        if (event.waiting) waiting.value = { ...waiting.value, [answer]: event.waiting };
        if (event.state) {
          gathering.drop();
          over = event.state.status !== "running";
          change_message(answer, () => event.state!);
        } else if (event.facts) {
          change_message(answer, (message) => ({ ...message, facts: event.facts! }));
        } else if (event.content || event.reasoning) {
          gathering.add(event.content, event.reasoning);
        }
      },
      signal,
    );
    if (!over) gathering.show();
  } catch (error) {
    if (!signal.aborted && error instanceof Problem && error.status === 404) return "gone";
    if (!signal.aborted && error instanceof Problem && error.status) show_trouble(error);
  } finally {
    gathering.drop();
  }
  return over ? "over" : "lost";
}

/** A pause, shorter where the network or the tab comes back. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", seen);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const seen = (): void => void (document.visibilityState === "visible" && done());
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", seen);
    signal.addEventListener("abort", done);
  });
}

/** What the server keeps of the answer: "over" where that is its end. `gone`: it is not being written. */
async function look_up(chat: string, answer: string, gone: boolean): Promise<Outcome> {
  try {
    const kept = await api.chat(chat);
    const message = kept.messages.find((one) => one.id === answer);
    if (trouble.value === "offline") trouble.value = "";
    if (message?.status === "running" && !gone) return "lost";
    followed.delete(answer); // what is kept now counts
    if (open.value?.id !== chat) return "over";
    // Kept as being written by nobody: its end could not be kept.
    if (message?.status === "running") change_message(answer, (one) => ({ ...one, status: "cut" }));
    else take_chat(kept);
    return "over";
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return "over"; // the chat is gone
    show_trouble(error);
    return "lost";
  }
}

export async function follow(chat: string, answer: string): Promise<void> {
  if (followed.has(answer)) return;
  const control = new AbortController();
  followed.set(answer, control);
  let outcome: Outcome = "lost";
  for (let ms = 300; ; ms = Math.min(2 * ms, 10_000)) {
    outcome = await look_on(answer, control.signal);
    if (outcome === "over" || control.signal.aborted) break;
    await pause(ms, control.signal);
    if (control.signal.aborted) break;
    outcome = await look_up(chat, answer, outcome === "gone");
    if (outcome === "over" || control.signal.aborted) break;
  }
  if (followed.get(answer) === control) followed.delete(answer);
  if (!control.signal.aborted) void load_chats();
}
