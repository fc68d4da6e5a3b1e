// @ts-check
/**
 * Somebody in a room, as one sees them: what they say of themselves, what one calls
 * them, whether one follows or has blocked them. Nobody else is told of that.
 * @module
 */

import { get, inWords, post } from './api.js'
import { showProfile } from './profile.js'
import { avatar } from './rings.js'
import { h, say, set } from './view.js'
import { among, t } from './words.js'

/** @typedef {import('./live.js').Member} Member */
/** @typedef {import('./room.js').Room} Room */
/** @typedef {{peer: string, name: string, petname: string, followed: boolean, blocked: boolean, blocked_until?: string}} Person */

/**
 * Changes what one keeps about somebody.
 * @param {string} peer
 * @param {{follow?: boolean, block?: boolean, petname?: string}} change
 * @returns {Promise<Person>}
 */
export function note(peer, change) {
	return post('/api/v1/people', { who: peer, ...change })
}

/** Whom one keeps notes about. @returns {Promise<Person[]>} */
export function noted() {
	return get('/api/v1/people')
}

/** What one calls somebody, else what they call themselves. @param {{peer: string, name: string, petname?: string}} p */
export const called = p => p.petname || p.name || p.peer.slice(-6)

/** Whether a name may be taken for another's: one that was given here is not. @param {Member} m */
export function alike(m) {
	return !m.petname && (m.similar_to ?? []).length > 0
}

/**
 * Somebody's name wherever it is shown: as one calls them, else as they call
 * themselves, with the end of their key where that may be taken for another's.
 * @param {Member} m
 */
export function shownName(m) {
	return m.petname || (alike(m) ? `${m.self_name} ·${m.peer.slice(-4)}` : m.self_name)
}

/** What is said beside a name: of a warning, and of what one keeps. @param {Member} m @returns {(string | false)[]} */
export function marks(m) {
	return [alike(m) && t('person.alike'), m.blocked && t('person.blocked')]
}

/** A button that opens somebody's card. @param {Room} room */
export function about(room) {
	/** @type {Member} */
	let member
	const element = h('button', { class: 'about', 'aria-haspopup': 'dialog', onclick: () => showPerson(room, member) },
		h('svg', { class: 'icon', viewBox: '-12 -12 24 24', 'aria-hidden': 'true' }, h('path', { d: 'M-6 0 h.01 M0 0 h.01 M6 0 h.01' })))
	return {
		element,
		/** @param {Member} m */
		update: m => {
			member = m
			set(element, { 'aria-label': t('person', { name: m.name }) })
		},
	}
}

/**
 * Somebody who has left, as far as what they wrote tells.
 * @param {{peer: string, name: string, petname?: string, blocked?: boolean, you: boolean}} line
 * @returns {Member}
 */
export function whoLeft({ peer, name, petname = '', blocked = false, you }) {
	return {
		peer, name: petname || name, self_name: name, petname, blocked, you, followed: false, text: '', colour: '', similar_to: [], role: '', muted: false, hand: 0, waiting_ms: 0, speaking: false,
		listening: false, recording: false, muted_by: '', silenced: false, you_may: [], live_parent: '', warm_parent: '', lost: true, guests: 0, guest_of: '',
	}
}

/** Shows somebody's card, and to oneself what one says of oneself. @param {Room} room @param {Member} m */
export function showPerson(room, m) {
	if (m.you) showProfile()
	else new Card(room, m)
}

/** Somebody's card, as long as it is open. */
class Card {
	/** @param {Room} room @param {Member} m */
	constructor(room, m) {
		this.room = room
		this.member = { ...m }
		this.called = h('p', { class: 'soft', hidden: true })
		this.looks = h('p', { class: 'notice', hidden: true })
		this.follow = this.deed(() => this.turn({ follow: !this.member.followed }))
		this.block = this.deed(() => this.turn({ block: !this.member.blocked }))
		this.petname = h('input', { maxlength: '64', autocomplete: 'off', dir: 'auto' })
		this.petname.value = m.petname
		this.trouble = h('p', { class: 'problem', role: 'alert' })
		const body = h('div', { class: 'card' })
		const close = () => box.close()
		const law = room.law.choicesAbout(m, body, close)
		body.append(
			h('div', { class: 'says' }, h('span', { class: 'face' }, avatar(m.peer, m.name, m.colour)),
				h('div', {}, this.called, h('p', { class: 'soft' }, room.wordsOf(m)), m.text && h('p', { dir: 'auto' }, m.text))),
			this.looks,
			this.follow.element,
			h('form', { class: 'deed', onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), this.turn({ petname: this.petname.value.trim() })) },
				h('label', {}, t('person.petname'), this.petname), h('button', {}, t('person.petname.keep'))),
			this.block.element,
			this.trouble,
			law ? h('section', {}, h('h3', {}, t('law.house')), law) : '',
			h('div', { class: 'acts' }, h('button', { onclick: close }, t('close'))))
		const box = room.law.open(m.name, body)
		this.title = /** @type {HTMLElement} */ (box.querySelector('h2'))
		this.show()
		this.fetch()
	}

	/** A button, and the sentence that says what it does. @param {() => void} onclick */
	deed(onclick) {
		const button = h('button', { onclick })
		const sentence = h('span', { class: 'soft', role: 'status' })
		return { element: h('div', { class: 'deed' }, button, sentence), button, sentence }
	}

	/** Shows what is kept about them now. */
	show() {
		const m = this.member
		say(this.title, shownName(m))
		this.called.hidden = !m.petname || m.petname === m.self_name
		say(this.called, t('person.calls', { name: m.self_name }))
		say(this.follow.button, t(m.followed ? 'person.unfollow' : 'person.follow'))
		say(this.follow.sentence, t(m.followed ? 'person.follow.is' : 'person.follow.say'))
		say(this.block.button, t(m.blocked ? 'person.unblock' : 'person.block'))
		say(this.block.sentence, t(m.blocked ? 'person.block.is' : 'person.block.say'))
		this.block.button.classList.toggle('danger', !m.blocked)
	}

	/** What is kept, of those who have left too; and whose name theirs looks like. */
	async fetch() {
		const people = await noted().catch(() => /** @type {Person[]} */ ([]))
		const { petname, followed, blocked } = people.find(p => p.peer === this.member.peer) ?? this.member
		Object.assign(this.member, { petname, followed, blocked })
		this.show()
		const others = this.member.similar_to ?? []
		if (others.length === 0) return
		const names = others.map(peer => people.find(p => p.peer === peer)?.petname || this.room.nameOf(peer))
		say(this.looks, t('person.looks') + ' ' + among(names))
		this.looks.hidden = false
	}

	/** @param {{follow?: boolean, block?: boolean, petname?: string}} change */
	async turn(change) {
		const m = this.member
		say(this.trouble, '')
		try {
			const { petname, followed, blocked } = await note(m.peer, change)
			Object.assign(m, { petname, followed, blocked })
			if (change.follow && !petname && m.self_name && !alike(m)) await this.turn({ petname: m.self_name }) // else nobody knows later who that was
			this.petname.value = m.petname
		} catch (e) {
			say(this.trouble, inWords(e))
		}
		this.show()
	}
}
