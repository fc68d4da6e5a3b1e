// @ts-check
/**
 * What is live, as the node tells it by server-sent events: never a poll. A
 * browser opens at most six connections to a host, so of all its tabs one holds
 * the stream, and tells the others; when it closes, another takes over.
 * @module
 */

/**
 * @typedef {{room: string, title: string, link: string, host: string, host_petname: string, followed: {peer: string, petname: string, host: boolean}[], speakers: number, listeners: number,
 *   language: string, topics: string[], started: string, stage: string, listed: boolean, joined: boolean, closed: boolean,
 *   state: string, locked: boolean, next?: string, following: boolean, known: boolean}} RoomLine state: live or coming
 * @typedef {{peer: string, name: string, self_name: string, petname: string, text: string, colour: string, followed: boolean, blocked: boolean, similar_to: string[], role: string, muted: boolean, hand: number, waiting_ms: number, speaking: boolean,
 *   listening: boolean, recording: boolean, you: boolean, muted_by: string, silenced: boolean, you_may: string[], live_parent: string, warm_parent: string, lost: boolean, guests: number, guest_of: string}} Member
 * @typedef {{peer: string, name: string, direction: string, path: string, rtt_ms: number, loss: number,
 *   sent: number, received: number, sent_kbps: number, received_kbps: number, via?: string}} Link
 * @typedef {{peer: string, source: number, frames: number, lost: number, hot: boolean, level: number}} Source
 * @typedef {RoomLine & {log: string, paused: boolean, muted_all_by: string, pinned: string, you_may: string[], term: number, term_since_ms: number, relay: string, standby: string, independent: boolean,
 *   guests: number, guest_link: string, members: Member[], links: Link[], sources: Source[], dropped: Record<string, number>}} RoomView
 * @typedef {{peer: string, peer_id: string, version: string, network: string, addrs: string[], neighbors: number,
 *   rooms: string[], links: Link[], warnings: string[], alone?: boolean, demo?: boolean, has_guest_door?: boolean}} Status
 * @typedef {{changed: RoomLine[], gone: string[]}} RoomsChange
 * @typedef {import('./reports.js').RoomReports} RoomReports
 */

/**
 * How it stands with the node: `stopped`, or it does not know this page: `locked`.
 * @typedef {'live' | 'stopped' | 'locked'} Standing
 */

/**
 * What one tab tells the others: an event of the node's, how it stands, or, to
 * one that came later (`to`), all that there is; `ask` is what that one says.
 * @typedef {{kind: string, data: any, to?: string}} Told
 */

import { Talk } from './chat.js'
import { shownName } from './person.js'

const pace = 40 // ms between two changes
const retry = 2000 // ms
const shared = 'earshot events' // the lock of who holds the stream, and the channel

/** State that listeners of `change` look at; `standing` tells of the connection. */
export class Live extends EventTarget {
	constructor() {
		super()
		/** @type {Status | null} */
		this.node = null
		/** @type {Map<string, RoomLine>} */
		this.rooms = new Map()
		/** @type {Map<string, RoomLine>} those that are closed until a time */
		this.coming = new Map()
		/** @type {Map<string, RoomView>} */
		this.views = new Map()
		/** @type {Map<string, Talk>} */
		this.talks = new Map()
		/** @type {Map<string, RoomReports>} */
		this.reports = new Map()
		/** @type {Standing} */
		this.standing = 'live'
		this.pending = false
		this.holds = false // the stream
		this.id = crypto.randomUUID()
		this.channel = new BroadcastChannel(shared)
	}

	start() {
		this.channel.onmessage = e => this.told(e.data)
		this.channel.postMessage({ kind: 'ask', data: this.id })
		navigator.locks.request(shared, () => {
			this.holds = true
			this.follow()
			return new Promise(() => {}) // until this tab closes
		})
	}

	/** Follows the node's events. An EventSource resumes by itself after a gap. */
	follow() {
		const source = new EventSource('/api/v1/events')
		source.onopen = () => this.tell('standing', 'live')
		source.onerror = () => {
			if (source.readyState === EventSource.CLOSED) this.refused() // the browser gave up
			else this.tell('standing', 'stopped')
		}
		for (const kind of ['reset', 'node', 'rooms', 'coming', 'room', 'chat', 'reports']) {
			source.addEventListener(kind, e => this.tell(kind, JSON.parse(/** @type {MessageEvent} */ (e).data)))
		}
	}

	/** The node answers, but not with events. */
	async refused() {
		const answer = await fetch('/api/v1/node', { credentials: 'same-origin' }).catch(() => null)
		this.tell('standing', answer?.status === 401 ? 'locked' : 'stopped')
		setTimeout(() => this.follow(), retry)
	}

	/** Takes what the node says, and passes it on. @param {string} kind @param {any} data */
	tell(kind, data) {
		this.take(kind, data)
		this.channel.postMessage({ kind, data })
	}

	/** Another tab says something. @param {Told} told */
	told({ kind, data, to }) {
		if (kind === 'ask') {
			if (!this.holds || !this.node) return // it hears of everything once this tab does
			this.channel.postMessage({ kind: 'all', data: { node: this.node, rooms: this.rooms, views: this.views, talks: this.talks, coming: this.coming, reports: this.reports, standing: this.standing }, to: data })
		} else if (!this.holds && (to === undefined || to === this.id)) {
			this.take(kind, data)
		}
	}

	/** @param {string} kind @param {any} data */
	take(kind, data) {
		switch (kind) {
			case 'reset':
				for (const all of [this.rooms, this.coming, this.views, this.talks, this.reports]) all.clear()
				break
			case 'node':
				this.node = data
				break
			case 'rooms':
				this.takeRooms(data)
				break
			case 'coming':
				for (const line of data.changed) this.coming.set(line.room, line)
				for (const id of data.gone) this.coming.delete(id)
				break
			case 'reports':
				this.reports.set(data.room, data)
				break
			case 'room':
				for (const m of data.members) {
					m.self_name ??= m.name // another tab may have done this
					m.name = shownName(m)
				}
				this.views.set(data.room, data)
				break
			case 'chat':
				this.takeChat(data)
				break
			case 'reports':
				this.reports.set(data.room, data)
				break
			case 'all':
				Object.assign(this, { node: data.node, rooms: data.rooms, coming: data.coming, views: data.views, reports: data.reports })
				this.talks = new Map([...data.talks].map(([room, talk]) => [room, Object.assign(new Talk(), talk)])) // what is copied has no class
				this.stands(data.standing)
				break
			case 'standing':
				this.stands(data)
		}
		this.changed()
	}

	/** @param {RoomsChange} change */
	takeRooms({ changed, gone }) {
		for (const line of changed) {
			this.rooms.set(line.room, line)
			if (line.joined) continue
			this.left(line.room)
		}
		for (const id of gone) {
			this.rooms.delete(id)
			this.left(id)
		}
	}

	/** What is known of a room only while one is in it. @param {string} room */
	left(room) {
		for (const all of [this.views, this.talks, this.reports]) all.delete(room)
	}

	/** @param {import('./chat.js').News} news */
	takeChat(news) {
		let talk = this.talks.get(news.room)
		if (!talk) this.talks.set(news.room, (talk = new Talk()))
		talk.take(news)
	}

	/** @param {Standing} standing */
	stands(standing) {
		if (this.standing === standing) return
		this.standing = standing
		this.dispatchEvent(new Event('standing'))
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
