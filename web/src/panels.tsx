// What opens beside the conversation: settings, and how programs use the server.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { key, type Settings } from "./api";
import { IconButton } from "./icons";
import { change_settings } from "./acts";
import { copy } from "./copy";
import { draft, model, models, open, trouble } from "./state";
import { words } from "./words";

export function Panel({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const place = useRef<HTMLDialogElement>(null);
  const pressed = useRef(false); // outside: a selection that ends there is no wish to close
  useEffect(() => {
    const dialog = place.current!;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={place}
      class="panel"
      aria-label={title}
      onClose={close}
      onPointerDown={(event) => (pressed.current = event.target === place.current)}
      onClick={(event) => {
        if (event.target === place.current && pressed.current) close();
      }}
    >
      <header>
        <h2>{title}</h2>
        <IconButton name="close" label={words().close} on={close} />
      </header>
      <div class="panel-body">{children}</div>
    </dialog>
  );
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}

function NumberField(props: {
  name: keyof Settings & ("temperature" | "min_p" | "top_p" | "top_k" | "repetition_penalty" | "max_tokens" | "thinking_budget" | "seed");
  label: string;
  hint?: string;
  whole?: boolean;
  least: number;
  most?: number;
  settings: Settings;
  usual?: number;
}) {
  const { name, settings } = props;
  const id = `setting-${name}`;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        step={props.whole ? 1 : "any"}
        min={props.least}
        max={props.most}
        value={settings[name] ?? ""}
        placeholder={props.usual === undefined ? words().usual : `${words().usual}: ${props.usual}`}
        onChange={(event) => {
          const next = { ...settings };
          const value = event.currentTarget.valueAsNumber;
          if (!event.currentTarget.reportValidity()) return;
          if (Number.isNaN(value)) delete next[name];
          else next[name] = value;
          void change_settings({ settings: next });
        }}
      />
      {props.hint && <p class="hint">{props.hint}</p>}
    </div>
  );
}

/** Kept when it is left, and when the panel closes over it. */
function SystemField({ system }: { system: string }) {
  const [text, set_text] = useState(system);
  const latest = useRef(text);
  latest.current = text;
  const keep = (): void => void (latest.current !== (open.value ?? draft.value).system && change_settings({ system: latest.current }));
  useEffect(() => keep, []);
  return (
    <textarea
      id="setting-system"
      rows={4}
      value={text}
      placeholder={words().system_hint}
      onInput={(event) => set_text(event.currentTarget.value)}
      onBlur={keep}
    />
  );
}

export function SettingsPanel({ close }: { close: () => void }) {
  const now = open.value ?? draft.value;
  const settings = now.settings;
  const thinks = settings.enable_thinking;
  return (
    <Panel title={words().settings} close={close}>
      <div class="field">
        <label for="setting-model">{words().model}</label>
        <select
          id="setting-model"
          value={model.value?.model}
          onChange={(event) => void change_settings({ model: event.currentTarget.value })}
        >
          {models.value.map((one) => (
            <option key={one.model} value={one.model}>
              {`${one.model} · ${size(one.weight_bytes)} · ${one.n_ctx} ${words().context}`}
            </option>
          ))}
        </select>
        {model.value && (
          <p class="hint">
            {`${words().memory}: ${size(model.value.weight_bytes)} ${words().of_weights}, ${size(model.value.cache_bytes)} ${words().of_cache}`}
            <br />
            {model.value.class}
          </p>
        )}
      </div>
      <div class="field">
        <label for="setting-system">{words().system}</label>
        <SystemField system={now.system} />
      </div>
      <NumberField name="temperature" label={words().temperature} hint={words().temperature_hint} least={0} most={5} settings={settings} usual={model.value?.sampling["temperature"]} />
      <NumberField name="min_p" label={words().min_p} hint={words().min_p_hint} least={0} most={1} settings={settings} usual={model.value?.sampling["min_p"]} />
      <NumberField name="max_tokens" label={words().max_tokens} whole least={1} settings={settings} />
      <div class="field">
        <label for="setting-think">{words().think}</label>
        <select
          id="setting-think"
          value={thinks === undefined ? "model" : thinks ? "on" : "off"}
          onChange={(event) => {
            const next = { ...settings };
            const value = event.currentTarget.value;
            if (value === "model") delete next.enable_thinking;
            else next.enable_thinking = value === "on";
            void change_settings({ settings: next });
          }}
        >
          <option value="model">{words().think_model}</option>
          <option value="on">{words().think_on}</option>
          <option value="off">{words().think_off}</option>
        </select>
      </div>
      <NumberField name="thinking_budget" label={words().budget} whole least={0} settings={settings} />
      <NumberField name="seed" label={words().seed} hint={words().seed_hint} whole least={0} settings={settings} />
      <details class="more">
        <summary>{words().more_settings}</summary>
        <NumberField name="top_p" label={words().top_p} hint={words().top_p_hint} least={0} most={1} settings={settings} usual={model.value?.sampling["top_p"]} />
        <NumberField name="top_k" label={words().top_k} hint={words().top_k_hint} whole least={0} settings={settings} usual={model.value?.sampling["top_k"]} />
        <NumberField name="repetition_penalty" label={words().repeat} hint={words().repeat_hint} least={0.05} settings={settings} usual={model.value?.sampling["repetition_penalty"]} />
      </details>
    </Panel>
  );
}

export function Example({ name, text }: { name: string; text: string }) {
  const [done, set_done] = useState(false);
  return (
    <div class="code">
      <div class="code-head">
        <span>{name}</span>
        <button
          type="button"
          onClick={() => {
            void copy(text).then((well) => {
              set_done(well);
              if (!well) trouble.value = words().not_copied;
            });
            setTimeout(() => set_done(false), 1500);
          }}
        >
          {done ? words().copied : words().copy}
        </button>
      </div>
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
    </div>
  );
}

export function ApiPanel({ close }: { close: () => void }) {
  const base = `${location.origin}/v1`;
  const id = model.value?.model ?? "model";
  const held = key.get() ? "jl-..." : "none";
  const said = words().examples[0]![1];
  return (
    <Panel title={words().api} close={close}>
      <p class="hint">{words().api_hint}</p>
      <Example
        name="curl"
        text={`curl ${base}/chat/completions \\\n  -H 'content-type: application/json'${key.get() ? ` \\\n  -H 'authorization: Bearer jl-...'` : ""} \\\n  -d '${JSON.stringify({ model: id, messages: [{ role: "user", content: said }] })}'`}
      />
      <Example
        name="Python"
        text={`from openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key="${held}")\nanswer = client.chat.completions.create(\n    model="${id}",\n    messages=[{"role": "user", "content": ${JSON.stringify(said)}}],\n)\nprint(answer.choices[0].message.content)`}
      />
      <Example
        name="JavaScript"
        text={`import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}", apiKey: "${held}" });\nconst answer = await client.chat.completions.create({\n  model: "${id}",\n  messages: [{ role: "user", content: ${JSON.stringify(said)} }],\n});\nconsole.log(answer.choices[0].message.content);`}
      />
    </Panel>
  );
}
