// @ts-check
/**
 * The node's HTTP API, as openapi.json describes it.
 * @module
 */

/** What went wrong, in words for a person. */
export class Problem extends Error {
	/**
	 * @param {number} status 0: the node did not answer
	 * @param {string} code
	 * @param {string} message
	 * @param {string} hint
	 */
	constructor(status, code, message, hint) {
		super(message)
		this.status = status
		this.code = code
		this.hint = hint
	}
}

/** What went wrong and what to do, on one line. @param {unknown} e */
export function inWords(e) {
	return e instanceof Problem ? [e.message, e.hint].filter(Boolean).join(' · ') : String(e)
}

/**
 * @param {string} method
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
async function ask(method, path, init = {}) {
	let answer
	try {
		answer = await fetch(path, { method, credentials: 'same-origin', redirect: 'error', ...init })
	} catch {
		throw new Problem(0, 'no_node', 'Earshot does not answer', '')
	}
	if (answer.ok) return answer
	const text = await answer.text()
	try {
		const { code, message, hint } = JSON.parse(text)
		throw new Problem(answer.status, code, message, hint ?? '')
	} catch (e) {
		throw e instanceof Problem ? e : new Problem(answer.status, 'internal', answer.statusText, '')
	}
}

/** @param {string} path @returns {Promise<any>} */
export async function get(path) {
	return (await ask('GET', path)).json()
}

/** @param {string} path @param {any} [body] @returns {Promise<any>} */
export async function post(path, body) {
	const init = body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
	const answer = await ask('POST', path, init)
	const text = await answer.text()
	return text === '' ? undefined : JSON.parse(text)
}

/**
 * Makes a WHIP or WHEP session (RFC 9725).
 * @param {string} path
 * @param {string} offer SDP
 * @returns {Promise<{answer: string, session: string}>} session: the path that DELETE ends it by
 */
export async function negotiate(path, offer) {
	const answer = await ask('POST', path, { headers: { 'Content-Type': 'application/sdp' }, body: offer })
	return { answer: await answer.text(), session: answer.headers.get('Location') ?? '' }
}

/** @param {string} path @returns {Promise<void>} */
export async function remove(path) {
	await ask('DELETE', path, { keepalive: true, signal: AbortSignal.timeout(2000) })
}

/** @param {string} id @param {string} [what] @returns {string} */
export function roomPath(id, what = '') {
	return `/api/v1/rooms/${encodeURIComponent(id)}${what && '/' + what}`
}
