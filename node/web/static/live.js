// @ts-check
/**
 * What is live, as the node tells it by server-sent events: never a poll. An
 * EventSource resumes by itself after a gap; here it is only said that there is
 * one.
 * @module
 */

/**
 * @typedef {{room: string, title: string, link: string, host: string, speakers: number, listeners: number,
 *   language: string, topics: string[], started: string, stage: string, listed: boolean, joined: boolean, closed: boolean}} RoomLine
 * @typedef {{peer: string, name: string, role: string, muted: boolean, hand: number, speaking: boolean,
 *   listening: boolean, recording: boolean, you: boolean}} Member
 * @typedef {{peer: string, name: string, direction: string, path: string, rtt_ms: number, loss: number,
 *   sent: number, received: number, via?: string}} Link
 * @typedef {{peer: string, source: number, frames: number, lost: number, hot: boolean, level: number}} Source
 * @typedef {RoomLine & {term: number, term_since_ms: number, relay: string, standby: string, independent: boolean,
 *   members: Member[], links: Link[], sources: Source[], dropped: Record<string, number>}} RoomView
 * @typedef {{peer: string, peer_id: string, version: string, network: string, addrs: string[], neighbors: number,
 *   rooms: string[], links: Link[], warnings: string[], alone?: boolean}} Status
 */

const pace = 40 // ms between two changes
const retry = 2000 // ms

/** State that listeners of `change` look at; `lost`, `locked` and `back` tell of the connection. */
export class Live extends EventTarget {
	constructor() {
		super()
		/** @type {Status | null} */
		this.node = null
		/** @type {Map<string, RoomLine>} */
		this.rooms = new Map()
		/** @type {Map<string, RoomView>} */
		this.views = new Map()
		this.connected = false
		this.pending = false
	}

	start() {
		const source = new EventSource('/api/v1/events')
		this.source = source
		source.onopen = () => {
			this.connected = true
			this.dispatchEvent(new Event('back'))
		}
		source.onerror = () => {
			if (this.connected) this.dispatchEvent(new Event('lost'))
			this.connected = false
			// The browser gives up for good when the node answers with an error.
			if (source.readyState === EventSource.CLOSED) this.refused()
		}
		const on = (/** @type {string} */ kind, /** @type {(data: any) => void} */ take) =>
			source.addEventListener(kind, e => {
				take(JSON.parse(/** @type {MessageEvent} */ (e).data))
				this.changed()
			})
		on('reset', () => {
			this.rooms.clear()
			this.views.clear()
		})
		on('node', status => (this.node = status))
		on('rooms', ({ changed, gone }) => {
			for (const line of changed) {
				this.rooms.set(line.room, line)
				if (!line.joined) this.views.delete(line.room)
			}
			for (const id of gone) {
				this.rooms.delete(id)
				this.views.delete(id)
			}
		})
		on('room', view => this.views.set(view.room, view))
	}

	/** The node answers, but not with events: tries again, and says if it knows this page no more. */
	async refused() {
		const answer = await fetch('/api/v1/node', { credentials: 'same-origin' }).catch(() => null)
		if (answer?.status === 401) this.dispatchEvent(new Event('locked'))
		setTimeout(() => this.start(), retry)
	}

	/** Tells of a change, however many events it took, no more often than eyes follow. */
	changed() {
		if (this.pending) return
		this.pending = true
		setTimeout(() => {
			this.pending = false
			this.dispatchEvent(new Event('change'))
		}, pace)
	}
}
