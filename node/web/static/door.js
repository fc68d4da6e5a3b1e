// @ts-check
/**
 * This node's guest door, as its own person rules it in a room: where guests come
 * in, who is in, sending one away, shutting it.
 * @module
 */

import { get, inWords, post, roomPath } from './api.js'
import { sharing } from './opening.js'
import { h, say, set } from './view.js'
import { span, t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./live.js').Status} Status */
/** @typedef {{id: string, room: string, address: string, since: string, name: string}} Line */

export class Door {
	/** @param {string} room */
	constructor(room) {
		this.room = room
		this.seen = '' // what the list was asked for
		this.link = ''
		this.open = false
		this.head = h('h3')
		this.words = h('p', { role: 'status' })
		this.way = h('div')
		this.list = h('ul', { class: 'guests' })
		this.turn = h('button', { type: 'button', onclick: () => this.act('/api/v1/guests/' + (this.open ? 'close' : 'open')) })
		this.element = h('section', { class: 'door', hidden: true }, this.head, this.way, this.list, this.turn, this.words)
	}

	/**
	 * @param {RoomView | undefined} view
	 * @param {Status | null} node
	 */
	show(view, node) {
		this.element.hidden = !node?.has_guest_door || !view
		if (this.element.hidden || !view) return
		this.open = view.guest_link !== ''
		say(this.head, this.open ? t('door.guests', { n: view.guests }) : t('door.shut'))
		say(this.turn, t(this.open ? 'door.close' : 'door.open'))
		if (view.guest_link !== this.link) {
			this.link = view.guest_link
			this.way.replaceChildren(...(this.open ? [sharing(this.room, this.link, roomPath(this.room, 'qr.svg?link=guest'), t('door.say'))] : []))
		}
		const named = view.members.filter(m => m.guest_of === node?.peer_id).map(m => m.peer)
		const seen = [view.guests, ...named].join()
		if (seen !== this.seen) this.look(seen)
	}

	/** Asks who is in. @param {string} seen */
	async look(seen) {
		this.seen = seen
		const { guests } = await get('/api/v1/guests').catch(() => ({ guests: [] })) // the door has gone with its node
		if (seen !== this.seen) return
		const here = guests.filter((/** @type {Line} */ g) => g.room === this.room)
		this.list.replaceChildren(...here.map((/** @type {Line} */ g) => {
			const name = g.name || g.address
			const button = h('button', { type: 'button', onclick: () => this.act(`/api/v1/guests/${g.id}/remove`) }, t('door.remove'))
			set(button, { 'aria-label': `${t('door.remove')}: ${name}` })
			return h('li', {}, h('bdi', {}, name), h('span', { class: 'soft' }, span(Date.now() - Date.parse(g.since))), button)
		}))
	}

	/** @param {string} path */
	async act(path) {
		try {
			await post(path)
			say(this.words, '')
		} catch (e) {
			say(this.words, inWords(e))
		}
	}
}
