// @ts-check
/**
 * The network drawer: who carries the sound, as a picture and in words.
 * @module
 */

import { circle } from './rings.js'
import { h, say, set } from './view.js'
import { t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./live.js').Link} Link */

const mostDrawn = 40
const mostNamed = 14 // in the picture: more would cover each other
const mostLetters = 11 // of a name in the picture
const rings = { stage: 58, audience: 94 } // radii

export class Network {
	constructor() {
		/** @type {(() => void) | undefined} with what is newest */
		this.redraw = undefined
		/** @type {HTMLElement | undefined} where focus was */
		this.from = undefined
		this.who = h('p')
		this.yours = h('p')
		this.picture = h('svg', { class: 'net', viewBox: '-110 -110 220 220', role: 'img' })
		this.body = h('tbody')
		/** @type {Map<string, SVGGElement>} by peer: the same one moves when roles change */
		this.nodes = new Map()
		this.lines = h('g')
		this.picture.append(...Object.values(rings).map(r => h('circle', { r, class: 'arc' })), this.lines)
		this.element = h('aside', { class: 'drawer', hidden: true, 'aria-label': t('network'), onkeydown: (/** @type {KeyboardEvent} */ e) => e.key === 'Escape' && this.toggle() },
			h('div', { class: 'drawer-head' }, h('h2', {}, t('network')), h('button', { onclick: () => this.toggle() }, t('close'))),
			this.who, this.yours, this.picture,
			h('table', {}, h('thead', {}, h('tr', {}, ...['table.name', 'table.role', 'table.path', 'table.rtt', 'table.loss'].map(k => h('th', { scope: 'col' }, t(k))))), this.body))
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
		this.redraw = () => this.redrawn(view, self)
		if (!this.element.hidden) this.redraw()
	}

	/**
	 * @param {RoomView} view
	 * @param {string} self
	 */
	redrawn(view, self) {
		const name = (/** @type {string} */ peer) => view.members.find(m => m.peer === peer)?.name || view.links.find(l => l.peer === peer)?.name || peer.slice(-6)
		say(this.who, [
			view.relay && t('relay.now', { name: name(view.relay) }),
			view.standby ? t('relay.next', { name: name(view.standby) }) : t('relay.none'),
		].filter(Boolean).join(' '))
		const up = view.links.find(l => l.direction === 'up')
		say(this.yours, view.relay === self ? t('yours.self') : up ? t('yours', { name: name(up.peer), path: way(up, name) }) : '')
		this.draw(view, self, name)
		this.body.replaceChildren(...view.links.map(l => h('tr', {},
			h('th', { scope: 'row' }, h('bdi', {}, name(l.peer))), h('td', {}, t('dir.' + l.direction)), h('td', {}, way(l, name)),
			h('td', {}, `${Math.round(l.rtt_ms)} ms`), h('td', {}, `${(100 * l.loss).toFixed(1)} %`))))
	}

	/**
	 * The relay in the middle, the standby beside it, the rest around: those on
	 * stage on the inner ring, the audience on the outer.
	 * @param {RoomView} view
	 * @param {string} self
	 * @param {(peer: string) => string} name
	 */
	draw(view, self, name) {
		const others = view.members.filter(m => m.peer !== view.relay && m.peer !== view.standby).slice(0, mostDrawn)
		const inner = others.filter(m => m.role !== 'listener'), outer = others.filter(m => m.role === 'listener')
		/** @type {Map<string, {x: number, y: number}>} */
		const at = new Map()
		circle(inner.length, rings.stage, 0.35).forEach((p, i) => at.set(inner[i].peer, p))
		circle(outer.length, rings.audience, 0.05).forEach((p, i) => at.set(outer[i].peer, p))
		if (view.relay) at.set(view.relay, { x: 0, y: 0 })
		if (view.standby) at.set(view.standby, { x: 27, y: -27 })
		const crowded = at.size > mostNamed
		for (const [peer, node] of this.nodes) {
			if (!at.has(peer)) {
				node.remove()
				this.nodes.delete(peer)
			}
		}
		for (const [peer, p] of at) {
			let node = this.nodes.get(peer)
			if (!node) {
				node = h('g', { class: 'node' }, h('circle', { r: 6 }), h('text', { y: 17 }))
				this.nodes.set(peer, /** @type {SVGGElement} */ (node))
				this.picture.append(/** @type {SVGGElement} */ (node))
			}
			node?.style.setProperty('transform', `translate(${p.x}px, ${p.y}px)`)
			set(/** @type {Element} */ (node), { 'data-relay': peer === view.relay, 'data-standby': peer === view.standby, 'data-self': peer === self })
			const label = node?.querySelector('text')
			const named = !crowded || peer === view.relay || peer === view.standby || peer === self
			if (label) say(label, named ? short(name(peer)) : '')
		}
		const own = at.get(self)
		const flows = view.sources.some(s => s.hot)
		this.lines.replaceChildren(...(own ? view.links : []).filter(l => at.has(l.peer)).map(l => {
			const to = /** @type {{x: number, y: number}} */ (at.get(l.peer))
			const live = l.direction !== 'standby'
			return h('line', { x1: own?.x, y1: own?.y, x2: to.x, y2: to.y, class: live ? (flows ? 'link lit' : 'link') : 'link warm' })
		}))
		set(this.picture, { 'aria-label': this.who.textContent })
	}
}

/** A name as the picture has room for it, cut by grapheme. @param {string} name */
function short(name) {
	const letters = [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(name)].map(s => s.segment)
	return letters.length <= mostLetters ? name : letters.slice(0, mostLetters - 1).join('') + '…'
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
