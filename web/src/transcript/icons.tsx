// Icons of transcripts alone: they come with this part of the page. As ui/Icon.tsx draws its own.
const paths = {
  words: 'M4 5.500h16v10.500H10L6 19.500V16H4zM8 9h8M8 12.500h5',
  swap: 'M7 7h12m-3-3 3 3-3 3M17 17H5m3-3-3 3 3 3',
}

export function TranscriptIcon({ name }: { name: keyof typeof paths }) {
  return (
    <svg
      className="icon"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  )
}
