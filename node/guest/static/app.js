// @ts-check
/**
 * The guests' page: one room, a button to hear it, and what is written there.
 * @module
 */

import { keep, kept } from './keeping.js'
import { Report } from './report.js'
import { signer } from './signing.js'
import { Hearing, Refused, ask } from './sound.js'
import { Guest } from './speaking.js'
import { Talk, clean } from './talk.js'
import { chosen, t } from './words.js'

/** @typedef {{who: string, name: string, speaking: boolean, sources: number[]}} Speaker */
/** @typedef {{key: string, who: string, hand: number, may_speak: boolean}} Named */
/**
 * @typedef {{title: string, language: string, open: boolean, shut: boolean, paused: boolean, stage: Speaker[], listeners: number, guests: number,
 *   door: string, keeper: string, named: Named[]}} Room
 */

const ringPace = 100 // ms between two looks at who is heard
const mostBytes = 500 // of a line
const emoji = ['👏', '❤️', '😂', '🎉', '👍', '👎', '😮', '😢', '🙏', '🔥']
const secure = location.protocol === 'https:' // else the door lets nobody speak or write

/** Words for what it answers to who asks to speak. @type {Record<string, string>} */
const answers = { full_room: 'many', not_on_stage: 'notyet', bad_request: 'noname', rate: 'rate' }

/** Words for what it answers to who writes. @type {Record<string, string>} */
const replies = { full_room: 'many', bad_request: 'nowords', rate: 'rate', too_fast: 'toofast' }

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
		/** @type {Room | null} */
		this.room = null
		/** @type {Guest | null} where one may speak */
		this.guest = null
		this.said = '' // why something failed
		this.placed = false // in the queue of hands
		this.talk = new Talk(() => this.guest?.signer.name ?? '')
		this.report = new Report((who, why) => this.tell(who, why))
		this.talk.changed = () => this.report.show(this.room, this.talk.lines.values(), this.own()?.who)
		at('react').append(...emoji.map(e => {
			const button = document.createElement('button')
			button.textContent = e
			button.addEventListener('click', () => this.react(e))
			return button
		}))
		at('write').addEventListener('submit', (/** @type {SubmitEvent} */ e) => {
			e.preventDefault()
			this.write()
		})
		at('ask').addEventListener('submit', (/** @type {SubmitEvent} */ e) => {
			e.preventDefault()
			this.act(e.submitter === at('mic'))
		})
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
		this.room = room
		document.title = `${room.title} · Earshot`
		say(at('title'), room.title)
		at('title').lang = room.language
		const facts = t('facts', { listeners: room.listeners + room.guests, guests: room.guests })
		say(at('facts'), [room.stage.length ? '' : t('quiet'), facts, room.paused ? t('paused') : room.shut ? t('shutroom') : ''].filter(Boolean).join(' · '))
		this.faces.clear()
		at('stage').replaceChildren(...room.stage.map(s => this.face(s)))
		at('listen').hidden = false
		this.button()
		this.turn()
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
			if (hearing.left.signal.aborted) { // who comes again only listens
				this.hearing = null
				this.guest?.leave()
				this.guest = null
			}
			this.button()
			say(at('state'), t(hearing.state === 'silenced' ? 'play' : hearing.state))
			this.talk.follow(hearing.session)
			this.move(hearing.session)
		})
		say(at('state'), t('joining'))
		this.button()
	}

	leave() {
		const { hearing } = this
		this.hearing = null
		hearing?.leave()
		this.guest?.leave()
		this.guest = null
		this.talk.follow('')
		say(at('state'), '')
		this.button()
		this.turn()
	}

	/** One hears by this session now. @param {string} session */
	async move(session) {
		if (session && !this.guest && secure && this.room) {
			const own = await signer(this.id)
			if (!own) say(at('note'), t('nokey'))
			else if (this.hearing && !this.guest) {
				this.guest = new Guest(own, this.room.door)
				this.guest.addEventListener('state', () => this.turn())
			}
		}
		if (session !== this.guest?.session) this.placed = false
		await this.guest?.moved(session).catch(() => {}) // it is said again with the next beat
		this.turn()
	}

	/** What this browser's guest may do. @returns {Named | undefined} */
	own() {
		return this.room?.named.find(n => n.key === this.guest?.signer.name)
	}

	/** Says who one is. @param {Guest} guest */
	async present(guest) {
		const name = at('name').value.normalize('NFC').trim()
		await guest.present(name)
		keep('name', name)
	}

	/** Raises or lowers the hand, or turns the microphone on or off. @param {boolean} mic */
	async act(mic) {
		const { guest } = this
		if (!guest?.session) return
		for (const button of [at('hand'), at('mic')]) button.disabled = true
		try {
			await this.present(guest)
			if (!mic) await guest.raise(!guest.up)
			else if (guest.voice) await guest.hush()
			else await guest.speak()
			this.said = ''
		} catch (e) {
			if (mic) guest.hush().catch(() => {})
			this.said = t(e instanceof Refused ? answers[e.code] ?? 'failed' : e instanceof DOMException ? 'nomic' : 'failed')
		}
		for (const button of [at('hand'), at('mic')]) button.disabled = false
		this.turn()
	}

	/** Writes to all in the room. */
	async write() {
		const { guest } = this
		const text = clean(at('text').value)
		if (!guest?.session || !text || !at('name').reportValidity()) return
		if (new TextEncoder().encode(text).length > mostBytes) return say(at('wrote'), t('long'))
		at('send').disabled = true
		try {
			await this.present(guest)
			await guest.write(text, this.talk.next)
			at('text').value = ''
			say(at('wrote'), '')
		} catch (e) {
			say(at('wrote'), t(e instanceof Refused ? replies[e.code] ?? 'failed' : 'failed'))
		}
		at('send').disabled = false
		this.turn()
	}

	/** Shows an emoji to all in the room. @param {string} emoji */
	async react(emoji) {
		const { guest } = this
		if (!guest?.session || !at('name').reportValidity()) return
		try {
			await this.present(guest)
			await guest.react(emoji)
			say(at('wrote'), '')
		} catch (e) {
			say(at('wrote'), t(e instanceof Refused ? replies[e.code] ?? 'failed' : 'failed'))
		}
	}

	/**
	 * Tells who moderates of somebody.
	 * @param {string} who
	 * @param {string} why
	 */
	async tell(who, why) {
		const { guest } = this
		if (!guest?.session || !at('name').reportValidity()) return null
		await this.present(guest)
		return guest.report(who, why)
	}

	/** Shows what one may do now, and says how it stands. */
	turn() {
		const { guest, room } = this
		const own = this.own()
		at('me').hidden = at('ask').hidden = !guest?.session
		at('write').hidden = at('react').hidden = !guest?.session || (room?.paused ?? false)
		at('report').hidden = !guest?.session
		if (!guest || !room) return
		this.report.show(room, this.talk.lines.values(), own?.who)
		const may = room.open || (own?.may_speak ?? false)
		if (this.placed && own?.hand === 0 && guest.up) guest.raise(false).catch(() => {}) // let on stage, or taken down
		this.placed = (own?.hand ?? 0) > 0
		at('hand').hidden = may
		at('mic').hidden = !may
		say(at('hand'), t(guest.up ? 'lower' : 'raise'))
		say(at('mic'), t(guest.voice ? 'micoff' : 'micon'))
		at('mic').className = guest.voice ? 'air' : ''
		const stands = guest.voice ? t('onair') : own?.may_speak && !room.open ? t('may') : own?.hand ? t('place', { n: own.hand }) : guest.up ? t('up') : ''
		say(at('turn'), this.said || stands)
	}

	button() {
		const state = this.hearing?.state
		say(at('listen'), t(state === 'silenced' ? 'play' : state ? 'leave' : 'listen'))
		at('listen').className = state && state !== 'silenced' ? 'leave' : ''
	}
}

function start() {
	document.documentElement.lang = chosen()
	say(at('note'), t(secure ? 'tls' : 'plain'))
	say(at('who'), t('name'))
	say(at('chat'), t('chat'))
	say(at('send'), t('send'))
	at('react').ariaLabel = t('react')
	at('name').value = kept('name')
	at('text').placeholder = at('text').ariaLabel = t('write')
	const room = location.hash.match(/^#room\/(\w+)/)?.[1]
	if (room) new Page(room)
	else say(at('state'), t('none'))
}

window.addEventListener('hashchange', () => location.reload())
start()
