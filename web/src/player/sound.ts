// Processes the audio before it is heard: one side alone, even loudness.
//
// (1) While no such switch is on, the browser plays the audio as it is: no graph is made.
// (2) A graph is made only when its context runs: attached to one that is suspended, the audio would be silent.
// (3) Without WebAudio, or with audio of another origin, which a graph would silence, the switches have no effect.
//
//   media -> stereo -> split -> a gain for each way from a channel to an ear -> merge -> [compressor] -> out

export interface Wishes {
  even: boolean
  channel: number | null // heard alone, in both ears; null: all
  gains: readonly number[] // of each channel, for even loudness
}

interface Graph {
  context: AudioContext
  ways: GainNode[][] // [channel][ear]
  merger: ChannelMergerNode
  compressor: DynamicsCompressorNode
  compressed: boolean
}

/** How much of each channel comes to each ear. Pure. */
export function mixOf({ even, channel, gains }: Wishes): number[][] {
  return [0, 1].map((c) => {
    const gain = even ? (gains[c] ?? gains[0] ?? 1) : 1
    return [0, 1].map((ear) => (channel === null ? (c === ear ? gain : 0) : c === channel ? gain : 0))
  })
}

export const canTreatSound = () => typeof AudioContext !== 'undefined'

export class Sound {
  #graph: Graph | null = null
  #starting: Promise<void> | null = null
  #wishes: Wishes = { even: false, channel: null, gains: [] }

  constructor(private readonly media: HTMLAudioElement) {}

  wish(wishes: Wishes) {
    this.#wishes = wishes
    this.#apply()
  }

  /** Call it from a press: browsers keep other contexts suspended. */
  start() {
    if (this.#graph) {
      if (this.#graph.context.state !== 'running') void this.#graph.context.resume().catch(() => undefined)
      return
    }
    const wanted = this.#wishes.even || this.#wishes.channel !== null
    if (!wanted || this.#starting || !canTreatSound() || !sameOrigin(this.media.src)) return
    this.#starting = this.#make().finally(() => {
      this.#starting = null
    })
  }

  async #make() {
    try {
      const context = new AudioContext()
      await context.resume()
      if (context.state !== 'running') return void context.close() // (2)
      this.#graph = build(context, this.media)
      this.#apply()
    } catch {
      // (3)
    }
  }

  #apply() {
    const graph = this.#graph
    if (!graph) return
    const now = graph.context.currentTime
    mixOf(this.#wishes).forEach((ears, c) => {
      ears.forEach((gain, ear) => {
        graph.ways[c]?.[ear]?.gain.setTargetAtTime(gain, now, 0.02)
      })
    })
    if (graph.compressed === this.#wishes.even) return
    graph.compressed = this.#wishes.even
    graph.merger.disconnect()
    graph.merger.connect(graph.compressed ? graph.compressor : graph.context.destination)
  }
}

function sameOrigin(src: string): boolean {
  return src !== '' && new URL(src, document.baseURI).origin === location.origin
}

function build(context: AudioContext, media: HTMLAudioElement): Graph {
  const stereo = new GainNode(context, { channelCount: 2, channelCountMode: 'explicit' })
  const splitter = new ChannelSplitterNode(context, { numberOfOutputs: 2 })
  const merger = new ChannelMergerNode(context, { numberOfInputs: 2 })
  const compressor = new DynamicsCompressorNode(context, {
    threshold: -26,
    knee: 18,
    ratio: 4,
    attack: 0.004,
    release: 0.22,
  })
  context.createMediaElementSource(media).connect(stereo).connect(splitter)
  const ways = [0, 1].map((c) =>
    [0, 1].map((ear) => {
      const way = new GainNode(context, { gain: c === ear ? 1 : 0 })
      splitter.connect(way, c)
      way.connect(merger, 0, ear)
      return way
    }),
  )
  compressor.connect(context.destination)
  merger.connect(context.destination)
  return { context, ways, merger, compressor, compressed: false }
}
