// @ts-check
/**
 * What people say, as text: shown as it comes, kept to be read again, and typed by
 * whoever may speak.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { h, say } from './view.js'
import { t } from './words.js'

/** @typedef {{id: string, peer: string, name: string, language: string, text: string, final: boolean, petname?: string}} Caption */
/** @typedef {import('./chat.js').Talk} Talk */

const shownAtOnce = 2
const shownFor = 8000 // ms, after its last word
const mostKept = 200 // of what was said
const pace = 1000 // ms between two pieces of what is being typed
const mostBytes = 250 // of one caption: what is longer goes on in the next

export class Captions {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		/** @type {Talk | undefined} */
		this.talk = undefined
		/** @type {Map<string, {text: string, at: number}>} when a caption was last another */
		this.heard = new Map()
		/** @type {Map<string, HTMLElement>} by caption: the line that keeps it */
		this.kept = new Map()
		/** @type {ReturnType<typeof setTimeout> | undefined} until the next piece of what is typed */
		this.sending = undefined
		this.now = h('p', { class: 'captions', 'aria-label': t('captions'), hidden: true })
		this.lines = h('ol', { class: 'deeds' })
		this.past = h('details', { hidden: true }, h('summary', {}, t('caption.past')), this.lines)
		this.text = h('input', { dir: 'auto', autocomplete: 'off', 'aria-label': t('caption.write'), placeholder: t('caption.write'), oninput: (/** @type {InputEvent} */ e) => e.isComposing || this.typed() })
		this.allowed = h('input', { type: 'checkbox', onchange: () => this.ask('captions/consent', { allowed: this.allowed.checked }) })
		this.trouble = h('p', { class: 'problem', role: 'alert' })
		this.typing = h('details', { hidden: true }, h('summary', {}, t('caption.say')),
			h('form', { class: 'saying', onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), this.end()) }, this.text, h('button', {}, t('chat.send'))), this.trouble,
			h('label', { class: 'option' }, this.allowed, t('caption.allow')))
		this.element = h('div', { class: 'said' }, this.typing, this.past)
		this.beat = setInterval(() => this.showNow(), 1000)
	}

	close() {
		clearInterval(this.beat)
		clearTimeout(this.sending)
	}

	/** @param {Talk | undefined} talk */
	show(talk) {
		this.talk = talk
		this.typing.hidden = !this.room.view?.you_may.includes('speak')
		this.allowed.checked = talk?.captionsAllowed ?? false
		for (const c of talk?.captions ?? []) this.keep(c)
		this.past.hidden = this.kept.size === 0
		this.showNow()
	}

	/** @param {Caption} c */
	who(c) {
		return this.room.members.get(c.peer)?.name || c.petname || c.name
	}

	/** What was just said. */
	showNow() {
		const now = Date.now()
		const all = this.talk?.captions ?? []
		for (const c of all) if (this.heard.get(c.id)?.text !== c.text) this.heard.set(c.id, { text: c.text, at: this.heard.size === 0 && all.length > 1 ? 0 : now })
		for (const id of this.heard.keys()) if (!all.some(c => c.id === id)) this.heard.delete(id)
		const fresh = all.filter(c => now - (this.heard.get(c.id)?.at ?? 0) < shownFor).slice(-shownAtOnce)
		this.now.hidden = fresh.length === 0
		const key = JSON.stringify(fresh)
		if (this.now.dataset.key === key) return
		this.now.dataset.key = key
		this.now.replaceChildren(...fresh.map(c => this.line('span', c)))
	}

	/** @param {string} tag @param {Caption} c */
	line(tag, c) {
		return h(tag, { dir: 'auto', lang: c.language || null }, h('b', {}, h('bdi', {}, this.who(c)), ': '), c.text)
	}

	/** Keeps what was said, as it was last. @param {Caption} c */
	keep(c) {
		const before = this.kept.get(c.id)
		if (before?.dataset.text === c.text) return
		const line = this.line('li', c)
		line.dataset.text = c.text
		if (before) before.replaceWith(line)
		else this.lines.append(line)
		this.kept.set(c.id, line)
		if (this.kept.size <= mostKept) return
		const [[oldest, gone]] = this.kept
		this.kept.delete(oldest)
		gone.remove()
	}

	/** Says what is typed as it grows, a piece a second; what is long enough ends. */
	typed() {
		if (new TextEncoder().encode(this.text.value).length > mostBytes) return this.end()
		this.sending ??= setTimeout(() => {
			this.sending = undefined
			this.send(false)
		}, pace)
	}

	/** What is typed is all of it. */
	end() {
		clearTimeout(this.sending)
		this.sending = undefined
		this.send(true)
		this.text.value = ''
	}

	/** @param {boolean} final */
	send(final) {
		const text = this.text.value.trim()
		if (text) this.ask('captions', { text, final, language: this.room.view?.language ?? '', typed: true })
	}

	/**
	 * @param {string} what
	 * @param {any} body
	 */
	ask(what, body) {
		post(roomPath(this.room.id, what), body).then(() => say(this.trouble, ''), e => say(this.trouble, inWords(e)))
	}
}
