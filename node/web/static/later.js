// @ts-check
/**
 * Rooms that are yet to come: when they open, in the reader's own time, and being
 * told of it.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { beTold } from './notify.js'
import { List, h, say, set } from './view.js'
import { dayTime, isolate, languageName, t } from './words.js'

/** @typedef {import('./live.js').RoomLine} RoomLine */

const ahead = 3600_000 // ms: what a field for a time proposes, rounded to the next hour

/** The hallway's list of what is to come. */
export class Later {
	constructor() {
		this.rows = h('ul', { class: 'rows' })
		this.list = new List(this.rows, r => r.room, row)
		this.element = h('section', { class: 'later', 'aria-labelledby': 'later', hidden: true }, h('h2', { id: 'later' }, t('later')), this.rows)
	}

	/** @param {RoomLine[]} rooms */
	show(rooms) {
		this.element.hidden = rooms.length === 0
		this.list.show([...rooms].sort((a, b) => soon(a) - soon(b) || (a.room < b.room ? -1 : 1)))
	}
}

/** @param {RoomLine} r */
const soon = r => Date.parse(r.next ?? '') || Infinity

/** A room that is to come. */
function row() {
	const at = h('time', { class: 'when' })
	const title = h('span', { class: 'title', dir: 'auto' })
	const facts = h('span', { class: 'facts' })
	const link = h('a', {}, h('span', { class: 'words' }, at, title, facts))
	const tell = telling()
	return {
		element: h('li', { class: 'row' }, link, tell.element),
		/** @param {RoomLine} r */
		update: r => {
			set(link, { href: '#room/' + r.room })
			say(at, r.next ? dayTime(r.next) : '')
			set(at, { datetime: r.next })
			say(title, r.title)
			set(title, { lang: r.language, 'data-strange': !r.known })
			say(facts, [r.language && languageName(r.language), ...r.topics.map(isolate), r.locked && t('later.locked'), !r.listed && t('unlisted')].filter(Boolean).join(' · '))
			tell.update(r)
		},
	}
}

/**
 * A button by which one is told when a room opens, or told no more.
 * @param {string} [tell] the word for it
 * @param {string} [hush]
 */
export function telling(tell = 'later.tell', hush = 'later.hush') {
	let room = ''
	let on = false
	const problem = h('span', { class: 'problem', role: 'alert' })
	const button = h('button', {
		onclick: () => {
			if (!on) beTold()
			post(roomPath(room, 'follow'), { on: !on }).then(() => say(problem, ''), e => say(problem, inWords(e)))
		},
	})
	return {
		element: h('span', { class: 'telling' }, button, problem),
		/** @param {{room: string, title: string, following: boolean}} r */
		update: r => {
			room = r.room
			on = r.following
			say(button, t(on ? hush : tell))
			set(button, { 'aria-label': `${t(on ? hush : tell)}: ${r.title}` })
		},
	}
}

/** What is shown of a room until it opens, to who has its link. */
export class Awaited {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		this.waits = false // to be let in once it is open, as they asked
		this.wait = h('button', { class: 'main', onclick: () => this.turn() })
		this.telling = telling()
		this.buttons = [this.wait, this.telling.element]
	}

	/** @param {RoomLine} r @returns {string} what is said above the buttons */
	show(r) {
		this.telling.update(r)
		say(this.wait, t(this.waits ? 'later.wait.not' : 'later.wait'))
		return t(this.waits ? 'later.waits' : 'later.opens', { when: r.next ? dayTime(r.next) : '' })
	}

	turn() {
		this.waits = !this.waits
		this.room.show()
	}

	/** It is to come no more. @param {boolean} open */
	over(open) {
		if (open) this.room.tell(t('later.now', { title: this.room.far?.title ?? '' }))
		if (open && this.waits) this.room.listen()
		this.waits = false
	}
}

/**
 * A field for a time that is to come, here and to the minute; its value is '' or
 * what the API takes.
 * @param {string} label
 * @param {Date | undefined} at as it is now
 */
export function timeField(label, at) {
	const field = h('input', { type: 'datetime-local', min: localMinute(new Date()) })
	if (at && at > new Date()) field.value = localMinute(at)
	return {
		element: h('label', {}, label, field),
		field,
		/** @returns {string | undefined} */
		at: () => (field.value ? new Date(field.value).toISOString() : undefined),
	}
}

/** What such a field proposes. */
export function proposed() {
	return new Date(Math.ceil((Date.now() + ahead / 2) / ahead) * ahead)
}

/** A time as its field wants it. @param {Date} at */
function localMinute(at) {
	return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
