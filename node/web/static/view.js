// @ts-check
/**
 * Elements, made and kept. What people wrote goes in as text, never as markup.
 * @module
 */

/** @typedef {Node | string | number | false | null | undefined} Child */

const svgNames = new Set(['svg', 'g', 'circle', 'path', 'line', 'text', 'title', 'rect', 'ellipse'])

/**
 * Makes an element. Of props, `on…` are listeners, `class`, `data-…`, `aria-…`
 * and the like attributes, and what is a property of the element is set as one;
 * false, null and undefined leave an attribute out.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
	const element = svgNames.has(tag) ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
	set(element, props)
	element.append(...children.flat().filter(present).map(asNode))
	return element
}

/** @param {Child} c @returns {boolean} */
function present(c) {
	return c !== false && c !== null && c !== undefined && c !== ''
}

/** @param {Child} c @returns {Node | string} */
function asNode(c) {
	return c instanceof Node ? c : String(c)
}

/**
 * Sets what has changed of an element's props.
 * @param {Element} element
 * @param {Record<string, any>} props
 */
export function set(element, props) {
	for (const [name, value] of Object.entries(props)) {
		if (name.startsWith('on')) {
			element.addEventListener(name.slice(2), value)
		} else if (value === null || value === undefined) {
			element.removeAttribute(name)
		} else if (name in element && !(element instanceof SVGElement) && typeof value !== 'string') {
			const target = /** @type {any} */ (element)
			if (target[name] !== value) target[name] = value
		} else if (value === false) {
			element.removeAttribute(name)
		} else if (element.getAttribute(name) !== String(value)) {
			element.setAttribute(name, value === true ? '' : String(value))
		}
	}
}

/**
 * Puts text into an element, if it is another one: what is read aloud is not
 * said again for nothing.
 * @param {Element} element
 * @param {string | number} text
 */
export function say(element, text) {
	if (element.textContent !== String(text)) element.textContent = String(text)
}

/**
 * Shows a dialog, which goes when it closes.
 * @param {string} title
 * @param {...(Child | Child[])} children
 * @returns {HTMLDialogElement}
 */
export function ask(title, ...children) {
	const dialog = h('dialog', { 'aria-labelledby': 'asked', onclose: () => dialog.remove() }, h('h2', { id: 'asked' }, title), ...children)
	document.body.append(dialog)
	dialog.showModal()
	return dialog
}

/**
 * Makes one stop for Tab of the many in a list; the arrow keys go on from there. What
 * it gives is to be called when the list has changed.
 * @param {HTMLElement} list
 * @param {string} things a selector
 * @param {0 | -1} [first] to which Tab comes: the first of them, or the last
 */
export function oneStop(list, things, first = 0) {
	/** @returns {HTMLElement[]} */
	const all = () => [...list.querySelectorAll(/** @type {'button'} */ (things))]
	const mark = () => {
		const now = all()
		const stop = now.find(e => e === document.activeElement) ?? now.at(first)
		for (const e of now) set(e, { tabindex: e === stop ? '0' : '-1' })
	}
	list.addEventListener('focusin', mark)
	list.addEventListener('keydown', e => {
		const now = all()
		const at = now.findIndex(thing => thing === e.target)
		const step = { ArrowUp: -1, ArrowDown: 1 }[e.key]
		if (!step || at < 0) return
		e.preventDefault()
		now[at + step]?.focus()
	})
	return mark
}

/**
 * A list whose items stay the same elements while their keys do, so that focus,
 * hover and transitions live on.
 * @template T
 */
export class List {
	/**
	 * @param {Element} parent
	 * @param {(item: T) => string} key
	 * @param {(item: T) => {element: Element, update: (item: T) => void}} make
	 */
	constructor(parent, key, make) {
		this.parent = parent
		this.key = key
		this.make = make
		/** @type {Map<string, {element: Element, update: (item: T) => void}>} */
		this.shown = new Map()
	}

	/** @param {T[]} items */
	show(items) {
		// What is gone goes first: what stays is then moved only where the order changed.
		const keys = new Set(items.map(this.key))
		for (const [key, row] of this.shown) {
			if (keys.has(key)) continue
			row.element.remove()
			this.shown.delete(key)
		}
		const focused = document.activeElement
		let before = this.parent.firstElementChild
		for (const item of items) {
			const key = this.key(item)
			let row = this.shown.get(key)
			if (!row) {
				row = this.make(item)
				this.shown.set(key, row)
			}
			row.update(item)
			if (row.element === before) before = before.nextElementSibling
			else this.parent.insertBefore(row.element, before)
		}
		// An element that is moved loses focus.
		if (focused instanceof HTMLElement && focused !== document.activeElement && this.parent.contains(focused)) focused.focus()
	}
}
