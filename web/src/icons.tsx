// Small drawings for buttons; the words are the buttons' own.
const paths = {
  plus: "M12 5v14M5 12h14",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  clip: "M20 11l-8 8a5 5 0 01-7-7l8-8a3.500 3.500 0 015 5l-8 8a2 2 0 01-3-3l7-7",
  copy: "M9 9h10v10H9zM5 15V5h10",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  again: "M20 11a8 8 0 10-2 6M20 5v6h-6",
  left: "M15 6l-6 6 6 6",
  right: "M9 6l6 6-6 6",
  gear: "M4 7h10M18 7h2M4 17h2M10 17h10M14 4v6M8 14v6",
  close: "M6 6l12 12M18 6L6 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  sun: "M12 4V2M12 22v-2M4 12H2M22 12h-2M6 6L4.500 4.500M19.500 19.500L18 18M18 6l1.500-1.500M4.500 19.500L6 18M12 8a4 4 0 100 8 4 4 0 000-8z",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5",
  key: "M14 10a4 4 0 11-1 3l-9 0v4M8 13v3",
  down: "M6 9l6 6 6-6",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

export function IconButton(props: { name: IconName; label: string; on: () => void; class?: string; disabled?: boolean; pressed?: boolean; expanded?: boolean }) {
  return (
    <button
      type="button"
      class={`icon-button ${props.class ?? ""}`}
      data-name={props.name}
      aria-label={props.label}
      title={props.label}
      aria-pressed={props.pressed}
      aria-expanded={props.expanded}
      disabled={props.disabled}
      onClick={props.on}
    >
      <Icon name={props.name} />
    </button>
  );
}
