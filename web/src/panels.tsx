// What opens beside the conversation: settings, and how programs use the server.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { key, type Settings } from "./api";
import { IconButton } from "./icons";
import { copy } from "./message";
import { change_settings, draft, model, models, open } from "./state";
import { words } from "./words";

export function Panel({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const place = useRef<HTMLDialogElement>(null);
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
      onClick={(event) => {
        if (event.target === place.current) close();
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
  name: keyof Settings & ("temperature" | "min_p" | "max_tokens" | "thinking_budget" | "seed");
  label: string;
  hint?: string;
  step: number;
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
        step={props.step}
        min={props.least}
        max={props.most}
        value={settings[name] ?? ""}
        placeholder={props.usual === undefined ? words().usual : `${words().usual}: ${props.usual}`}
        onChange={(event) => {
          const next = { ...settings };
          const value = event.currentTarget.valueAsNumber;
          if (!event.currentTarget.validity.valid) return;
          if (Number.isNaN(value)) delete next[name];
          else next[name] = value;
          void change_settings({ settings: next });
        }}
      />
      {props.hint && <p class="hint">{props.hint}</p>}
    </div>
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
        <p class="hint">{model.value?.class}</p>
      </div>
      <div class="field">
        <label for="setting-system">{words().system}</label>
        <textarea
          id="setting-system"
          rows={4}
          value={now.system}
          placeholder={words().system_hint}
          onChange={(event) => void change_settings({ system: event.currentTarget.value })}
        />
      </div>
      <NumberField name="temperature" label={words().temperature} hint={words().temperature_hint} step={0.1} least={0} most={5} settings={settings} usual={model.value?.sampling["temperature"]} />
      <NumberField name="min_p" label={words().min_p} hint={words().min_p_hint} step={0.01} least={0} most={1} settings={settings} usual={model.value?.sampling["min_p"]} />
      <NumberField name="max_tokens" label={words().max_tokens} step={1} least={1} settings={settings} />
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
      <NumberField name="thinking_budget" label={words().budget} step={1} least={0} settings={settings} />
      <NumberField name="seed" label={words().seed} hint={words().seed_hint} step={1} least={0} settings={settings} />
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
            void copy(text).then(() => set_done(true));
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
