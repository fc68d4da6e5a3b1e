// @ts-check
/**
 * Single keys, which work only while focus is on the stage and can be switched
 * off (WCAG 2.1.4). They are the physical ones, and deaf while an input method
 * composes.
 * @module
 */

/** @typedef {{down: () => void, up?: () => void}} Key */

const setting = 'keys'

export function keysOn() {
	return localStorage.getItem(setting) !== 'off'
}

/** @param {boolean} on */
export function setKeys(on) {
	localStorage.setItem(setting, on ? 'on' : 'off')
}

/**
 * @param {HTMLElement} where
 * @param {Record<string, Key>} does by KeyboardEvent.code
 * @returns {() => void} ends it
 */
export function keys(where, does) {
	/** @type {Set<Key>} */
	const held = new Set()
	const down = (/** @type {KeyboardEvent} */ e) => {
		const key = does[e.code]
		if (!key || e.isComposing || e.target !== where || e.ctrlKey || e.altKey || e.metaKey || !keysOn()) return
		e.preventDefault()
		if (e.repeat || held.has(key)) return
		if (key.up) held.add(key)
		key.down()
	}
	const up = (/** @type {KeyboardEvent} */ e) => release(does[e.code])
	const release = (/** @type {Key | undefined} */ key) => {
		if (key && held.delete(key)) key.up?.()
	}
	const releaseAll = () => [...held].forEach(release)
	where.addEventListener('keydown', down)
	window.addEventListener('keyup', up)
	window.addEventListener('blur', releaseAll)
	where.addEventListener('blur', releaseAll)
	return () => {
		releaseAll()
		where.removeEventListener('keydown', down)
		where.removeEventListener('blur', releaseAll)
		window.removeEventListener('keyup', up)
		window.removeEventListener('blur', releaseAll)
	}
}
