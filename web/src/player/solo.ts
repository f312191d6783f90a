// One player sounds at a time: in this page, and in all tabs of this browser.

export interface Player {
  pause(): void
}
const players = new Set<Player>()
let channel: BroadcastChannel | null = null

function open() {
  if (channel || typeof BroadcastChannel === 'undefined') return
  try {
    channel = new BroadcastChannel('callreel-playing')
    channel.onmessage = () => {
      for (const player of players) player.pause()
    }
  } catch {
    channel = null // a frame without storage
  }
}

export const solo = {
  join(player: Player) {
    players.add(player)
    if (typeof window !== 'undefined') open()
  },
  leave(player: Player) {
    players.delete(player)
  },
  /** This one begins: every other stops. */
  begins(player: Player) {
    for (const other of players) if (other !== player) other.pause()
    channel?.postMessage('begins')
  },
}
