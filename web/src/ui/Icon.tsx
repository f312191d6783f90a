// Icons of 24 units, drawn with the text's colour. Screen readers skip them: the component that uses one gives it a name.
const paths = {
  play: (
    <path
      d="M8 5.5v13a.6.6 0 0 0 .92.5l10-6.5a.6.6 0 0 0 0-1l-10-6.5a.6.6 0 0 0-.92.5Z"
      fill="currentColor"
      stroke="none"
    />
  ),
  pause: (
    <g fill="currentColor" stroke="none">
      <rect x="7" y="5" width="3.6" height="14" rx="1" />
      <rect x="13.4" y="5" width="3.6" height="14" rx="1" />
    </g>
  ),
  back: (
    <>
      <path d="M3.5 3.500v5h5M4.2 8.500A8.5 8.5 0 1 1 3.5 13" />
      <text className="icon-ten" x="12.3" y="15.4">
        10
      </text>
    </>
  ),
  forward: (
    <>
      <path d="M20.5 3.500v5h-5M19.8 8.500A8.5 8.5 0 1 0 20.5 13" />
      <text className="icon-ten" x="11.7" y="15.4">
        10
      </text>
    </>
  ),
  incoming: <path d="M18 6 7 17M7 9v8h8" />,
  outgoing: <path d="M6 18 17 7M9 7h8v8" />,
  search: (
    <>
      <circle cx="11" cy="11" r="6.5" />
      <path d="m16 16 4.5 4.5" />
    </>
  ),
  columns: <path d="M4 5.500h16v13H4zM9.5 5.500v13M15 5.500v13" />,
  plus: <path d="M12 5v14M5 12h14" />,
  trash: <path d="M5 7h14M10 7V4.500h4V7m-7.500 0 .8 12.500h7.400l.8-12.500" />,
  filter: <path d="M4 7h16M7 12h10M10 17h4" />,
  person: (
    <>
      <circle cx="12" cy="8.5" r="3.5" />
      <path d="M5 19.5c1-3.6 3.8-5 7-5s6 1.4 7 5" />
    </>
  ),
  check: <path d="m5 12.5 4.5 4.5L19 7.5" />,
  out: <path d="M14 4H6v16h8M10 12h10m-3.5-3.5L20 12l-3.5 3.5" />,
  download: <path d="M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14" />,
  close: <path d="m6 6 12 12M18 6 6 18" />,
  volume: <path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5H4Zm11.5-1a5 5 0 0 1 0 7m2.5-9.5a8.5 8.5 0 0 1 0 12" />,
  muted: <path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5H4Zm12 0 5 5m0-5-5 5" />,
  chevron: <path d="m7 10 5 5 5-5" />,
  start: <path d="m14 6-6 6 6 6" />,
  edit: <path d="M4.5 19.5 5.5 15 16 4.5l3.5 3.5L9 18.5l-4.5 1ZM14 6.5l3.5 3.5" />,
  share: (
    <>
      <path d="M9.5 14.5 14.5 9.5" />
      <path d="M11 7.5 13 5.5a4 4 0 0 1 5.6 5.6l-2 2M13 16.5l-2 2a4 4 0 0 1-5.6-5.6l2-2" />
    </>
  ),
  copy: (
    <>
      <rect x="8.5" y="8.5" width="11" height="11" rx="2" />
      <path d="M15.5 8.5v-2a2 2 0 0 0-2-2h-7a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h2" />
    </>
  ),
  again: <path d="M20 5v5h-5M19.5 10A8 8 0 1 0 20 14" />,
  alert: <path d="M12 4 2.8 19.5h18.4L12 4Zm0 6v4.5m0 2.5v.3" />,
  calls: (
    <path d="M6.5 4.5h3l1.5 4-2 1.5a11 11 0 0 0 5 5l1.5-2 4 1.5v3a2 2 0 0 1-2 2A15 15 0 0 1 4.5 6.500a2 2 0 0 1 2-2Z" />
  ),
  well: (
    <>
      <circle cx="12" cy="12" r="8.5" />
      <path d="m8.5 12.5 2.5 2.5 4.5-5.5" />
    </>
  ),
} as const

export type IconName = keyof typeof paths

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      className={`icon icon-${name}`}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {paths[name]}
    </svg>
  )
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect className="logo-back" width="32" height="32" rx="8" />
      <g fill="#fff">
        <rect x="6" y="13" width="3" height="6" rx="1.5" />
        <rect x="11" y="8" width="3" height="16" rx="1.5" />
        <rect x="16" y="11" width="3" height="10" rx="1.5" />
        <rect x="21" y="6" width="3" height="20" rx="1.5" />
        <rect x="26" y="14" width="2" height="4" rx="1" />
      </g>
    </svg>
  )
}
