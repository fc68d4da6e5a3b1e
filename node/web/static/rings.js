// @ts-check
/**
 * Rings, seen from above: those who speak inside, those who hear around them.
 * The mark, a room's glyph, the stage and the network are this one shape.
 * @module
 */

import { h } from './view.js'

/** @typedef {{x: number, y: number}} Point */

/**
 * Places on a circle, the first at the top.
 * @param {number} n
 * @param {number} radius
 * @param {number} [turn] in parts of the circle
 * @returns {Point[]}
 */
export function circle(n, radius, turn = 0) {
	return Array.from({ length: n }, (_, i) => {
		const angle = 2 * Math.PI * (i / n + turn) - Math.PI / 2
		return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) }
	})
}

/**
 * How many dots stand for a number of listeners: it grows as its logarithm.
 * @param {number} listeners
 */
export function dots(listeners) {
	return listeners <= 4 ? listeners : Math.min(24, 4 + Math.round(2 * Math.log2(listeners / 4)))
}

/**
 * A room as its glyph: the stage inside, the audience around.
 * @param {{speakers: number, listeners: number}} room
 * @param {number} [speaking] how many of those inside are lit
 */
export function glyph({ speakers, listeners }, speaking = 0) {
	const stage = Math.min(8, speakers)
	const inner = stage === 1 ? [{ x: 0, y: 0 }] : circle(stage, 11)
	return h('svg', { class: 'glyph', viewBox: '-36 -36 72 72', 'aria-hidden': 'true' },
		h('circle', { r: 20, class: 'arc' }),
		...inner.map((p, i) => h('circle', { cx: p.x, cy: p.y, r: 4.5, class: i < speaking ? 'dot lit' : 'dot' })),
		...circle(dots(listeners), 30).map(p => h('circle', { cx: p.x, cy: p.y, r: 2, class: 'ear' })))
}

/** The mark: a dot between two arcs. */
export function mark() {
	return h('svg', { class: 'mark', viewBox: '-16 -16 32 32', 'aria-hidden': 'true' },
		h('circle', { r: 4 }),
		h('path', { d: 'M-6.5 -8.5 A10.7 10.7 0 0 0 -6.5 8.5 M6.5 -8.5 A10.7 10.7 0 0 1 6.5 8.5' }))
}

const hues = 8

/**
 * Somebody's face: arcs that their key decides, and the first letter of the name. The
 * colour is theirs, if they chose one, else their key's.
 * @param {string} peer
 * @param {string} name
 * @param {string} [colour]
 */
export function avatar(peer, name, colour) {
	const key = sum(peer)
	const arcs = 2 + (key % 3)
	const turn = ((key >>> 4) % 16) / 16
	const drawn = Array.from({ length: arcs }, (_, i) => {
		const length = 0.35 + 0.5 * (((key >>> (8 + 4 * i)) % 8) / 8)
		const [a, b] = [(i + turn) / arcs, (i + turn + length) / arcs].map(part => 2 * Math.PI * part)
		const r = 26
		return h('path', { d: `M${r * Math.cos(a)} ${r * Math.sin(a)} A${r} ${r} 0 0 1 ${r * Math.cos(b)} ${r * Math.sin(b)}` })
	})
	return h('svg', { class: `avatar hue${colour ? '-' + colour : key % hues}`, viewBox: '-36 -36 72 72', 'aria-hidden': 'true' },
		h('circle', { r: 30, class: 'face' }), ...drawn, h('text', { y: 1 }, initial(name)))
}

/** Draws somebody's face, once, and as often as it changes. @param {HTMLElement} face @param {{peer: string, name: string, colour: string}} m */
export function drawFace(face, { peer, name, colour }) {
	const drawn = [peer, name, colour].join('\n')
	if (face.dataset.drawn === drawn) return
	face.dataset.drawn = drawn
	face.replaceChildren(avatar(peer, name, colour))
}

/** The first letter as people see it: a grapheme. @param {string} name */
export function initial(name) {
	const [first] = new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(name || '·')
	return first.segment.toLocaleUpperCase()
}

/** FNV-1a. @param {string} text */
function sum(text) {
	let hash = 0x811c9dc5
	for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
	return hash >>> 0
}
