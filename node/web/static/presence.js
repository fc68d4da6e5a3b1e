// @ts-check
/**
 * What the person does in rooms by this page: what is heard, what is spoken,
 * with which microphone. One tab of a browser holds the microphone.
 * @module
 */

import { whyAway } from './law.js'
import { Hearing, Microphone, Speaking } from './sound.js'
import { t } from './words.js'

const lock = 'earshot microphone'
const place = 'earshot place' // where this tab listens; it stays while the tab does

/** @param {string} key @param {string | boolean} value */
function keep(key, value) {
	localStorage.setItem(key, typeof value === 'boolean' ? (value ? 'on' : 'off') : value)
}

/** Event: `change`. */
export class Presence extends EventTarget {
	constructor() {
		super()
		/** @type {Hearing | null} */
		this.hearing = null
		/** @type {Speaking | null} */
		this.speaking = null
		/** @type {object | null} a microphone is being asked for; another one, or none, makes what comes of it void */
		this.asking = null
		this.push = localStorage.getItem('push') === 'on'
		this.device = localStorage.getItem('device') ?? ''
		this.music = localStorage.getItem('music') === 'on'
		this.quiet = localStorage.getItem('quiet') === 'on' // they read along: nothing is played
		this.held = false
		/** @type {Map<string, string>} by room: the link that the person has, which finds it where its ID does not */
		this.links = new Map()
		this.mutedBy = '' // peer: who muted this person where they speak or listen
		this.open = false // their microphone, as the room knows it
		this.trouble = ''
		/** @type {(() => void) | null} */
		this.release = null // gives the microphone to other tabs
	}

	changed() {
		this.dispatchEvent(new Event('change'))
	}

	/**
	 * @param {string} room
	 * @param {string} [link] that finds it
	 */
	listen(room, link) {
		if (link && !this.links.has(room)) this.links.set(room, link)
		if (this.hearing && (this.hearing.room !== room || this.hearing.state === 'over')) this.leave()
		if (!this.hearing) {
			const hearing = (this.hearing = new Hearing(room, this.links.get(room) ?? room))
			hearing.quiet = this.quiet
			hearing.addEventListener('state', () => {
				if (this.hearing === hearing && hearing.state === 'over') sessionStorage.removeItem(place)
				this.changed()
			})
			sessionStorage.setItem(place, JSON.stringify({ room, link: this.links.get(room) }))
		}
		this.changed()
	}

	/**
	 * Listens on where this tab did when it was loaded anew; the microphone stays
	 * off. Whoever comes to the page by a link is asked, as ever.
	 */
	resume() {
		const [loaded] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'))
		const kept = sessionStorage.getItem(place)
		if (!kept || loaded.type === 'navigate') return
		const { room, link } = JSON.parse(kept)
		this.listen(room, link)
		if (this.hearing) this.hearing.held = true
	}

	/** Resolves once the node knows it too. */
	async leave() {
		const gone = [this.hearing?.gone, this.speaking?.gone]
		this.hush()
		this.hearing?.leave()
		this.hearing = null
		sessionStorage.removeItem(place)
		this.trouble = ''
		this.changed()
		await Promise.all(gone)
	}

	/**
	 * Turns the microphone on in a room. Whoever leaves, or turns it off again,
	 * while the browser still asks for leave stays silent.
	 * @param {string} room
	 */
	async speak(room) {
		this.speaking?.leave()
		this.speaking = null
		const asking = (this.asking = {})
		this.trouble = ''
		this.changed()
		const release = this.release ?? (await this.take())
		if (this.asking !== asking) return release?.()
		if (!release) return this.fail(t('mic.elsewhere'))
		this.release = release
		const microphone = await Microphone.open(this).catch(e => /** @type {unknown} */ (e))
		if (this.asking !== asking) return microphone instanceof Microphone && microphone.close()
		if (!(microphone instanceof Microphone)) return this.fail(whyNot(microphone))
		this.asking = null
		const speaking = (this.speaking = new Speaking(room, this.links.get(room) ?? room, microphone, this.music))
		speaking.open(!this.push || this.held)
		speaking.addEventListener('state', () => {
			if (speaking.state === 'over') this.ended(speaking)
			this.changed()
		})
		this.changed()
	}

	/** There is no microphone. @param {string} trouble */
	fail(trouble) {
		this.asking = null
		this.give()
		this.trouble = trouble
		this.changed()
	}

	/** @param {Speaking} speaking */
	ended(speaking) {
		if (this.speaking !== speaking) return
		this.speaking = null
		this.give()
		if (speaking.problem) this.trouble = whyAway(speaking.problem)
	}

	/** Turns it off. */
	hush() {
		this.asking = null
		this.speaking?.leave()
		this.speaking = null
		this.give()
		this.changed()
	}

	/**
	 * Turns the microphone off where a moderator did: who may turn it on again does
	 * that, not the page when it makes a session anew.
	 */
	heed(/** @type {import('./live.js').RoomView | undefined} */ view) {
		const you = view?.members.find(m => m.you)
		const by = you?.muted_by ?? ''
		const open = you !== undefined && you.speaking && !you.muted
		const closed = this.open && !open && this.live(view?.room ?? '') // and not from here: muted by the same one again
		const now = by !== '' && (by !== this.mutedBy || closed || this.speaking?.state === 'lost')
		this.mutedBy = by
		this.open = open
		if (this.speaking && (now || you?.silenced || view?.paused)) this.hush()
	}

	/**
	 * Push-to-talk: the key goes down or up.
	 * @param {string} room
	 * @param {boolean} down
	 */
	hold(room, down) {
		this.held = down
		if (!this.push) return
		if (this.speaking) this.speaking.open(down)
		else if (down && !this.asking) this.speak(room)
		this.changed()
	}

	/** Whether sound goes from the microphone to a room now. @param {string} room */
	live(room) {
		return this.speaking?.room === room && this.speaking.state === 'heard' && (!this.push || this.held)
	}

	/** How loud one's own live microphone is in a room, 0 to 1. @param {string} room */
	level(room) {
		return this.live(room) ? this.speaking?.microphone.level() ?? 0 : 0
	}

	/**
	 * Takes the microphone for this tab.
	 * @returns {Promise<(() => void) | null>} gives it back; null: another tab has it
	 */
	take() {
		return new Promise(answer => {
			navigator.locks.request(lock, { ifAvailable: true }, held =>
				held ? new Promise(done => answer(() => done(undefined))) : answer(null))
		})
	}

	give() {
		this.release?.()
		this.release = null
	}

	/** What the person wants of the microphone, and of what is heard, from now on. @param {{device: string, music: boolean, push: boolean, quiet: boolean}} wish */
	choose({ device, music, push, quiet }) {
		const room = this.speaking?.room
		const other = device !== this.device || music !== this.music
		Object.assign(this, { device, music, push, quiet })
		keep('device', device)
		keep('music', music)
		keep('push', push)
		keep('quiet', quiet)
		if (this.hearing) this.hearing.quiet = quiet
		if (room && other) this.speak(room)
		else this.speaking?.open(!push || this.held)
		this.changed()
	}
}

/** Why the browser gave no microphone. @param {unknown} e */
export function whyNot(e) {
	return e instanceof DOMException && (e.name === 'NotFoundError' || e.name === 'OverconstrainedError') ? t('mic.none') : t('mic.blocked')
}
