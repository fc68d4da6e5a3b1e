// @ts-check
/**
 * The network drawer: who carries the sound, as a picture and in words.
 * @module
 */

import { Picture } from './picture.js'
import { h, say } from './view.js'
import { among, span, t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./live.js').Link} Link */

const mostPast = 5 // changes that are kept to be read

export class Network {
	constructor() {
		/** @type {(() => void) | undefined} with what is newest */
		this.redraw = undefined
		/** @type {HTMLElement | undefined} where focus was */
		this.from = undefined
		this.began = { term: 0, at: 0 } // when the relay of now began
		this.who = h('p')
		this.turn = h('p', { class: 'soft' })
		this.yours = h('p')
		this.picture = new Picture()
		this.body = h('tbody')
		this.table = h('table', {}, h('thead', {}, h('tr', {}, ...['table.name', 'table.role', 'table.rtt', 'table.loss', 'table.rate'].map(k => h('th', { scope: 'col' }, t(k))))), this.body)
		this.paths = h('ul')
		this.past = h('ul', { class: 'past' })
		this.element = h('aside', { class: 'drawer', hidden: true, 'aria-label': t('network'), onkeydown: (/** @type {KeyboardEvent} */ e) => e.key === 'Escape' && this.toggle() },
			h('div', { class: 'drawer-head' }, h('h2', {}, t('network')), h('button', { onclick: () => this.toggle() }, t('close'))),
			this.who, this.turn, this.yours, this.picture.element, this.past,
			h('h3', {}, t('paths')), this.paths, h('h3', {}, t('links')), this.table)
	}

	/** Opens it, or closes it and gives focus back to where it was. */
	toggle() {
		this.element.hidden = !this.element.hidden
		if (this.element.hidden) return this.from?.focus()
		this.from = document.activeElement instanceof HTMLElement ? document.activeElement : undefined
		this.redraw?.()
		this.element.querySelector('button')?.focus()
	}

	/**
	 * Shows the room as it is now, once somebody looks.
	 * @param {RoomView} view
	 * @param {string} self
	 */
	show(view, self) {
		if (this.began.term !== view.term) this.began = { term: view.term, at: Date.now() - view.term_since_ms }
		this.redraw = () => this.redrawn(view, self)
		if (!this.element.hidden) this.redraw()
	}

	/** Notes a change, to be read later. @param {string} sentence */
	note(sentence) {
		const now = new Date()
		this.past.prepend(h('li', {}, h('time', { datetime: now.toISOString() }, now.toLocaleTimeString(document.documentElement.lang, { timeStyle: 'short' })), ' ', sentence))
		while (this.past.children.length > mostPast) this.past.lastElementChild?.remove()
	}

	/**
	 * @param {RoomView} view
	 * @param {string} self
	 */
	redrawn(view, self) {
		const name = (/** @type {string} */ peer) => view.members.find(m => m.peer === peer)?.name || view.links.find(l => l.peer === peer)?.name || peer.slice(-6)
		const who = [
			view.relay && t('relay.now', { name: name(view.relay) }),
			view.standby ? t('relay.next', { name: name(view.standby) }) : t('relay.none'),
			view.standby && !view.independent && t('relay.near'),
		].filter(Boolean).join(' ')
		say(this.who, who)
		say(this.turn, view.relay ? t('relay.turn', { name: name(view.relay), time: span(Date.now() - this.began.at) }) : '')
		const up = view.links.find(l => l.direction === 'up')
		say(this.yours, view.relay === self ? t('yours.self') : up ? t('yours', { name: name(up.peer), path: way(up, name) }) : '')
		this.picture.show(view, self, name)
		this.picture.element.setAttribute('aria-label', who)
		this.showPaths(view, name)
		this.body.replaceChildren(...view.links.map(l => h('tr', {},
			h('th', { scope: 'row' }, h('bdi', {}, name(l.peer))), h('td', {}, t('dir.' + l.direction), h('br'), h('span', { class: 'soft' }, way(l, name))),
			h('td', {}, `${Math.round(l.rtt_ms)} ms`), h('td', {}, `${(100 * l.loss).toFixed(1)} %`),
			h('td', {}, t('rate.in', { n: l.received_kbps }), h('br'), t('rate.out', { n: l.sent_kbps })))))
	}

	/**
	 * Who gets the sound from whom, in a sentence for each who passes it on.
	 * @param {RoomView} view
	 * @param {(peer: string) => string} name
	 */
	showPaths(view, name) {
		const here = view.members.filter(m => !m.lost)
		const sentences = []
		for (const { peer } of here) {
			const to = here.filter(m => m.live_parent === peer), spare = here.filter(m => m.warm_parent === peer)
			if (to.length > 0) sentences.push(t('path.to', { name: name(peer), names: among(to.map(m => m.name)) }))
			if (spare.length > 0) sentences.push(t('path.spare', { name: name(peer), names: among(spare.map(m => m.name)) }))
		}
		if (sentences.length === 0) sentences.push(t('path.none'))
		if (this.paths.dataset.said === sentences.join()) return // what is being read stays
		this.paths.dataset.said = sentences.join()
		this.paths.replaceChildren(...sentences.map(s => h('li', {}, s)))
	}
}

/**
 * How sound goes, in words.
 * @param {Link} link
 * @param {(peer: string) => string} name
 */
function way(link, name) {
	const path = t('path.' + (link.path || 'udp'))
	return link.via ? t('path.both', { path, via: t('path.via', { name: name(link.via) }) }) : path
}
