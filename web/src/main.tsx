// The page: chats at the left, the conversation, and what opens beside it.
import { render } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { key } from "./api";
import { Composer } from "./composer";
import { IconButton } from "./icons";
import { KeyPanel } from "./keys";
import { MessageView } from "./message";
import { ApiPanel, SettingsPanel } from "./panels";
import { Runs } from "./runs";
import { Sidebar } from "./sidebar";
import { close_chat, open_chat, say, stop } from "./acts";
import { load_chats, load_models, loading, model, open, running, sending, trouble, wanted, wants_key, way } from "./state";
import "./style.css";
import { choose_tongue, tongue, words } from "./words";

const SHOWN = 80; // messages at once; earlier ones come when they are wanted

/** Says to a screen reader, once, what was answered. */
function Announcer() {
  const [text, set_text] = useState("");
  const last = way.value[way.value.length - 1];
  const live = useRef("");
  useEffect(() => {
    if (last?.status === "running") live.current = last.id;
    else if (last && live.current === last.id) {
      live.current = "";
      set_text(`${words().answered}: ${last.content}`);
    }
  }, [last?.id, last?.status]);
  return (
    <p class="hidden" role="status">
      {text}
    </p>
  );
}

function Conversation() {
  const all = way.value;
  const [first, set_first] = useState(() => Math.max(0, way.value.length - SHOWN));
  const [away, set_away] = useState(false); // from the end
  const place = useRef<HTMLDivElement>(null);
  const stuck = useRef(true); // at the end, and to stay there
  const kept = useRef(0); // how far from the end it is to stay
  const last = all[all.length - 1];
  const question = [...all].reverse().find((message) => message.role === "user");
  useLayoutEffect(() => {
    stuck.current = true; // who says something looks at what comes of it
  }, [question?.id]);
  const to_end = (): void => {
    place.current!.scrollTop = place.current!.scrollHeight;
  };
  useLayoutEffect(() => {
    if (stuck.current) to_end();
  }, [last?.id, last?.content, last?.reasoning, last?.status]);
  useLayoutEffect(() => {
    if (!stuck.current) place.current!.scrollTop = place.current!.scrollHeight - kept.current;
  }, [first]);
  const from = Math.min(first, Math.max(0, all.length - SHOWN));
  return (
    <div class="around">
      <div
        class="conversation"
        ref={place}
        role="log"
        aria-live="off"
        tabIndex={0}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          stuck.current = scrollHeight - scrollTop - clientHeight < 60;
          set_away(!stuck.current);
        }}
      >
        {from > 0 && (
          <button
            type="button"
            class="earlier"
            onClick={() => {
              stuck.current = false;
              kept.current = place.current!.scrollHeight - place.current!.scrollTop;
              set_first(Math.max(0, from - SHOWN));
            }}
          >
            {words().earlier}
          </button>
        )}
        {all.slice(from).map((message) => (
          <MessageView key={message.id} message={message} />
        ))}
      </div>
      {away && <IconButton name="down" label={words().to_end} class="to-end" on={to_end} />}
      <Announcer />
    </div>
  );
}

function Welcome() {
  const fry = model.value?.model === "fry";
  const examples = fry ? words().examples : words().examples_other;
  return (
    <div class="welcome">
      <img src="/icon.svg" alt="" width="72" height="72" />
      <h1>{words().ask_first}</h1>
      {model.value && (
        <p>
          <strong>{model.value.model}</strong> — {fry ? words().about_fry : words().about_model}
        </p>
      )}
      <div class="examples">
        {examples.map(([name, text]) => (
          <button type="button" key={name} disabled={sending.value} onClick={() => void say(text, [])}>
            <span>{name}</span>
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}

type Theme = "" | "light" | "dark";

function use_theme(): () => void {
  const system = useMemo(() => matchMedia("(prefers-color-scheme: dark)"), []);
  const [theme, set_theme] = useState<Theme>((localStorage.getItem("jinlin-theme") as Theme | null) ?? "");
  const [by_system, set_by_system] = useState(system.matches);
  const dark = theme ? theme === "dark" : by_system;
  useEffect(() => {
    const follow = (): void => set_by_system(system.matches);
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, [system]);
  useLayoutEffect(() => {
    document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  }, [dark]);
  return () => {
    const next = dark ? "light" : "dark";
    localStorage.setItem("jinlin-theme", next);
    set_theme(next);
  };
}

function App() {
  const [panel, set_panel] = useState<"" | "settings" | "api" | "key">("");
  const [menu, set_menu] = useState(false);
  const [runs, set_runs] = useState<string | null>(null); // which one; "": the list
  const turn_theme = use_theme();
  useEffect(() => {
    const route = (): void => {
      const found = /^#\/chat\/([a-z0-9]+)$/.exec(location.hash);
      const training = /^#\/runs(?:\/(\d+))?$/.exec(location.hash);
      trouble.value = "";
      set_runs(training ? (training[1] ?? "") : null);
      if (!found) close_chat();
      else if (wanted.value !== found[1]) {
        close_chat();
        void open_chat(found[1]!);
      }
      if (!matchMedia("(pointer: coarse)").matches) document.getElementById("composer")?.focus(); // no keyboard over a phone's page
    };
    void load_models().then((well) => {
      if (!well) return;
      void load_chats();
      route();
    });
    addEventListener("hashchange", route);
    return () => removeEventListener("hashchange", route);
  }, []);
  useEffect(() => {
    const on = (event: KeyboardEvent): void => {
      if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        set_menu(true);
        requestAnimationFrame(() => document.querySelector<HTMLInputElement>(".sidebar input[type=search]")?.focus());
      } else if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.key.toLowerCase() === "o") {
        event.preventDefault();
        location.hash = "#/";
      } else if (event.key === "Escape" && menu) {
        set_menu(false);
        document.querySelector<HTMLElement>('[data-name="menu"]')?.focus();
      } else if (event.key === "Escape" && running.value && !document.querySelector("dialog[open]")) {
        void stop();
      } else if (event.key === "/" && !typing) {
        event.preventDefault();
        document.getElementById("composer")?.focus();
      }
    };
    addEventListener("keydown", on);
    return () => removeEventListener("keydown", on);
  }, [menu]);
  useEffect(() => {
    document.title = open.value?.title ? `${open.value.title} · Jinlin` : "Jinlin 金鳞";
  }, [open.value?.title]);
  const asks_key = wants_key.value;
  return (
    <>
      <Sidebar shown={menu} done={() => set_menu(false)} />
      {menu && <div class="veil" onClick={() => set_menu(false)} />}
      <main>
        <header class="top">
          <IconButton name="menu" label={words().menu} class="only-small" expanded={menu} on={() => set_menu(!menu)} />
          <button type="button" class="model" onClick={() => set_panel("settings")}>
            {model.value?.model ?? "…"}
          </button>
          <span class="space" />
          <button type="button" class="plain" lang={tongue.value === "zh" ? "en" : "zh"} onClick={() => choose_tongue(tongue.value === "zh" ? "en" : "zh")}>
            {words().language}
          </button>
          <IconButton name="sun" label={words().theme} on={turn_theme} />
          <IconButton name="code" label={words().api} on={() => set_panel("api")} />
          {(key.get() || asks_key) && <IconButton name="key" label={words().key} on={() => set_panel("key")} />}
          <IconButton name="gear" label={words().settings} on={() => set_panel("settings")} />
        </header>
        {runs !== null ? (
          <Runs id={runs} />
        ) : way.value.length ? (
          <Conversation key={open.value!.id} />
        ) : loading.value ? (
          <p class="welcome note pulse">{words().loading}</p>
        ) : (
          <Welcome />
        )}
        {trouble.value && (
          <p class="trouble" role="alert">
            {trouble.value === "offline" ? words().offline : trouble.value}
            <IconButton name="close" label={words().close} on={() => (trouble.value = "")} />
          </p>
        )}
        {runs === null && <Composer />}
      </main>
      {panel === "settings" && <SettingsPanel close={() => set_panel("")} />}
      {panel === "api" && <ApiPanel close={() => set_panel("")} />}
      {(panel === "key" || asks_key) && (
        <KeyPanel
          close={() => {
            set_panel("");
            wants_key.value = false;
          }}
        />
      )}
    </>
  );
}

document.documentElement.lang = tongue.value;
render(<App />, document.getElementById("app")!);
