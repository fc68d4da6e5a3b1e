// @ts-check
/**
 * What is done in a room while one is there, as lines among what people write: so
 * that it can be read by whoever hears nothing, and is read out to who sees nothing.
 * @module
 */

import { get, roomPath } from './api.js'
import { inSentence, names } from './log.js'

/** @typedef {import('./live.js').RoomView} RoomView */

const pace = 1000 // ms between two looks at a log
const settling = 3000 // ms in which the log of a room that one comes to is not all there yet

export class Deeds {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		this.log = '' // hash of the one that was looked at last
		this.came = 0 // when the room was first seen from within
		/** @type {Set<string>} hashes of the actions that are known */
		this.known = new Set()
		this.busy = false
	}

	/** Looks for what is new once the log is another. What was done before one came is not. @param {RoomView} view */
	async follow(view) {
		if (this.busy || view.log === '' || view.log === this.log) return
		this.came ||= performance.now()
		this.busy = true
		this.log = view.log
		/** @type {import('./log.js').Log | null} */
		const log = await get(roomPath(view.room, 'log')).catch(() => null) // this node has left
		if (log) this.take(log, view)
		setTimeout(() => {
			this.busy = false
			if (!this.room.closed && this.room.view) this.follow(this.room.view)
		}, pace)
	}

	/** @param {import('./log.js').Log} log @param {RoomView} view */
	take(log, view) {
		const old = performance.now() - this.came < settling
		const called = names(view, log)
		for (const l of log.actions) {
			if (!old && l.stands && !this.known.has(l.hash)) this.room.chat.note({ id: l.hash, said: l.at, deed: inSentence(l, called) })
		}
		this.known = new Set(log.actions.map(l => l.hash))
	}
}
