// @ts-check
/**
 * What a tab keeps when it is loaded anew: the session that it had, with which a guest
 * comes back as who they were, and their name. A browser may keep nothing.
 * @module
 */

/** @param {string} what @returns {string} '' if it is not kept */
export function kept(what) {
	try {
		return sessionStorage.getItem(what) ?? ''
	} catch {
		return ''
	}
}

/** @param {string} what @param {string} value */
export function keep(what, value) {
	try {
		sessionStorage.setItem(what, value)
	} catch {
		// nothing hangs on it
	}
}
