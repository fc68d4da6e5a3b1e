// @ts-check
/**
 * Who asks to speak: one's own hand, and the queue in its order.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { about, marks } from './person.js'
import { drawFace } from './rings.js'
import { List, h, say, set } from './view.js'
import { span, t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./live.js').Member} Member */

const recount = 15000 // ms, between two looks at how long people wait

export class Hands {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		/** @type {Map<string, number>} since when somebody waits, by peer */
		this.since = new Map()
		this.up = false
		this.usable = false
		this.hosts = false
		this.word = h('span', {}, t('hand.up'))
		this.button = h('button', { class: 'hand', 'aria-pressed': 'false', onclick: () => this.toggle() }, icon(), this.word)
		this.place = h('p', { class: 'soft' })
		this.line = h('ol', { class: 'queue' })
		this.list = new List(this.line, m => m.peer, () => this.waiter())
		this.none = h('button', { class: 'quiet', onclick: () => this.clear() }, t('hand.none'))
		this.element = h('section', { class: 'hands', hidden: true }, h('h2', {}, t('hands')), this.place, this.line, this.none)
		this.invited = h('p', { class: 'notice invited', hidden: true })
		this.beat = setInterval(() => this.room.view && this.show(this.room.view), recount)
	}

	close() {
		clearInterval(this.beat)
	}

	/** @param {RoomView} view */
	show(view) {
		const you = view.members.find(m => m.you)
		this.hosts = view.you_may.includes('grant')
		this.usable = you !== undefined && !seated(you)
		this.up = (you?.hand ?? 0) > 0
		const queue = view.members.filter(m => m.hand > 0).sort((a, b) => a.hand - b.hand)
		for (const m of queue) if (!this.since.has(m.peer)) this.since.set(m.peer, Date.now() - m.waiting_ms)
		for (const peer of this.since.keys()) if (!queue.some(m => m.peer === peer)) this.since.delete(peer)
		this.list.show(queue)
		this.element.hidden = queue.length === 0
		this.none.hidden = !this.hosts || queue.length < 2
		this.button.hidden = !this.usable
		set(this.button, { 'aria-pressed': String(this.up) })
		say(this.word, t(this.up ? 'hand.down' : 'hand.up'))
		say(this.place, this.up ? t('hand.place', { n: you?.hand ?? 0 }) : '')
		this.place.hidden = !this.up
		if (!you || !seated(you) || you.speaking) this.invited.hidden = true
	}

	/**
	 * Says what has changed: whose hand went up, and that one is invited.
	 * @param {RoomView} before
	 * @param {RoomView} now
	 */
	announce(before, now) {
		const was = new Map(before.members.map(m => [m.peer, m]))
		for (const m of now.members) {
			const old = was.get(m.peer)
			if (!m.you && !m.blocked && m.hand > 0 && !old?.hand) this.room.tell(t('hand.raised', { name: m.name }))
			if (m.you && m.hand > 0 && m.hand !== old?.hand) this.room.tell(t('hand.place', { n: m.hand }))
			if (m.you && m.role === 'speaker' && old && !seated(old) && !m.speaking) this.invite(now)
		}
	}

	/** One has a place on stage now, and the microphone is off. @param {RoomView} view */
	invite(view) {
		const others = view.members.some(m => m.role === 'moderator') // it may have been one of them
		const sentence = others ? t('hand.seated') : t('hand.invited', { name: this.room.nameOf(view.host) })
		say(this.invited, sentence)
		this.invited.hidden = false
		this.room.tell(sentence)
	}

	toggle() {
		if (this.usable && !this.room.bar.element.hidden) this.ask('hand', { up: !this.up })
	}

	/**
	 * @param {string} what
	 * @param {any} body
	 */
	ask(what, body) {
		const { presence, id } = this.room
		post(roomPath(id, what), body).catch(e => {
			presence.trouble = inWords(e)
			presence.changed()
		})
	}

	/** Takes all hands down that are up now, once that was asked. */
	clear() {
		const peers = [...this.list.shown.keys()]
		const box = this.room.law.open(t('hand.none'), h('p', {}, t('hand.none.ask', { n: peers.length })), h('div', { class: 'acts' },
			h('button', { onclick: () => box.close() }, t('cancel')),
			h('button', { class: 'danger', onclick: () => (box.close(), peers.forEach(peer => this.ask('members/' + encodeURIComponent(peer), { hand: false }))) }, t('hand.none'))))
	}

	/** Somebody whose hand is up. */
	waiter() {
		let peer = ''
		const face = h('span', { class: 'face' })
		const name = h('bdi')
		const waits = h('span', { class: 'soft' })
		const card = about(this.room)
		const invite = h('button', { onclick: () => this.ask('members/' + encodeURIComponent(peer), { role: 'speaker' }) }, t('hand.invite'))
		const acts = h('span', { class: 'acts' }, invite)
		return {
			element: h('li', {}, face, h('span', { class: 'who' }, name, waits), acts, card.element),
			/** @param {Member} m */
			update: m => {
				drawFace(face, m)
				peer = m.peer
				say(name, m.name)
				say(waits, [m.you && t('you'), ...marks(m), t('hand.waits', { time: span(Date.now() - (this.since.get(peer) ?? Date.now())) })].filter(Boolean).join(' · '))
				acts.hidden = !this.hosts
				card.update(m)
				set(invite, { 'aria-label': `${t('hand.invite')}: ${m.name}` })
			},
		}
	}
}

/** Whether somebody need not ask. @param {Member} m */
function seated(m) {
	return m.role === 'host' || m.role === 'moderator' || m.role === 'speaker' || m.speaking
}

function icon() {
	return h('svg', { class: 'icon', viewBox: '-12 -12 24 24', 'aria-hidden': 'true' },
		h('path', { d: 'M-5 1 v-6 M-2 0 v-8 M2 0 v-8 M5 1 v-6 M-5 1 l-3 -2 M-5 1 v2 a5 6 0 0 0 10 0 v-2' }))
}
