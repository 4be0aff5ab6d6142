// Trainings of the user that the server runs as: all of them, and the curves and samples of one.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { api, type Run, type RunHead } from "./api";
import { attempt } from "./state";
import { tongue, words } from "./words";

const EVERY_MS = 4000; // while one is at work and somebody looks
const SAMPLES = 12;

const list = signal<RunHead[] | null>(null);
const one = signal<Run | null>(null);

/** Looks at once, and again while `live` says so. */
function use_looking(look: () => Promise<boolean>, live: () => boolean, id: string): void {
  useEffect(() => {
    void look();
    const timer = setInterval(() => {
      if (live() && document.visibilityState === "visible") void look();
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [id]);
}

function number(value: number | null, digits = 3): string {
  if (value === null) return "–";
  const whole = Math.abs(value) >= 1000;
  return value.toLocaleString(tongue.value, whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits });
}

function time(seconds: number): string {
  const at = (unit: number, name: string): string => {
    const value = Math.round((10 * seconds) / unit) / 10;
    return `${value.toLocaleString(tongue.value)} ${name}`;
  };
  if (seconds >= 7200) return at(3600, words().hours);
  return seconds >= 120 ? at(60, words().minutes) : at(1, words().seconds);
}

function State({ run }: { run: RunHead }) {
  const known = words().run_states as Record<string, string>;
  return <span class={`state ${run.state}`}>{known[run.state] ?? run.state}</span>;
}

function List() {
  use_looking(() => attempt(async () => void (list.value = await api.runs())), () => true, "");
  if (!list.value) return null;
  return (
    <>
      <h1>{words().runs}</h1>
      {list.value.length === 0 && <p class="note">{words().no_runs}</p>}
      <ul class="run-list">
        {list.value.map((run) => (
          <li key={run.id}>
            <a href={`#/runs/${run.id}`}>
              <strong>{run.name}</strong> <State run={run} />
              <span class="note">
                {`${words().step} ${number(run.step)} / ${number(run.steps)} · ${words().curves.loss} ${number(run.held_out ?? run.loss)} · ${number(run.tokens_per_second)} ${words().tokens_a_second}`}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Round numbers within a span. */
function ticks(low: number, high: number): number[] {
  if (!(high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high)))) return [low]; // flat but for rounding
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((by) => by * power >= rough) ?? 10);
  const out: number[] = [];
  for (let at = Math.ceil(low / step); at * step <= high && out.length < 20; at++) out.push(at * step);
  return out;
}

type Points = [number, number | null][];

function Curve({ name, points, marks }: { name: string; points: Points; marks: Points }) {
  const [at, set_at] = useState<[number, number] | null>(null);
  const real = (some: Points): [number, number][] => some.filter((point): point is [number, number] => point[1] !== null);
  const line = real(points);
  const dots = real(marks);
  const all = [...line, ...dots];
  if (all.length < 2) return null;
  const [wide, tall, left, below] = [640, 240, 56, 24];
  const [x0, x1] = [Math.min(...all.map(([x]) => x)), Math.max(...all.map(([x]) => x))];
  // What begins a training is far above the rest: the curve is cut there, not squeezed.
  const sorted = all.map(([, y]) => y).sort((a, b) => a - b);
  const cut = sorted[Math.floor(0.98 * (sorted.length - 1))]!;
  const low = sorted[0]!;
  const high = cut > low ? cut + 0.15 * (cut - low) : low + Math.abs(low || 1) * 0.1;
  const x = (value: number): number => left + ((value - x0) / (x1 - x0 || 1)) * (wide - left - 8);
  const y = (value: number): number => 8 + (1 - (Math.min(value, high) - low) / (high - low)) * (tall - below - 8);
  const last = line[line.length - 1] ?? dots[dots.length - 1]!;
  const shown = at ?? last;
  return (
    <figure class="curve">
      <figcaption>
        {name}
        <span class="note">{`${words().step} ${number(shown[0])}: ${number(shown[1])}`}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${wide} ${tall}`}
        role="img"
        aria-label={`${name}: ${number(low)} – ${number(high)}, ${words().step} ${number(last[0])}: ${number(last[1])}`}
        onPointerLeave={() => set_at(null)}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const wanted = ((event.clientX - box.left) / box.width) * wide;
          const from = line.length ? line : dots;
          set_at(from.reduce((best, point) => (Math.abs(x(point[0]) - wanted) < Math.abs(x(best[0]) - wanted) ? point : best)));
        }}
      >
        {ticks(low, high).map((value) => (
          <g key={value}>
            <line class="grid" x1={left} x2={wide - 8} y1={y(value)} y2={y(value)} />
            <text x={left - 6} y={y(value) + 4} text-anchor="end">{number(value)}</text>
          </g>
        ))}
        {ticks(x0, x1).map((value) => (
          <text key={value} x={x(value)} y={tall - 6} text-anchor="middle">{number(value)}</text>
        ))}
        <polyline points={line.map((point) => `${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`).join(" ")} />
        {dots.map((point) => (
          <circle key={point[0]} class="held" cx={x(point[0])} cy={y(point[1])} r="3.5" />
        ))}
        {at && <circle class="here" cx={x(at[0])} cy={y(at[1])} r="4.5" />}
      </svg>
    </figure>
  );
}

function One({ id }: { id: string }) {
  use_looking(
    () => attempt(async () => void (one.value = await api.run(id))),
    () => one.value?.state === "running",
    id,
  );
  const run = one.value;
  if (!run || String(run.id) !== id) return null;
  const names = words().curves;
  const first = run.curves.loss?.[0]?.[0] ?? 1; // a run may have gone on from another's steps
  const a_step = run.seconds / Math.max(1, run.step - first + 1);
  const left = run.state === "running" ? a_step * Math.max(0, run.steps - run.step) : 0;
  const facts: [string, string][] = [
    [words().step, `${number(run.step)} / ${number(run.steps)}`],
    [names.loss, number(run.loss, 4)],
    [names.held_out, number(run.held_out, 4)],
    [words().tokens_a_second, number(run.tokens_per_second)],
    [names.share, run.share_of_peak === null ? "–" : `${number(100 * run.share_of_peak, 2)} %`],
    [words().tokens_all, number(run.tokens)],
    [words().took, time(run.seconds)],
    ...(left ? ([[words().left, time(left)]] as [string, string][]) : []),
    [words().parameters, run.active < run.parameters ? `${number(run.parameters)} (${number(run.active)} ${words().a_token})` : number(run.parameters)],
  ];
  const order = ["reward", "right", "loss", "held_out", "length", "entropy", "alike", "cut", "kl", "clipped", "tokens", "drawn", "learned", "rate", "norm", "load", "share"] as const;
  return (
    <>
      <p><a href="#/runs">{words().runs}</a></p>
      <h1>{run.name} <State run={run} /></h1>
      {run.error && <p class="bad" role="alert">{run.error}</p>}
      <p class="note">{`${run.class} · ${run.cpu} · ${run.level} · ${run.folder}`}</p>
      <dl class="facts-of-run">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div class="curves">
        {order.map((name) =>
          name === "held_out" && run.curves.loss?.length ? null : (
            <Curve key={name} name={names[name]} points={run.curves[name] ?? []} marks={name === "loss" ? (run.curves.held_out ?? []) : []} />
          ),
        )}
      </div>
      {run.curves.held_out?.length && run.curves.loss?.length ? <p class="note">{words().dots}</p> : null}
      {run.samples.length > 0 && <h2>{words().samples}</h2>}
      {run.samples.slice(-SAMPLES).reverse().map((sample, i) => (
        <article class="sample" key={`${sample.step}-${i}`}>
          <p class="note">{`${words().step} ${number(sample.step)}`}</p>
          <pre tabIndex={0}><span class="note">{sample.prompt}</span>{sample.text}</pre>
        </article>
      ))}
      {run.events.length > 0 && <h2>{words().events}</h2>}
      <ul class="events">
        {run.events.slice(-SAMPLES).reverse().map((event, i) => (
          <li key={`${event.step}-${i}`}>{`${words().step} ${number(event.step)} · ${event.kind} · ${event.text}`}</li>
        ))}
      </ul>
      <details class="thought">
        <summary>{words().recipe}</summary>
        <pre tabIndex={0}>{run.recipe}</pre>
      </details>
    </>
  );
}

/** id "": the list. */
export function Runs({ id }: { id: string }) {
  return <section class="runs" tabIndex={-1}>{id ? <One id={id} /> : <List />}</section>;
}
