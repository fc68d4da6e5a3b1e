// @ts-check
/**
 * Somebody in a room, as one sees them: what they say of themselves, what one calls
 * them, whether one follows or has blocked them. Nobody else is told of that.
 * @module
 */

import { get, inWords, post } from './api.js'
import { showProfile } from './profile.js'
import { report } from './reports.js'
import { drawFace } from './rings.js'
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
	return m.petname || (alike(m) ? `${m.self_name} ·${m.peer.slice(-4)}` : m.self_name || m.peer.slice(-6))
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
 * Somebody of whom a room's view tells nothing: who has left, by what they wrote, or
 * the host of a room that one is not in.
 * @param {{peer: string, name: string, petname?: string, blocked?: boolean, you: boolean}} line
 * @param {string} [role]
 * @returns {Member}
 */
export function outside({ peer, name, petname = '', blocked = false, you }, role = '') {
	return {
		peer, name: petname || name, self_name: name, petname, blocked, you, followed: false, text: '', colour: '', similar_to: [], role, muted: false, hand: 0, waiting_ms: 0, speaking: false,
		listening: false, recording: false, muted_by: '', silenced: false, you_may: [], live_parent: '', warm_parent: '', lost: role === '', guests: 0, guest_of: '',
	}
}

/** Shows somebody's card, and to oneself what one says of oneself. @param {Room} room @param {Member} m */
export function showPerson(room, m) {
	if (m.you) showProfile()
	else room.card = new Card(room, m)
}

/** What is kept about somebody, to be compared. @param {Pick<Member, 'petname' | 'followed' | 'blocked'>} m */
const notesOf = m => JSON.stringify([m.petname, m.followed, m.blocked])

/** Somebody's card, which follows what changes as long as it is open. */
export class Card {
	/** @param {Room} room @param {Member} m */
	constructor(room, m) {
		this.room = room
		this.member = { ...m }
		this.told = notesOf(m) // what the room's view told of last
		/** @type {Person[]} */
		this.people = []
		this.face = h('span', { class: 'face' })
		this.called = h('p', { class: 'soft', hidden: true })
		this.stands = h('p', { class: 'soft', role: 'status' })
		this.text = h('p', { dir: 'auto' })
		this.looks = h('p', { class: 'notice', hidden: true })
		this.follow = this.deed(() => this.turn({ follow: !this.member.followed }))
		this.block = this.deed(() => this.turn({ block: !this.member.blocked }))
		this.petname = h('input', { maxlength: '64', autocomplete: 'off', dir: 'auto', value: m.petname })
		this.trouble = h('p', { class: 'problem', role: 'alert' })
		const body = h('div', { class: 'card' })
		const close = () => this.box.close()
		this.choices = room.law.choicesAbout(body, close)
		this.law = h('section', {}, h('h3', {}, t('law.house')), this.choices.element)
		this.report = h('button', { class: 'report', onclick: () => (close(), report(room.id, this.member)) })
		body.append(
			h('div', { class: 'says' }, this.face, h('div', {}, this.called, this.stands, this.text)),
			this.looks,
			this.law, // whoever moderates is in a hurry
			(this.own = h('details', {}, (this.fold = h('summary', {}, t('person.own'))),
				this.follow.element,
				h('form', { class: 'deed', onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), this.turn({ petname: this.petname.value.trim() })) },
					h('label', {}, t('person.petname'), this.petname), h('button', {}, t('person.petname.keep'))),
				this.block.element,
				h('div', { class: 'choices' }, this.report))),
			this.trouble,
			h('div', { class: 'acts' }, h('button', { onclick: close }, t('close'))))
		this.box = room.law.open(m.name, body)
		set(this.box, { class: 'sheet' })
		this.box.addEventListener('close', () => room.card === this && (room.card = undefined))
		this.title = /** @type {HTMLElement} */ (this.box.querySelector('h2'))
		set(this.title, { tabindex: '-1' })
		this.show()
		this.title.focus() // no key that is still down is to do anything
		this.fetch()
	}

	/** A button, and the sentence that says what it does. @param {() => void} onclick */
	deed(onclick) {
		const button = h('button', { onclick })
		const sentence = h('span', { class: 'soft', role: 'status' })
		return { element: h('div', { class: 'deed' }, button, sentence), button, sentence }
	}

	/** Takes what the room's view tells of them now: they may have left, or there may be none. @param {Member | undefined} m */
	update(m) {
		const { petname, followed, blocked } = this.member
		const news = m !== undefined && notesOf(m) !== this.told // else what was answered here is newer
		if (m && news) this.told = notesOf(m)
		this.keep(m ? { ...m, ...(news ? {} : { petname, followed, blocked }) } : { ...this.member, hand: 0, you_may: [], ...(this.room.view && { role: '', lost: true }) })
	}

	/** @param {Member} m */
	keep(m) {
		if (this.petname.value === this.member.petname) this.petname.value = m.petname // nobody has begun to type another
		this.member = m
		this.show()
	}

	show() {
		const m = this.member
		const focused = this.box.contains(document.activeElement)
		m.name = shownName(m)
		say(this.title, m.name)
		drawFace(this.face, m)
		this.called.hidden = !m.petname || !m.self_name || m.petname === m.self_name
		say(this.called, t('person.calls', { name: m.self_name }))
		say(this.stands, [this.room.wordsOf(m), m.hand > 0 && t('person.hand', { n: m.hand })].filter(Boolean).join(' · '))
		say(this.text, m.text)
		this.text.hidden = m.text === ''
		say(this.follow.button, t(m.followed ? 'person.unfollow' : 'person.follow'))
		say(this.follow.sentence, t(m.followed ? 'person.follow.is' : 'person.follow.say'))
		say(this.block.button, t(m.blocked ? 'person.unblock' : 'person.block'))
		say(this.block.sentence, t(m.blocked ? 'person.block.is' : 'person.block.say'))
		this.block.button.classList.toggle('danger', !m.blocked)
		this.law.hidden = this.fold.hidden = !this.choices.show(m)
		if (this.fold.hidden) this.own.open = true
		this.report.hidden = !this.room.law.hearsOf(m)
		say(this.report, t('report', { name: m.name }))
		const others = m.similar_to ?? []
		this.looks.hidden = !alike(m)
		say(this.looks, t('person.looks') + ' ' + among(others.map(peer => this.people.find(p => p.peer === peer)?.petname || this.room.nameOf(peer))))
		if (focused && !this.box.contains(document.activeElement)) this.title.focus() // what had it is no longer to be done
	}

	/** What is kept, of those who have left too; and whose name theirs looks like. */
	async fetch() {
		this.people = await noted().catch(() => /** @type {Person[]} */ ([]))
		const { petname, followed, blocked } = this.people.find(p => p.peer === this.member.peer) ?? this.member
		this.keep({ ...this.member, petname, followed, blocked })
	}

	/** @param {{follow?: boolean, block?: boolean, petname?: string}} change */
	async turn(change) {
		const m = this.member
		say(this.trouble, '')
		try {
			const { petname, followed, blocked } = await note(m.peer, change)
			if (change.petname !== undefined) this.petname.value = m.petname = petname
			this.keep({ ...this.member, petname, followed, blocked })
			if (change.follow && !petname && m.self_name && !alike(m)) await this.turn({ petname: m.self_name }) // else nobody knows later who that was
		} catch (e) {
			say(this.trouble, inWords(e))
		}
	}
}
