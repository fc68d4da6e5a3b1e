// @ts-check
/**
 * All whom one follows, calls by a name of one's own, or has blocked.
 * @module
 */

import { inWords } from './api.js'
import { tellMe } from './notify.js'
import { note, noted } from './person.js'
import { List, ask, h, say, set } from './view.js'
import { language, t } from './words.js'

/** @typedef {import('./person.js').Person} Person */

/** Shows them, each with a way to undo what is kept. */
export async function showPeople() {
	const none = h('p', { class: 'soft', hidden: true }, t('people.none'))
	const rows = h('ul', { class: 'noted' })
	const problem = h('p', { class: 'problem', role: 'alert' })
	const list = new List(rows, p => p.peer, row)
	const close = h('button', { class: 'main', onclick: () => box.close() }, t('close'))
	const box = ask(t('people'), h('p', { class: 'soft' }, t('people.say')), tellMe(), none, rows, problem, h('div', { class: 'acts' }, close))
	await show()

	async function show() {
		try {
			const people = await noted()
			none.hidden = people.length > 0
			list.show(people.sort((a, b) => nameOf(a).localeCompare(nameOf(b), language())))
		} catch (e) {
			say(problem, inWords(e))
		}
	}

	/** What is kept about somebody. */
	function row() {
		let peer = ''
		const name = h('bdi', { class: 'name' })
		const facts = h('span', { class: 'soft' })
		const undo = (/** @type {string} */ word, /** @type {Parameters<typeof note>[1]} */ change) => h('button', {
			onclick: async () => {
				await note(peer, change).catch(e => say(problem, inWords(e)))
				await show()
				if (document.activeElement === document.body) close.focus() // the button has gone
			},
		}, t(word))
		const buttons = { followed: undo('person.unfollow', { follow: false }), petname: undo('person.petname.forget', { petname: '' }), blocked: undo('person.unblock', { block: false }) }
		return {
			element: h('li', {}, h('span', { class: 'who' }, name, facts), h('span', { class: 'acts' }, ...Object.values(buttons))),
			/** @param {Person} p */
			update: p => {
				peer = p.peer
				say(name, nameOf(p))
				say(facts, [
					p.petname && p.name && p.name !== p.petname && t('person.calls', { name: p.name }), p.followed && t('people.followed'),
					p.blocked && (p.blocked_until ? t('people.blocked.until', { when: when(p.blocked_until) }) : t('person.blocked')),
				].filter(Boolean).join(' · '))
				for (const [key, button] of Object.entries(buttons)) {
					button.hidden = !p[/** @type {'followed'} */ (key)]
					set(button, { 'aria-label': `${button.textContent}: ${nameOf(p)}` })
				}
			},
		}
	}
}

/** @param {Person} p */
function nameOf(p) {
	return p.petname || p.name || p.peer.slice(-6)
}

/** @param {string} at */
function when(at) {
	return new Date(at).toLocaleString(language(), { dateStyle: 'medium', timeStyle: 'short' })
}
