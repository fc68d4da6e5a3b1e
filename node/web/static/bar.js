// @ts-check
/**
 * The bar at the bottom of a room: what one does oneself.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { endRoom } from './rules.js'
import { h, say, set } from './view.js'
import { t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */

export class Bar {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		this.level = h('span', { class: 'level' })
		this.word = h('span', {}, t('mic'))
		this.microphone = h('button', { class: 'mic', onclick: () => this.toggle() }, icon('mic'), this.word, this.level)
		this.say = h('p', { class: 'problem', role: 'alert' })
		this.hint = h('p', { class: 'soft', hidden: true }, t('mic.hold'))
		this.leaving = h('button', { class: 'leave', onclick: () => this.leave() }, icon('leave'), h('span', {}, t('leave')))
		this.ending = h('button', { class: 'danger', onclick: () => this.end() }, icon('end'), h('span', {}, t('end')))
		this.element = h('div', { class: 'bar' }, room.law.mine, room.hands.invited, this.say, this.hint,
			h('div', { class: 'buttons' }, this.leaving, this.microphone, room.hands.button,
				h('button', { onclick: () => room.network.toggle() }, icon('network'), h('span', {}, t('network'))), room.chat.button, room.law.button,
				h('button', { class: 'settings', onclick: () => room.settings() }, icon('settings'), h('span', {}, t('settings'))), this.ending))
	}

	/**
	 * @param {RoomView | undefined} view
	 * @param {boolean} hears
	 */
	show(view, hears) {
		const { presence, id } = this.room
		const on = presence.speaking?.room === id || presence.asking !== null
		const you = view?.members.find(m => m.you)
		const may = view?.you_may.includes('speak') ?? false
		set(this.microphone, { 'data-live': presence.live(id), disabled: !may && !on })
		say(this.word, on ? t('mic.off') : may || !view ? t('mic.on') : t(view.paused ? 'mic.paused' : you?.silenced ? 'mic.silenced' : 'mic.notallowed'))
		this.hint.hidden = !presence.push || !may
		this.element.hidden = !hears && !on
		this.ending.hidden = you?.role !== 'host'
		say(this.say, presence.trouble)
	}

	/** @param {number} level */
	showLevel(level) {
		this.level.style.setProperty('--level', level.toFixed(2))
	}

	/** Whether the microphone can be used here: only by who listens, and may speak. */
	get usable() {
		return !this.element.hidden && !this.microphone.disabled
	}

	toggle() {
		const { presence, id } = this.room
		if (!this.usable) return
		if (presence.speaking || presence.asking) presence.hush()
		else presence.speak(id)
	}

	/** Push-to-talk. @param {boolean} down */
	hold(down) {
		if (!down || this.usable) this.room.presence.hold(this.room.id, down)
	}

	async leave() {
		const gone = this.room.presence.leave()
		location.hash = ''
		await gone
		await post(roomPath(this.room.id, 'leave')).catch(() => {}) // it is not in it any more
	}

	/** Ends the room for all, until a time if one is given: a time that was said before is no longer, then. */
	end() {
		const { id, view, presence } = this.room
		endRoom(view?.next, async at => {
			await presence.leave()
			try {
				if (view?.next && !at) await post(roomPath(id, 'acts'), { act: 'next' })
				await post(roomPath(id, 'close'), { at })
			} catch (e) {
				say(this.say, inWords(e))
			}
		})
	}
}

/** @type {Record<string, string>} */
const icons = {
	mic: 'M0 -9 a4 4 0 0 1 4 4 v5 a4 4 0 0 1 -8 0 v-5 a4 4 0 0 1 4 -4 z M-7 0 a7 7 0 0 0 14 0 M0 7 v4',
	off: 'M-4 -3 v-2 a4 4 0 0 1 8 0 v4 M2 3.5 a4 4 0 0 1 -6 -3.5 M-7 0 a7 7 0 0 0 11 5.7 M7 0 a7 7 0 0 1 -.7 3 M0 7 v4 M-9 -9 L9 9',
	leave: 'M3 -8 h-9 v16 h9 M-1 0 h10 M5 -4 l4 4 -4 4',
	network: 'M0 -5 v10 M-8 7 L0 -5 L8 7 M0 -9 a2 2 0 1 1 0 4 a2 2 0 1 1 0 -4',
	settings: 'M-9 -5 h8 M5 -5 h4 M-1 -5 a3 3 0 1 1 6 0 a3 3 0 1 1 -6 0 M-9 5 h2 M-1 5 h10 M-7 5 a3 3 0 1 1 6 0 a3 3 0 1 1 -6 0',
	end: 'M-7 -7 L7 7 M7 -7 L-7 7',
}

/** @param {string} name */
export function icon(name) {
	return h('svg', { class: 'icon', viewBox: '-12 -12 24 24', 'aria-hidden': 'true' }, h('path', { d: icons[name] }))
}
