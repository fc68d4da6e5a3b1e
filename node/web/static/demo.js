// @ts-check
/**
 * In a demo: a button that switches off the computer that carries the sound,
 * while one listens, and what comes of it.
 * @module
 */

import { inWords, post } from './api.js'
import { h, say, set } from './view.js'
import { t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./live.js').Status} Status */

export class Demo {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		/** @type {string} the peer that was switched off last */
		this.off = ''
		this.name = '' // of who that was
		/** @type {Map<number, number>} frames lost until then, by source */
		this.lost = new Map()
		this.words = h('p', { role: 'status' })
		this.button = h('button', { onclick: () => this.switchOff() })
		this.element = h('section', { class: 'demo', hidden: true }, this.words, this.button)
	}

	/**
	 * @param {RoomView | undefined} view
	 * @param {Status | null} node
	 */
	show(view, node) {
		this.element.hidden = !node?.demo || !view?.relay
		if (this.element.hidden || !view) return
		const name = this.room.nameOf(view.relay)
		const own = view.relay === node?.peer_id // to switch oneself off would end what one looks at
		const falls = view.relay === this.off
		const back = !this.off || view.members.some(m => m.peer === this.off)
		say(this.button, t('demo.off', { name }))
		set(this.button, { disabled: own || falls || !back })
		if (own) say(this.words, t('yours.self'))
		else if (falls) say(this.words, t('demo.fell', { name }))
		else if (this.off) say(this.words, [t('relay.changed', { old: this.name, new: name }), this.kept(view) && t('demo.kept')].filter(Boolean).join(' '))
		else say(this.words, t('demo.ask', { name }))
	}

	/** Whether every frame came of those who speak since before. @param {RoomView} view */
	kept(view) {
		const since = view.sources.filter(s => this.lost.has(s.source))
		return since.length > 0 && since.every(s => s.lost === this.lost.get(s.source))
	}

	async switchOff() {
		const { view } = this.room
		if (!view) return
		try {
			await post('/api/v1/demo/cut')
		} catch (e) {
			return say(this.words, inWords(e))
		}
		this.off = view.relay
		this.name = this.room.nameOf(view.relay)
		this.lost = new Map(view.sources.map(s => [s.source, s.lost]))
		if (this.room.network.element.hidden) this.room.network.toggle()
		this.room.show()
	}
}
