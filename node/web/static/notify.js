// @ts-check
/**
 * Being told of what happens elsewhere: by a line in the hallway, and, for whoever
 * wants it, by their system while a page is open.
 * @module
 */

import { called } from './person.js'
import { h, say, set } from './view.js'
import { dayTime, t } from './words.js'

/** @typedef {import('./live.js').Live} Live */
/** @typedef {import('./live.js').RoomLine} RoomLine */
/** @typedef {{key: string, room: string, sentence: string}} Notice */
/** @typedef {{key: string, is: boolean, room: string, words: () => string}} Fact what somebody may be told of: whether it is so, and how it is said */

const wanted = 'told' // in what the browser keeps: on, or nothing
const looked = 'earshot looks at ' // and a room: the lock of who sees it
const open = 'open ' // and a room: the key of its being live
const mostShown = 3 // in the hallway
const mostTimes = 5 // at which one room is to come, of which a page tells: its host may say another one every few seconds
const settling = 1000 // ms, in which all that there is comes, at first and when the node is back

/** Whether this person wants to be told by their system, and the browser lets it. */
function willing() {
	return localStorage.getItem(wanted) === 'on' && 'Notification' in window && Notification.permission === 'granted'
}

/** What has happened, as long as the page is open. */
export class Notices {
	/**
	 * @param {Live} live
	 * @param {(sentence: string) => void} tell the polite voice of the page
	 */
	constructor(live, tell) {
		this.live = live
		this.tell = tell
		/** @type {Notice[]} the newest first */
		this.list = []
		/** @type {Set<string>} what is so, as it was last seen */
		this.known = new Set()
		/** @type {Map<string, string[]>} what was so, of each room in sight of which one did not ask to be told */
		this.unasked = new Map()
		this.since = 0
		this.looking = ''
		this.lookAway = () => {}
		live.addEventListener('change', () => this.look())
		live.addEventListener('standing', () => (this.since = 0))
		document.addEventListener('visibilitychange', () => this.see())
	}

	/** Compares what is with what was. What is there at first is no news. */
	look() {
		if (!this.live.node) return
		this.since ||= Date.now()
		const first = Date.now() - this.since < settling
		this.heed()
		for (const { key, is, room, words } of this.facts()) {
			if (is && !first && !this.known.has(key)) this.add({ key, room, sentence: words() })
			if (is) this.known.add(key)
			else this.known.delete(key)
		}
		for (const key of this.known) if (key.startsWith(open) && !this.live.rooms.has(key.slice(open.length))) this.known.delete(key) // it was closed
	}

	/** What was so already of a room when one asked to be told of it is no news. */
	heed() {
		const { rooms, coming } = this.live
		const inSight = [...coming.values(), ...rooms.values()]
		for (const r of inSight) if (asked(r)) for (const key of this.unasked.get(r.room) ?? []) this.known.add(key)
		this.unasked = new Map(inSight.filter(r => !asked(r)).map(r => [r.room, [time(r), !r.closed && rooms.has(r.room) ? open + r.room : '']]))
	}

	/** What is out of sight is not said to be otherwise. @returns {Generator<Fact>} */
	*facts() {
		const { rooms, coming, views, reports } = this.live
		for (const r of rooms.values()) {
			const host = followedHost(r)
			yield { key: open + r.room, is: !r.closed && asked(r), room: r.room, words: () => (host ? t('told.opened', { name: host, title: r.title }) : t('told.live', { title: r.title })) }
		}
		for (const r of [...rooms.values(), ...coming.values()]) {
			if (r.next) yield { key: time(r), is: asked(r) && !this.fickle(r), room: r.room, words: () => t('told.next', { title: r.title, when: dayTime(r.next ?? '') }) }
		}
		for (const v of views.values()) {
			yield { key: 'seat ' + v.room, is: v.members.find(m => m.you)?.role === 'speaker', room: v.room, words: () => t('told.seated', { title: v.title }) }
		}
		for (const { room, reports: all } of reports.values()) {
			for (const r of all) yield { key: `report ${room} ${r.n}`, is: true, room, words: () => t('told.report', { name: called(r.by), of: called(r.of), title: views.get(room)?.title ?? '' }) }
		}
	}

	/** Whether ever other times were said of a room. @param {RoomLine} r */
	fickle(r) {
		const told = [...this.known].filter(key => key.startsWith(`next ${r.room} `))
		return told.length >= mostTimes && !told.includes(time(r))
	}

	/** @param {Notice} notice */
	add(notice) {
		if (this.looking === notice.room) return
		this.list = [notice, ...this.list.filter(n => n.key !== notice.key)].slice(0, mostShown)
		this.tell(notice.sentence)
		if (this.live.holds) this.show(notice)
	}

	/** By the system, unless another tab shows the room. @param {Notice} notice */
	async show({ key, room, sentence }) {
		const { held = [] } = await navigator.locks.query()
		if (!willing() || held.some(l => l.name === looked + room)) return
		try {
			const shown = new Notification('Earshot', { body: sentence, tag: key, icon: '/static/mark.svg' })
			shown.onclick = () => {
				window.focus()
				location.hash = 'room/' + room
				shown.close()
			}
		} catch {
			localStorage.removeItem(wanted) // some have it for service workers alone
		}
	}

	/** Takes note of the room that is looked at here, and lets all tabs know by a lock. */
	see() {
		const room = (document.visibilityState === 'visible' && location.hash.match(/^#room\/(\w+)/)?.[1]) || ''
		this.list = this.list.filter(n => n.room !== room)
		if (room === this.looking) return
		this.looking = room
		this.lookAway()
		if (room === '') return
		const over = new Promise(done => (this.lookAway = () => done(undefined)))
		navigator.locks.request(looked + room, { mode: 'shared' }, () => over)
	}

	/** Those of which the hallway tells: where there still is something to go to. */
	get shown() {
		return this.list.filter(n => this.live.coming.has(n.room) || this.live.rooms.get(n.room)?.closed === false)
	}
}

/** The key of a room's being live next at a time. @param {RoomLine} r */
const time = r => `next ${r.room} ${r.next}`

/** Whether one is to be told of a room: one follows it, or its host. @param {RoomLine} r */
const asked = r => r.following || followedHost(r) !== ''

/** What one calls a room's host, if one follows them; '': one does not. @param {RoomLine} r */
function followedHost(r) {
	return r.followed?.some(f => f.host) ? r.host_petname || r.host.slice(-6) : ''
}

/** Asks the browser to let this person be told by their system; after a press of theirs alone. */
export async function beTold() {
	if ('Notification' in window && (await Notification.requestPermission()) === 'granted') localStorage.setItem(wanted, 'on')
}

/** A button that asks to be told, or to be told no more, and says how it stands. */
export function tellMe() {
	const button = h('button', { type: 'button', onclick: turn })
	const state = h('span', { class: 'soft', role: 'status' })
	show()
	return h('div', { class: 'deed' }, button, state)

	async function turn() {
		if (willing()) localStorage.removeItem(wanted)
		else await beTold()
		show()
	}

	function show() {
		const can = 'Notification' in window
		const on = willing()
		set(button, { disabled: !can })
		say(button, t(on ? 'told.stop' : 'told'))
		say(state, t(on ? 'told.is' : !can ? 'told.never' : Notification.permission === 'denied' ? 'told.refused' : 'told.say'))
	}
}
