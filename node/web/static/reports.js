// @ts-check
/**
 * Telling a room's host and moderators of somebody; and, for those, what they were
 * told.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { about, called } from './person.js'
import { List, ask, h, say, set } from './view.js'
import { among, language, t } from './words.js'

/** @typedef {import('./live.js').Member} Member */
/** @typedef {{peer: string, name: string, petname?: string, you: boolean}} Person */
/** @typedef {{of: Person, why: string, made: string, told: Person[], waiting: Person[]}} Sent */
/**
 * @typedef {{n: number, came: string, by: Person, door?: Person, by_new: boolean, of: Person, why: string, role: string, muted: boolean, hand: boolean,
 *   spoke: {ago_ms: number, lasted_ms: number}[], spoke_ms: number, said: {kind: string, text: string, ago_ms: number}[],
 *   reactions: {emoji: string, ago_ms: number}[]}} Report
 * @typedef {{room: string, may_read: boolean, reports: Report[], sent: Sent[]}} RoomReports
 */

const mostBytes = 300 // of the person's own words

/**
 * Asks for a word on somebody, says beforehand what is sent, and then who has it.
 * @param {string} room
 * @param {Member} m
 */
export function report(room, m) {
	const why = h('textarea', { rows: '2', maxlength: String(mostBytes), dir: 'auto' })
	const problem = h('p', { class: 'problem', role: 'alert' })
	const done = h('button', { class: 'main' }, t('report.send'))
	const form = h('form', { onsubmit: send },
		h('p', {}, t('report.say', { name: m.name })), h('label', {}, t('report.why'), why), problem,
		h('div', { class: 'acts' }, h('button', { type: 'button', onclick: () => box.close() }, t('cancel')), done))
	const box = ask(t('report', { name: m.name }), form)

	/** @param {SubmitEvent} event */
	async function send(event) {
		event.preventDefault()
		done.disabled = true
		try {
			const sent = await post(roomPath(room, 'reports'), { peer: m.peer, why: why.value.trim() })
			const close = h('button', { class: 'main', onclick: () => box.close() }, t('close'))
			form.replaceWith(h('div', {}, h('p', { role: 'status' }, ...whoHas(sent).map(s => h('span', { class: 'line' }, s))), h('div', { class: 'acts' }, close)))
			close.focus()
		} catch (e) {
			say(problem, inWords(e))
			done.disabled = false
		}
	}
}

/** Who got a report, and who is still to. @param {Sent} sent */
function whoHas({ told, waiting }) {
	const names = (/** @type {Person[]} */ people) => ({ names: among(people.map(called)) })
	return [told.length > 0 ? t('report.told', names(told)) : t('report.told.none'), waiting.length > 0 && t('report.waiting', names(waiting))].filter(s => s !== false)
}

/** What a moderator was told, the newest first. */
export class Reports {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		/** @type {number | undefined} the last one that was announced */
		this.newest = undefined
		this.rows = h('ul', { class: 'reports' })
		this.list = new List(this.rows, r => String(r.n), () => this.row())
		this.element = h('section', { hidden: true, 'aria-labelledby': 'reports' }, h('h2', { id: 'reports' }, t('reports')), h('p', { class: 'soft' }, t('reports.say')), this.rows)
	}

	/** @param {RoomReports | undefined} told none: there are none, if one is in the room @param {boolean} inside */
	show(told, inside) {
		const all = told?.may_read ? told.reports : []
		const focused = this.element.contains(document.activeElement)
		this.element.hidden = all.length === 0
		this.list.show(all)
		if (focused && !this.element.contains(document.activeElement)) this.room.ring.focus() // what had it is off the list
		if (!told && !inside) return
		const newest = Math.max(0, ...all.map(r => r.n))
		for (const r of all) if (this.newest !== undefined && r.n > this.newest) this.room.tell(sentence(r))
		this.newest = Math.max(this.newest ?? 0, newest)
	}

	/** One report. It does not change. */
	row() {
		let n = 0
		const head = h('p', { class: 'who' })
		const why = h('blockquote', { dir: 'auto' })
		const facts = h('ul', { class: 'soft' })
		const off = h('button', { onclick: () => post(roomPath(this.room.id, `reports/${n}/dismiss`)).catch(e => say(problem, inWords(e))) }, t('reports.dismiss'))
		const card = about(this.room)
		const problem = h('p', { class: 'problem', role: 'alert' })
		return {
			element: h('li', {}, head, why, facts, h('div', { class: 'acts' }, off, card.element), problem),
			/** @param {Report} r */
			update: r => {
				const here = this.room.view?.members.find(m => m.peer === r.of.peer)
				card.element.hidden = !here
				if (here) card.update(here)
				if (n === r.n) return
				n = r.n
				say(head, sentence(r))
				say(why, r.why)
				why.hidden = r.why === ''
				facts.replaceChildren(...inFacts(r).map(f => h('li', { dir: 'auto' }, f)))
				set(off, { 'aria-label': `${t('reports.dismiss')}: ${sentence(r)}` })
			},
		}
	}
}

/** @param {number} ms */
function seconds(ms) {
	return new Intl.NumberFormat(language(), { style: 'unit', unit: 'second', unitDisplay: 'short' }).format(Math.max(1, Math.round(ms / 1000)))
}

/** @param {Report} r */
function sentence(r) {
	const words = { by: called(r.by), of: called(r.of), door: r.door ? called(r.door) : '' }
	return t(r.door ? 'reports.of.guest' : r.by_new ? 'reports.of.new' : 'reports.of', words)
}

/** What the reporter's node noted in the minute before. @param {Report} r @returns {string[]} */
function inFacts(r) {
	const what = { chat: 'reports.wrote', caption: 'reports.said' }
	return [
		r.spoke_ms > 0 ? t('reports.spoke', { time: seconds(r.spoke_ms) }) : t('reports.silent'),
		...r.said.map(s => t(what[/** @type {keyof typeof what} */ (s.kind)] ?? 'reports.said', { text: s.text })),
		r.reactions.length > 0 && t('reports.reacted', { what: r.reactions.map(x => x.emoji).join(' ') }),
		r.hand && t('reports.hand'),
	].filter(f => f !== false)
}
