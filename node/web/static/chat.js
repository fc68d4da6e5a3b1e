// @ts-check
/**
 * What people write in a room, and what else they show: chat, reactions, captions.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { alike, note, showPerson, whoLeft } from './person.js'
import { List, h, oneStop, say, set } from './view.js'
import { language, t } from './words.js'

/**
 * @typedef {{id: string, order: number, peer: string, name: string, text: string, said: string, hidden: boolean, you: boolean, revision: number, petname?: string, blocked?: boolean, folded?: number}} Line folded: how many of somebody blocked it stands for
 * @typedef {{id: string, peer: string, name: string, language: string, text: string, final: boolean, petname?: string}} Caption
 * @typedef {{room: string, revision: number, messages: Line[], reactions: Record<string, number>, captions: Caption[], may_hide: boolean}} News
 */

const mostBytes = 500
const mostKept = 500
const captionsShown = 2
const captionFor = 8000 // ms, after its last word
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
		/** @type {Map<string, {text: string, at: number}>} when a caption was last another */
		this.heard = new Map()
		this.lines = h('ol')
		this.stop = oneStop(this.lines, '.name', -1)
		this.log = h('div', { class: 'lines', role: 'log', tabindex: '0', 'aria-label': t('chat') }, this.lines)
		this.list = new List(this.lines, l => l.id, () => this.line())
		this.text = h('textarea', { rows: '1', dir: 'auto', 'aria-label': t('chat.write'), placeholder: t('chat.write'), oninput: (/** @type {InputEvent} */ e) => this.measure(e.isComposing), onkeydown: (/** @type {KeyboardEvent} */ e) => this.key(e) })
		this.sends = h('button', { type: 'submit', disabled: true }, t('chat.send'))
		this.trouble = h('p', { class: 'problem', role: 'alert' })
		this.counts = new Map(emoji.map(e => [e, h('span', {})]))
		this.element = h('section', { class: 'chat', hidden: true }, h('h2', {}, t('chat')), this.log,
			h('form', { class: 'writing', onsubmit: (/** @type {Event} */ e) => this.send(e) }, this.text, this.sends), this.trouble,
			h('div', { class: 'reactions', role: 'group', 'aria-label': t('react') },
				emoji.map(e => h('button', { class: 'quiet', onclick: () => this.ask('reactions', { emoji: e }) }, e, this.counts.get(e)))))
		this.captions = h('p', { class: 'captions', 'aria-label': t('captions'), hidden: true })
		this.word = h('span', {}, t('chat'))
		this.button = h('button', { hidden: true, onclick: () => this.open() }, icon(), this.word)
		this.beat = setInterval(() => this.showCaptions(), 1000)
	}

	close() {
		clearInterval(this.beat)
	}

	/** @param {Talk | undefined} talk @param {boolean} inside */
	show(talk, inside) {
		this.element.hidden = this.button.hidden = !inside
		this.talk = talk
		const lines = (talk?.lines ?? []).filter(l => !l.blocked)
		const atEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 8
		this.mayHide = talk?.mayHide ?? false
		this.list.show(fold(talk?.lines ?? []))
		this.log.hidden = this.lines.childElementCount === 0
		this.stop()
		if (atEnd) this.log.scrollTop = this.log.scrollHeight
		for (const [e, count] of this.counts) say(count, talk?.reactions[e] ? String(talk.reactions[e]) : '')
		this.showUnread(lines)
		this.showCaptions()
	}

	/** Counts what was written while the lines were out of view. @param {Line[]} lines */
	showUnread(lines) {
		const box = this.log.getBoundingClientRect()
		const visible = box.height > 0 && box.bottom <= innerHeight && document.hasFocus()
		if (visible || this.seen === undefined) this.seen = lines.at(-1)?.id ?? ''
		const unread = lines.slice(lines.findIndex(l => l.id === this.seen) + 1).filter(l => !l.you).length
		say(this.word, unread > 0 ? t('chat.new', { n: unread }) : t('chat'))
	}

	/** What was just said, as text. */
	showCaptions() {
		const now = Date.now()
		const all = this.talk?.captions ?? []
		for (const c of all) if (this.heard.get(c.id)?.text !== c.text) this.heard.set(c.id, { text: c.text, at: this.heard.size === 0 && all.length > 1 ? 0 : now })
		for (const id of this.heard.keys()) if (!all.some(c => c.id === id)) this.heard.delete(id)
		const fresh = all.filter(c => now - (this.heard.get(c.id)?.at ?? 0) < captionFor).slice(-captionsShown)
		this.captions.hidden = fresh.length === 0
		const key = JSON.stringify(fresh)
		if (this.captions.dataset.key === key) return
		this.captions.dataset.key = key
		this.captions.replaceChildren(...fresh.map(c => h('span', { dir: 'auto', lang: c.language || null }, h('b', {}, h('bdi', {}, this.room.members.get(c.peer)?.name ?? (c.petname || c.name)), ': '), c.text)))
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
		const name = h('button', { class: 'name', 'aria-haspopup': 'dialog', onclick: () => showPerson(this.room, this.room.members.get(line.peer) ?? whoLeft(line)) }, called)
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
				say(at, new Date(l.said).toLocaleTimeString(language(), { hour: '2-digit', minute: '2-digit' }))
				set(at, { datetime: l.said })
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

function icon() {
	return h('svg', { class: 'icon', viewBox: '-12 -12 24 24', 'aria-hidden': 'true' }, h('path', { d: 'M-9 -7 h18 v12 h-9 l-5 4 v-4 h-4 z M-5 -3 h10 M-5 1 h6' }))
}
