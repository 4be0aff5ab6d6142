// The key that this tab asks with and, for an admin's, all the others.
import { useEffect, useState } from "preact/hooks";
import { api, key, type Key, type Keys } from "./api";
import { IconButton } from "./icons";
import { Example, Panel } from "./panels";
import { close_chat } from "./acts";
import { chats, key_was_wrong, load_chats, load_models, wants_key } from "./state";
import { words } from "./words";

function limits(one: Key): string {
  const said: [number | null, string][] = [
    [one.at_once, words().at_once],
    [one.per_minute, words().per_minute],
    [one.tokens_per_minute, words().tokens_per_minute],
  ];
  const out = said.filter(([value]) => value !== null).map(([value, name]) => `${value} ${name}`);
  if (one.admin) out.unshift(words().admin);
  return out.join(" · ") || words().no_limits;
}

function Others({ all, own, changed }: { all: Key[]; own: string; changed: () => Promise<void> }) {
  const [name, set_name] = useState("");
  const [rate, set_rate] = useState("");
  const [made, set_made] = useState("");
  const [wrong, set_wrong] = useState("");
  const [sure, set_sure] = useState(""); // which one is about to go
  const attempt = (work: () => Promise<void>): void =>
    void work()
      .then(() => (set_wrong(""), changed()))
      .catch((error: Error) => set_wrong(error.message || words().offline));
  return (
    <>
      {made && (
        <div role="status">
          <p>{words().key_once}</p>
          <Example name={words().key} text={made} />
        </div>
      )}
      <h3>{words().keys}</h3>
      <ul class="keys">
        {all.map((one) => (
          <li key={one.name}>
            <span>
              <strong>{one.name}</strong>
              <span class="note">{limits(one)}</span>
            </span>
            {one.name !== own &&
              (sure === one.name ? (
                <button type="button" class="bad" onClick={() => attempt(() => api.remove_key(one.name).then(() => set_sure("")))}>
                  {words().remove}
                </button>
              ) : (
                <IconButton name="trash" label={`${words().remove}: ${one.name}`} on={() => set_sure(one.name)} />
              ))}
          </li>
        ))}
      </ul>
      <form
        class="field"
        onSubmit={(event) => {
          event.preventDefault();
          attempt(async () => {
            const limit = rate ? { per_minute: Number(rate) } : {};
            set_made((await api.make_key({ name: name.trim(), ...limit })).key);
            set_name("");
            set_rate("");
          });
        }}
      >
        <label for="key-name">{words().key_name}</label>
        <input id="key-name" autocomplete="off" spellcheck={false} value={name} onInput={(event) => set_name(event.currentTarget.value)} />
        <label for="key-rate">{words().key_rate}</label>
        <input
          id="key-rate"
          type="number"
          min={1}
          step={1}
          value={rate}
          placeholder={words().no_limits}
          onInput={(event) => set_rate(event.currentTarget.value)}
        />
        <div class="row end">
          <button type="submit" class="gold" disabled={!name.trim()}>{words().key_new}</button>
        </div>
      </form>
      {wrong && <p class="bad" role="alert">{wrong}</p>}
    </>
  );
}

export function KeyPanel({ close }: { close: () => void }) {
  const [text, set_text] = useState("");
  const [keys, set_keys] = useState<Keys | null>(null);
  const look = (): Promise<void> => api.keys().then(set_keys).catch(() => set_keys(null));
  useEffect(() => {
    if (key.get() && !key_was_wrong.value) void look();
  }, []);
  const use = (value: string): void => {
    key.set(value);
    key_was_wrong.value = false;
    wants_key.value = false;
    close();
    close_chat(); // they are another key's
    chats.value = [];
    void load_models().then((well) => {
      if (!well) return;
      void load_chats();
      dispatchEvent(new HashChangeEvent("hashchange")); // what the address names is this key's
    });
  };
  return (
    <Panel title={words().key} close={close}>
      {keys?.key ? (
        <>
          <p>
            <strong>{keys.key.name}</strong> <span class="note">{limits(keys.key)}</span>
          </p>
          <button type="button" onClick={() => use("")}>{words().key_forget}</button>
          {keys.keys && <Others all={keys.keys} own={keys.key.name} changed={look} />}
        </>
      ) : (
        <>
          <p>{key_was_wrong.value ? words().key_wrong : words().key_wanted}</p>
          <form
            class="field"
            onSubmit={(event) => {
              event.preventDefault();
              use(text.trim());
            }}
          >
            <label for="key">{words().key}</label>
            <input id="key" type="password" autocomplete="off" spellcheck={false} value={text} onInput={(event) => set_text(event.currentTarget.value)} />
            <div class="row end">
              <button type="submit" class="gold" disabled={!text.trim()}>{words().key_use}</button>
            </div>
          </form>
          <p class="hint">{words().key_make}</p>
          <Example name="" text="jinlin serve --keys keys.txt --make-key NAME --admin" />
        </>
      )}
    </Panel>
  );
}
