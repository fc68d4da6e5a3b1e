// @ts-check
/**
 * The guests' page: one room, and a button to hear it.
 * @module
 */

import { Hearing, Refused, ask } from './sound.js'
import { chosen, t } from './words.js'

/** @typedef {{name: string, speaking: boolean, sources: number[]}} Speaker */
/** @typedef {{title: string, language: string, stage: Speaker[], listeners: number, guests: number}} Room */

const ringPace = 100 // ms between two looks at who is heard

/** Words for what the door refuses. @type {Record<string, string>} */
const refusals = { unknown_room: 'over', door_shut: 'shut', full_room: 'full', removed: 'removed', household: 'household', rate: 'rate' }

/** @param {string} id @returns {any} */
const at = id => document.getElementById(id)

/**
 * Puts text into an element, if it is another one: what is read aloud is not said
 * again for nothing.
 * @param {Element} element
 * @param {string} text
 */
function say(element, text) {
	if (element.textContent !== text) element.textContent = text
}

class Page {
	/** @param {string} id */
	constructor(id) {
		this.id = id
		/** @type {Hearing | null} */
		this.hearing = null
		/** @type {Map<number, Element>} by source */
		this.faces = new Map()
		at('listen').addEventListener('click', () => this.press())
		setInterval(() => this.rings(), ringPace)
		this.follow()
	}

	/** Follows what happens in the room; whoever comes back is told it whole. */
	follow() {
		const events = new EventSource(`/api/rooms/${this.id}/events`)
		events.addEventListener('room', e => this.show(JSON.parse(e.data)))
		events.addEventListener('over', () => {
			events.close()
			this.explain()
		})
		events.addEventListener('error', () => {
			if (events.readyState === EventSource.CLOSED) this.explain()
		})
	}

	/** Asks why the room can't be followed, and says it; if it can be again, goes on. */
	async explain() {
		try {
			this.show(await (await ask(`/api/rooms/${this.id}`)).json())
			setTimeout(() => this.follow(), 3000)
		} catch (e) {
			const word = e instanceof Refused ? refusals[e.code] ?? 'over' : 'lost'
			if (this.hearing === null || word !== 'lost') this.leave()
			at('listen').hidden = word !== 'lost' && word !== 'rate'
			say(at('state'), t(word))
			if (word === 'lost' || word === 'rate') setTimeout(() => this.follow(), 3000)
		}
	}

	/** @param {Room} room */
	show(room) {
		document.title = `${room.title} · Earshot`
		say(at('title'), room.title)
		at('title').lang = room.language
		const facts = t('facts', { listeners: room.listeners + room.guests, guests: room.guests })
		say(at('facts'), room.stage.length ? facts : `${t('quiet')} ${facts}`)
		this.faces.clear()
		at('stage').replaceChildren(...room.stage.map(s => this.face(s)))
		at('listen').hidden = false
		this.button()
	}

	/** @param {Speaker} speaker */
	face(speaker) {
		const item = document.createElement('li')
		const face = document.createElement('span')
		face.className = 'face'
		face.ariaHidden = 'true'
		face.textContent = [...new Intl.Segmenter(chosen()).segment(speaker.name)][0]?.segment ?? ''
		const name = document.createElement('bdi')
		name.textContent = speaker.name
		const word = document.createElement('span')
		word.className = 'word'
		item.append(face, name, word)
		for (const source of speaker.sources) this.faces.set(source, item)
		return item
	}

	/** Rings, and a word beside them, for who is heard. */
	rings() {
		const heard = this.hearing?.heard() ?? new Set()
		/** @type {Map<Element, boolean>} */
		const lit = new Map()
		for (const [source, item] of this.faces) lit.set(item, (lit.get(item) ?? false) || heard.has(source))
		for (const [item, on] of lit) {
			item.classList.toggle('heard', on)
			say(/** @type {Element} */ (item.querySelector('.word')), on ? t('speaking') : '')
		}
	}

	/** A link never plays by itself: a person does. */
	press() {
		const { hearing } = this
		if (hearing?.state === 'silenced') hearing.play()
		else if (hearing) this.leave()
		else this.join()
	}

	join() {
		if (!('RTCPeerConnection' in window)) {
			say(at('state'), t('silent'))
			return
		}
		const hearing = (this.hearing = new Hearing(this.id))
		hearing.addEventListener('state', () => {
			if (this.hearing !== hearing) return
			if (hearing.left.signal.aborted) this.hearing = null
			this.button()
			say(at('state'), t(hearing.state === 'silenced' ? 'play' : hearing.state))
		})
		say(at('state'), t('joining'))
		this.button()
	}

	leave() {
		const { hearing } = this
		this.hearing = null
		hearing?.leave()
		say(at('state'), '')
		this.button()
	}

	button() {
		const state = this.hearing?.state
		say(at('listen'), t(state === 'silenced' ? 'play' : state ? 'leave' : 'listen'))
		at('listen').className = state && state !== 'silenced' ? 'leave' : ''
	}
}

function start() {
	document.documentElement.lang = chosen()
	say(at('note'), t(location.protocol === 'https:' ? 'tls' : 'plain'))
	const room = location.hash.match(/^#room\/(\w+)/)?.[1]
	if (room) new Page(room)
	else say(at('state'), t('none'))
}

window.addEventListener('hashchange', () => location.reload())
start()
