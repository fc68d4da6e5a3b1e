// @ts-check
/**
 * A room as a picture: who carries the sound in the middle, who takes over
 * beside, those on stage around them, the audience outside. Lines are who gets
 * the sound from whom; when somebody goes, everything slides to its new place.
 * @module
 */

import { circle } from './rings.js'
import { h, say, set } from './view.js'
import { t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./live.js').Member} Member */
/** @typedef {import('./rings.js').Point} Point */
/** @typedef {{from: string, to: string, live: boolean, lit: boolean}} Line */

const mostDrawn = 48 // on a ring: more is a number
const mostNamed = 14 // in the picture: more would cover each other
const mostLetters = 11 // of a name
const radii = { stage: 58, audience: 96 }
const beside = { x: 30, y: -30 } // the middle, an eighth of a turn from the top
const glide = 600 // ms to a new place
const fade = 200 // ms until somebody who went is gone

/**
 * Where everybody stands. Of an audience too large for its ring, some do not.
 * @param {RoomView} view
 * @param {string} self who is always drawn
 * @returns {Map<string, Point>} by peer
 */
export function places(view, self) {
	/** @type {Map<string, Point>} */
	const at = new Map()
	const others = view.members.filter(m => !m.lost && m.peer !== view.relay && m.peer !== view.standby)
	const ring = (/** @type {Member[]} */ all, /** @type {number} */ radius, /** @type {number} */ free) => {
		const drawn = new Set([...all.filter(m => m.peer === self), ...all.filter(m => m.peer !== self)].slice(0, mostDrawn))
		const kept = all.filter(m => drawn.has(m)) // in their own order
		const left = Math.ceil(free * kept.length), n = left + kept.length
		circle(n, radius, 1 / 8 - (left - 1) / 2 / n).slice(left).forEach((p, i) => at.set(kept[i].peer, p))
	}
	ring(others.filter(m => m.role !== 'listener'), radii.stage, 1 / 4) // left free where the standby is
	ring(others.filter(m => m.role === 'listener'), radii.audience, 0)
	if (view.relay) at.set(view.relay, { x: 0, y: 0 })
	if (view.standby) at.set(view.standby, beside)
	return at
}

/**
 * Who gets the sound from whom, by what each says of itself and by what this
 * node's own links are.
 * @param {RoomView} view
 * @param {string} self
 * @returns {Map<string, Line>}
 */
export function lines(view, self) {
	/** @type {Map<string, Line>} */
	const out = new Map()
	const add = (/** @type {Line} */ line) => {
		const key = [line.from, line.to].sort().join(' ')
		const known = out.get(key)
		if (line.from !== line.to && (!known || (line.live && !known.live))) out.set(key, line)
	}
	const hot = new Set(view.sources.filter(s => s.hot).map(s => s.peer))
	for (const m of view.members) {
		const speaks = hot.has(m.peer), hears = hot.size > 0 && (m.listening || m.peer === view.standby)
		const from = m.live_parent || m.guest_of
		if (from) add({ from, to: m.peer, live: true, lit: speaks || hears })
		if (m.warm_parent) add({ from: m.warm_parent, to: m.peer, live: false, lit: speaks }) // who speaks sends to both
	}
	for (const l of view.links) {
		const live = l.direction !== 'standby'
		add({ from: l.peer, to: self, live, lit: live && hot.size > 0 })
	}
	return out
}

export class Picture {
	constructor() {
		this.webs = h('g') // lines, under everybody
		this.more = h('text', { class: 'more', y: 116 })
		this.element = h('svg', { class: 'net', viewBox: '-118 -112 236 232', role: 'img', 'aria-label': t('network') },
			...Object.values(radii).map(r => h('circle', { r, class: 'arc' })), this.webs, this.more)
		/** @type {Map<string, SVGGElement>} by peer */
		this.nodes = new Map()
		/** @type {Map<string, SVGLineElement>} by both peers */
		this.drawn = new Map()
		/** @type {Map<string, Line>} */
		this.lines = new Map()
		/** @type {Map<string, Point>} where everybody is now */
		this.at = new Map()
		this.frame = 0
		this.still = matchMedia('(prefers-reduced-motion: reduce)')
	}

	/**
	 * @param {RoomView} view
	 * @param {string} self
	 * @param {(peer: string) => string} name
	 */
	show(view, self, name) {
		const to = places(view, self)
		const crowded = to.size > mostNamed
		const speaking = new Set(view.sources.filter(s => s.hot).map(s => s.peer))
		for (const [peer, node] of this.nodes) if (!to.has(peer)) this.remove(peer, node)
		for (const peer of to.keys()) {
			const node = this.node(peer)
			set(node, { 'data-relay': peer === view.relay, 'data-standby': peer === view.standby, 'data-self': peer === self, 'data-lit': speaking.has(peer) })
			say(/** @type {Element} */ (node.querySelector('title')), name(peer))
			const named = !crowded || peer === view.relay || peer === view.standby || peer === self || speaking.has(peer)
			say(/** @type {Element} */ (node.querySelector('text')), named ? short(name(peer)) : '')
		}
		this.lines = new Map([...lines(view, self)].filter(([, l]) => to.has(l.from) && to.has(l.to)))
		for (const [key, line] of this.drawn) {
			if (this.lines.has(key)) continue
			line.remove()
			this.drawn.delete(key)
		}
		for (const [key, { live, lit }] of this.lines) {
			const line = this.drawn.get(key) ?? h('line')
			set(line, { class: ['link', lit ? 'lit' : '', live ? '' : 'warm'].join(' ').trim() })
			if (!this.drawn.has(key)) this.webs.append(line)
			this.drawn.set(key, line)
		}
		set(this.element, { 'data-crowded': crowded })
		const left = view.members.filter(m => !m.lost && !to.has(m.peer)).length
		say(this.more, left > 0 ? t('more', { n: left }) : '')
		this.move(to)
	}

	/** Somebody, drawn now or before. @param {string} peer @returns {SVGGElement} */
	node(peer) {
		let node = this.nodes.get(peer)
		if (!node) {
			node = /** @type {SVGGElement} */ (h('g', { class: 'node' }, h('title'), h('circle', { r: 6 }), h('text', { y: 17 })))
			this.nodes.set(peer, node)
			this.element.append(node)
		}
		return node
	}

	/** @param {string} peer @param {SVGGElement} node */
	remove(peer, node) {
		this.nodes.delete(peer)
		this.at.delete(peer)
		set(node, { 'data-gone': true })
		setTimeout(() => node.remove(), this.still.matches ? 0 : fade)
	}

	/**
	 * Has everybody slide to their place, and the lines with them; who is new is
	 * there at once.
	 * @param {Map<string, Point>} to
	 */
	move(to) {
		const from = new Map([...to].map(([peer, p]) => [peer, this.at.get(peer) ?? p]))
		const moves = [...to].some(([peer, p]) => from.get(peer)?.x !== p.x || from.get(peer)?.y !== p.y)
		const began = performance.now()
		const step = (/** @type {number} */ now) => {
			const part = moves && !this.still.matches && !document.hidden ? Math.max(0, Math.min(1, (now - began) / glide)) : 1
			const done = 1 - (1 - part) ** 4
			for (const [peer, b] of to) {
				const a = from.get(peer) ?? b
				this.at.set(peer, { x: a.x + done * (b.x - a.x), y: a.y + done * (b.y - a.y) })
			}
			this.draw()
			if (part < 1) this.frame = requestAnimationFrame(step)
		}
		cancelAnimationFrame(this.frame)
		step(began)
	}

	/** Puts everything where it is now. */
	draw() {
		for (const [peer, { x, y }] of this.at) set(/** @type {Element} */ (this.nodes.get(peer)), { transform: `translate(${x} ${y})` })
		for (const [key, line] of this.lines) {
			const a = this.at.get(line.from), b = this.at.get(line.to)
			if (a && b) set(/** @type {Element} */ (this.drawn.get(key)), { x1: a.x, y1: a.y, x2: b.x, y2: b.y })
		}
	}
}

/** A name as the picture has room for it, cut by grapheme. @param {string} name */
function short(name) {
	const letters = [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(name)].map(s => s.segment)
	return letters.length <= mostLetters ? name : letters.slice(0, mostLetters - 1).join('') + '…'
}
