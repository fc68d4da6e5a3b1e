// @ts-check
/**
 * What people write in a room, and what else they show, for who listens to read along:
 * chat, reactions, captions.
 * @module
 */

import { chosen, t } from './words.js'

/** @typedef {{id: string, order: number, who: string, name: string, text: string, said: string, hidden: boolean, guest: boolean, key?: string}} Line */
/** @typedef {{id: string, name: string, language: string, text: string}} Caption */
/** @typedef {{whole: boolean, next: number, lines: Line[], reactions: Record<string, number>, captions: Caption[]}} News */

const mostLines = 100
const mostCaptions = 50
const captionsShown = 2
const captionFor = 8000 // ms, after its last word

/** @param {string} id @returns {any} */
const at = id => document.getElementById(id)

/**
 * @param {string} name of an element
 * @param {string} className
 * @param {string} text
 */
function part(name, className, text) {
	const element = document.createElement(name)
	element.className = className
	element.textContent = text
	return element
}

export class Talk {
	/** @param {() => string} own the key of this browser's guest, '' while there is none */
	constructor(own) {
		this.own = own
		this.session = ''
		this.changed = () => {}
		/** @type {EventSource | null} */
		this.events = null
		/** @type {Map<string, Line>} */
		this.lines = new Map()
		/** @type {Map<string, HTMLLIElement>} */
		this.items = new Map()
		this.next = 1 // the order of what is written next
		/** @type {Caption[]} */
		this.captions = []
		/** @type {Map<string, {text: string, at: number}>} when a caption was last another */
		this.heard = new Map()
		setInterval(() => this.caption(), 1000)
	}

	/** Reads along with a session; '' ends it. @param {string} session its path */
	follow(session) {
		if (session === this.session) return
		this.session = session
		this.events?.close()
		this.events = null
		at('talk').hidden = !session
		if (!session) return
		this.events = new EventSource(session + '/talk')
		this.events.addEventListener('talk', e => this.take(JSON.parse(e.data)))
		this.events.addEventListener('over', () => this.events?.close())
	}

	/** @param {News} news */
	take(news) {
		if (news.whole) this.lines.clear()
		for (const l of news.lines) this.lines.set(l.id, l)
		this.next = news.next
		const sorted = [...this.lines.values()].sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1)).slice(-mostLines)
		this.lines = new Map(sorted.map(l => [l.id, l]))
		this.show(sorted)
		this.changed()
		const shown = Object.entries(news.reactions).map(([emoji, n]) => part('span', '', `${emoji} ${n}`))
		at('reactions').replaceChildren(...shown)
		at('reactions').hidden = shown.length === 0
		if (news.whole) this.captions = []
		for (const c of news.captions) {
			const i = this.captions.findIndex(o => o.id === c.id)
			this.captions.splice(i < 0 ? this.captions.length : i, 1, c)
			if (this.heard.get(c.id)?.text !== c.text) this.heard.set(c.id, { text: c.text, at: news.whole ? 0 : Date.now() })
		}
		this.captions = this.captions.slice(-mostCaptions)
		for (const id of this.heard.keys()) if (!this.captions.some(c => c.id === id)) this.heard.delete(id)
		this.caption()
	}

	/** Shows lines; those that stand stay, so that they are not read aloud again. @param {Line[]} lines */
	show(lines) {
		const log = at('log')
		const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8
		for (const [id, item] of this.items) {
			if (this.lines.has(id)) continue
			item.remove()
			this.items.delete(id)
		}
		/** @type {Element | null} */
		let place = at('lines').firstElementChild
		for (const l of lines) {
			let item = this.items.get(l.id)
			if (!item) this.items.set(l.id, (item = document.createElement('li')))
			if (!item.firstChild || item.classList.contains('hidden') !== l.hidden) this.fill(item, l)
			if (item === place) place = item.nextElementSibling
			else at('lines').insertBefore(item, place)
		}
		at('empty').textContent = lines.length ? '' : t('empty')
		log.hidden = lines.length === 0
		if (atEnd) log.scrollTop = log.scrollHeight
	}

	/** @param {HTMLLIElement} item @param {Line} l */
	fill(item, l) {
		item.classList.toggle('hidden', l.hidden)
		const mark = l.key && l.key === this.own() ? t('you') : l.guest ? t('guest') : ''
		const time = new Date(l.said).toLocaleTimeString(chosen(), { hour: '2-digit', minute: '2-digit' })
		const words = part('span', 'words', l.hidden ? t('hidden') : l.text)
		words.dir = 'auto'
		item.replaceChildren(part('bdi', 'by', l.name), part('span', 'mark', mark), part('time', '', time), words)
	}

	/** Shows what was just said, as text. */
	caption() {
		const fresh = this.captions.filter(c => Date.now() - (this.heard.get(c.id)?.at ?? 0) < captionFor).slice(-captionsShown)
		const key = JSON.stringify(fresh)
		if (at('captions').dataset.key === key) return
		at('captions').dataset.key = key
		at('captions').hidden = fresh.length === 0
		at('captions').replaceChildren(...fresh.map(c => {
			const line = part('span', '', '')
			line.dir = 'auto'
			line.lang = c.language
			line.append(part('bdi', 'by', c.name), ': ', c.text)
			return line
		}))
	}
}

/**
 * What somebody typed, as the room takes it: on one line, with nothing in it that can't
 * be seen or turns the text around.
 * @param {string} typed
 */
export const clean = typed => typed.normalize('NFC').replace(/\s+/gu, ' ').replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, '').trim()
