// @ts-check
/**
 * What people write in a room, and their reactions; among it, what is done there.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { alike, note, outside, showPerson } from './person.js'
import { List, h, oneStop, say, set } from './view.js'
import { language, t } from './words.js'

/**
 * @typedef {{id: string, order: number, peer: string, name: string, text: string, said: string, hidden: boolean, you: boolean, revision: number, petname?: string, blocked?: boolean, folded?: number}} Line folded: how many of somebody blocked it stands for
 * @typedef {import('./captions.js').Caption} Caption
 * @typedef {{room: string, revision: number, messages: Line[], reactions: Record<string, number>, captions: Caption[], may_hide: boolean, captions_allowed: boolean}} News
 * @typedef {{id: string, order: number, said: string, deed: string}} Deed what was done, in a sentence; its order is that of the message before it
 */

const mostBytes = 500
const mostKept = 500
const mostDeeds = 100
const emoji = ['👏', '❤️', '😂', '🎉', '👍', '👎', '😮', '😢', '🙏', '🔥']

/** All that is known of one room's chat. */
export class Talk {
	constructor() {
		/** @type {Line[]} in order */
		this.lines = []
		this.revision = 0
		/** @type {Record<string, number>} */
		this.reactions = {}
		/** @type {Caption[]} */
		this.captions = []
		this.captionsAllowed = false // by this node's person
		this.mayHide = false
	}

	/** Takes what is new. @param {News} news */
	take(news) {
		if (news.revision < this.revision) this.lines = [] // the node has left and come back
		this.revision = news.revision
		const lines = new Map(this.lines.map(l => [l.id, l]))
		for (const l of news.messages) lines.set(l.id, l)
		this.lines = [...lines.values()].sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1)).slice(-mostKept)
		this.reactions = news.reactions
		this.captions = news.captions
		this.captionsAllowed = news.captions_allowed
		this.mayHide = news.may_hide
	}
}

/** What those wrote whom one has blocked is folded away: one item for all in a row. @param {Line[]} lines */
function fold(lines) {
	/** @type {Line[]} */
	const out = []
	for (const line of lines) {
		const last = out.at(-1)
		if (!line.blocked) out.push(line)
		else if (last?.folded && last.peer === line.peer) last.folded++
		else out.push({ ...line, folded: 1 })
	}
	return out
}

export class Chat {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		/** @type {string | undefined} the last line that was seen here */
		this.seen = undefined
		this.mayHide = false
		/** @type {Deed[]} */
		this.deeds = []
		this.lines = h('ol')
		this.stop = oneStop(this.lines, '.name', -1)
		this.log = h('div', { class: 'lines', role: 'log', tabindex: '0', 'aria-label': t('chat') }, this.lines)
		/** @type {List<Line | Deed>} */
		this.list = new List(this.lines, l => l.id, l => /** @type {any} */ ('deed' in l ? deedLine() : this.line()))
		this.text = h('textarea', { rows: '1', dir: 'auto', 'aria-label': t('chat.write'), placeholder: t('chat.write'), oninput: (/** @type {InputEvent} */ e) => this.measure(e.isComposing), onkeydown: (/** @type {KeyboardEvent} */ e) => this.key(e) })
		this.sends = h('button', { type: 'submit', disabled: true }, t('chat.send'))
		this.trouble = h('p', { class: 'problem', role: 'alert' })
		this.counts = new Map(emoji.map(e => [e, h('span', {})]))
		this.element = h('section', { class: 'chat', hidden: true }, h('h2', {}, t('chat')), this.log,
			h('form', { class: 'writing', onsubmit: (/** @type {Event} */ e) => this.send(e) }, this.text, this.sends), this.trouble,
			h('div', { class: 'reactions', role: 'group', 'aria-label': t('react') },
				emoji.map(e => h('button', { class: 'quiet', onclick: () => this.ask('reactions', { emoji: e }) }, e, this.counts.get(e)))))
		this.word = h('span', {}, t('chat'))
		this.button = h('button', { hidden: true, onclick: () => this.open() }, icon(), this.word)
	}

	/** @param {Talk | undefined} talk @param {boolean} inside */
	show(talk, inside) {
		this.element.hidden = this.button.hidden = !inside
		this.talk = talk
		const lines = (talk?.lines ?? []).filter(l => !l.blocked)
		const atEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 8
		this.mayHide = talk?.mayHide ?? false
		this.list.show([...fold(talk?.lines ?? []), ...this.deeds].sort((a, b) => a.order - b.order))
		set(this.log, { tabindex: this.lines.firstChild ? '0' : null }) // an empty one is there too: what comes first is read out
		this.stop()
		if (atEnd) this.log.scrollTop = this.log.scrollHeight
		for (const [e, count] of this.counts) say(count, talk?.reactions[e] ? String(talk.reactions[e]) : '')
		this.showUnread(lines)
	}

	/** Takes what was done into the lines, after those that are there now. @param {Omit<Deed, 'order'>} deed */
	note(deed) {
		this.deeds = [...this.deeds, { ...deed, order: this.talk?.lines.at(-1)?.order ?? 0 }].slice(-mostDeeds)
		this.show(this.talk, true)
	}

	/** Counts what was written while the lines were out of view. @param {Line[]} lines */
	showUnread(lines) {
		const box = this.log.getBoundingClientRect()
		const visible = box.height > 0 && box.bottom <= innerHeight && document.hasFocus()
		if (visible || this.seen === undefined) this.seen = lines.at(-1)?.id ?? ''
		const unread = lines.slice(lines.findIndex(l => l.id === this.seen) + 1).filter(l => !l.you).length
		say(this.word, unread > 0 ? t('chat.new', { n: unread }) : t('chat'))
	}

	open() {
		this.element.scrollIntoView({ block: 'center' })
		this.log.scrollTop = this.log.scrollHeight
		this.text.focus({ preventScroll: true })
	}

	/** @param {boolean} [composing] by an input method, which is not to be disturbed */
	measure(composing = false) {
		const text = this.text.value.trim()
		if (text === '' && !composing) this.text.value = ''
		const over = new TextEncoder().encode(text).length > mostBytes
		this.sends.disabled = text === '' || over
		say(this.trouble, over ? t('chat.long') : '')
	}

	/** Enter sends, but not while an input method composes. @param {KeyboardEvent} e */
	key(e) {
		if (e.key !== 'Enter' || e.shiftKey || e.isComposing || e.keyCode === 229) return
		e.preventDefault()
		if (!this.sends.disabled) this.send(e)
	}

	/** @param {Event} e */
	async send(e) {
		e.preventDefault()
		const text = this.text.value
		this.text.value = ''
		this.measure()
		if (!(await this.ask('chat', { text })) && this.text.value === '') {
			this.text.value = text // it was not said
			this.sends.disabled = false
		}
	}

	/**
	 * @param {string} what
	 * @param {any} body
	 */
	async ask(what, body) {
		try {
			await post(roomPath(this.room.id, what), body)
			this.measure()
			return true
		} catch (e) {
			say(this.trouble, inWords(e))
			return false
		}
	}

	/** One message. */
	line() {
		/** @type {Line} */
		let line
		const called = h('bdi')
		const name = h('button', { class: 'name', 'aria-haspopup': 'dialog', onclick: () => showPerson(this.room, this.room.members.get(line.peer) ?? outside(line)) }, called)
		const mark = h('span', { class: 'soft' })
		const at = h('time', { class: 'soft' })
		const text = h('p', { dir: 'auto' })
		const hide = h('button', { class: 'quiet', onclick: () => this.ask('chat/hide', { message: line.id, shown: line.hidden }) })
		const unblock = h('button', { class: 'quiet', onclick: () => note(line.peer, { block: false }).catch(e => say(this.trouble, inWords(e))) }, t('person.unblock'))
		return {
			element: h('li', {}, h('span', { class: 'who' }, name, mark, at, hide, unblock), text),
			/** @param {Line} l */
			update: l => {
				line = l
				const m = this.room.members.get(l.peer)
				const who = m?.name ?? (l.petname || l.name)
				say(called, l.you ? `${who} (${t('you')})` : who)
				set(name, { 'aria-label': t('person', { name: who }) })
				say(mark, [m?.guest_of && t('guest.of', { name: this.room.nameOf(m.guest_of) }), m && alike(m) && t('person.alike')].filter(Boolean).join(' · '))
				showTime(at, l.said)
				say(text, l.folded ? t('chat.folded', { n: l.folded }) : l.hidden ? t('chat.hidden') : l.text)
				set(text, { class: l.hidden || l.folded ? 'soft' : null })
				hide.hidden = !this.mayHide || l.folded !== undefined
				unblock.hidden = l.folded === undefined
				set(unblock, { 'aria-label': `${t('person.unblock')}: ${who}` })
				say(hide, t(l.hidden ? 'chat.show' : 'chat.hide'))
				set(hide, { 'aria-label': `${t(l.hidden ? 'chat.show' : 'chat.hide')}: ${who}` })
			},
		}
	}
}

/** What was done. */
function deedLine() {
	const at = h('time', { class: 'soft' })
	const text = h('p', { class: 'soft' })
	return {
		element: h('li', { class: 'happened' }, text, at),
		/** @param {Deed} d */
		update: d => {
			say(text, d.deed)
			showTime(at, d.said)
		},
	}
}

/** @param {HTMLElement} at @param {string} said */
function showTime(at, said) {
	say(at, new Date(said).toLocaleTimeString(language(), { hour: '2-digit', minute: '2-digit' }))
	set(at, { datetime: said })
}

function icon() {
	return h('svg', { class: 'icon', viewBox: '-12 -12 24 24', 'aria-hidden': 'true' }, h('path', { d: 'M-9 -7 h18 v12 h-9 l-5 4 v-4 h-4 z M-5 -3 h10 M-5 1 h6' }))
}
