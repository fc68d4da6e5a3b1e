// @ts-check
/**
 * All whom one follows, calls by a name of one's own, or has blocked; and the rooms
 * that one follows.
 * @module
 */

import { get, inWords, post, roomPath } from './api.js'
import { tellMe } from './notify.js'
import { called, note, noted } from './person.js'
import { List, ask, h, say, set } from './view.js'
import { dayTime, language, t } from './words.js'

/** @typedef {import('./person.js').Person} Person */
/** @typedef {{room: string, title: string, state: string, next?: string}} FollowedRoom */

/** Shows them, each with a way to undo what is kept. */
export async function showPeople() {
	const none = h('p', { class: 'soft', hidden: true }, t('people.none'))
	const rows = h('ul', { class: 'noted' })
	const problem = h('p', { class: 'problem', role: 'alert' })
	const list = new List(rows, p => p.peer, row)
	const rooms = h('ul', { class: 'noted' })
	const roomList = new List(rooms, r => r.room, roomRow)
	const section = h('section', { hidden: true }, h('h3', {}, t('people.rooms')), rooms)
	const close = h('button', { class: 'main', onclick: () => box.close() }, t('close'))
	const box = ask(t('people'), h('p', { class: 'soft' }, t('people.say')), tellMe(), none, rows, section, problem, h('div', { class: 'acts' }, close))
	await show()

	async function show() {
		try {
			const people = await noted()
			/** @type {FollowedRoom[]} */
			const followed = await get('/api/v1/following')
			none.hidden = people.length + followed.length > 0
			section.hidden = followed.length === 0
			roomList.show(followed)
			list.show(people.sort((a, b) => called(a).localeCompare(called(b), language())))
		} catch (e) {
			say(problem, inWords(e))
		}
	}

	/** A button that undoes something, after which all is shown anew. @param {string} word @param {() => Promise<any>} does */
	function undo(word, does) {
		return h('button', {
			onclick: async () => {
				await does().catch(e => say(problem, inWords(e)))
				await show()
				if (document.activeElement === document.body) close.focus() // the button has gone
			},
		}, t(word))
	}

	/** A room that is followed. */
	function roomRow() {
		let room = ''
		const title = h('a', { class: 'name', dir: 'auto', onclick: () => document.querySelectorAll('dialog').forEach(d => d.close()) })
		const facts = h('span', { class: 'soft' })
		const button = undo('person.unfollow', () => post(roomPath(room, 'follow'), { on: false }))
		return {
			element: h('li', {}, h('span', { class: 'who' }, title, facts), h('span', { class: 'acts' }, button)),
			/** @param {FollowedRoom} r */
			update: r => {
				room = r.room
				const name = r.title || t('room', { id: r.room.slice(0, 6) })
				say(title, name)
				set(title, { href: '#room/' + r.room })
				say(facts, r.state === 'live' ? t('live') : r.next ? t('law.next', { when: dayTime(r.next) }) : t('closed'))
				set(button, { 'aria-label': `${button.textContent}: ${name}` })
			},
		}
	}

	/** What is kept about somebody. */
	function row() {
		let peer = ''
		const name = h('bdi', { class: 'name' })
		const facts = h('span', { class: 'soft' })
		const buttons = {
			followed: undo('person.unfollow', () => note(peer, { follow: false })),
			petname: undo('person.petname.forget', () => note(peer, { petname: '' })),
			blocked: undo('person.unblock', () => note(peer, { block: false })),
		}
		return {
			element: h('li', {}, h('span', { class: 'who' }, name, facts), h('span', { class: 'acts' }, ...Object.values(buttons))),
			/** @param {Person} p */
			update: p => {
				peer = p.peer
				say(name, called(p))
				say(facts, [
					p.petname && p.name && p.name !== p.petname && t('person.calls', { name: p.name }), p.followed && t('people.followed'),
					p.blocked && (p.blocked_until ? t('people.blocked.until', { when: dayTime(p.blocked_until) }) : t('person.blocked')),
				].filter(Boolean).join(' · '))
				for (const [key, button] of Object.entries(buttons)) {
					button.hidden = !p[/** @type {'followed'} */ (key)]
					set(button, { 'aria-label': `${button.textContent}: ${called(p)}` })
				}
			},
		}
	}
}
