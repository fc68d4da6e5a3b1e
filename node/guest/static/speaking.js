// @ts-check
/**
 * A guest who asks to speak, speaks, writes, reacts and reports: words to the door, each
 * signed but for a report, which is the door's word, and sound to it by WHIP.
 * @module
 */

import { Refused, ask } from './sound.js'
import { chat, hand, presence, reaction, sessionOf, unhex, voice } from './signing.js'

/** @typedef {import('./signing.js').Signer} Signer */

const beat = 10_000 // ms between two words that one is still here
const pause = 700 // ms before a word that came too soon is said again
const tries = 4

/** @param {number} ms */
const wait = ms => new Promise(done => setTimeout(done, ms))

/** Who asks, speaks and writes. Event: `state`. */
export class Guest extends EventTarget {
	/**
	 * @param {Signer} signer
	 * @param {string} door the node's key, in hexadecimal
	 */
	constructor(signer, door) {
		super()
		this.signer = signer
		this.door = unhex(door)
		this.name = ''
		this.session = '' // the path of what one hears
		this.here = false // the room knows of one
		this.up = false
		this.raised = 0
		this.wanted = false // to speak
		/** @type {RTCPeerConnection | null} */
		this.pc = null
		/** @type {MediaStream | null} */
		this.mic = null
		/** @type {Uint8Array | null} of the voice that is open */
		this.voice = null
		this.timer = setInterval(() => this.repeat(), beat)
	}

	become() {
		this.dispatchEvent(new Event('state'))
	}

	/**
	 * Says something; what the door has no time for is said again.
	 * @param {() => number[]} what
	 */
	async say(what) {
		for (let n = 1; ; n++) {
			try {
				await ask(this.session + '/say', { method: 'POST', headers: { 'Content-Type': 'application/x-earshot' }, body: await this.signer.sign(what()) })
				return
			} catch (e) {
				if (!(e instanceof Refused) || e.code !== 'rate' || n === tries) throw e
			}
			await wait(pause)
		}
	}

	/** Says who one is, if the room does not know yet. @param {string} name */
	async present(name = this.name) {
		if (this.here && name === this.name) return
		await this.say(() => presence(name, this.voice !== null, this.door))
		this.name = name
		this.here = true
	}

	/** @param {boolean} up */
	async raise(up) {
		this.raised = this.signer.sequence + 1
		await this.say(() => hand(up, this.raised))
		this.up = up
		this.become()
	}

	/** @param {string} text @param {number} order above that of what has been written */
	async write(text, order) {
		await this.say(() => chat(order, this.name, text))
	}

	/** @param {string} emoji */
	async react(emoji) {
		await this.say(() => reaction(emoji))
	}

	/**
	 * Has the door tell who moderates of somebody.
	 * @param {string} who
	 * @param {string} why
	 * @returns {Promise<{told: number, waiting: number}>} how many have it, and how many get it once they come
	 */
	async report(who, why) {
		const answer = await ask(this.session + '/reports', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ who, why }) })
		return answer.json()
	}

	/** What has to be said again, or the room forgets one. */
	async repeat() {
		if (!this.here || !this.session) return
		try {
			await this.say(() => presence(this.name, this.voice !== null, this.door))
			if (this.up) await this.say(() => hand(true, this.raised))
			const { voice: session } = this
			if (session) await this.say(() => voice(session, false))
		} catch {
			// the next beat says it again, or the session has ended, which `moved` hears of
		}
	}

	/** One hears by another session now: the old one took all with it. @param {string} session */
	async moved(session) {
		if (session === this.session) return
		this.session = session
		this.drop()
		if (!session || !this.here) return
		this.here = false
		await this.present()
		if (this.up) await this.say(() => hand(true, this.raised))
		if (this.wanted) await this.speak()
	}

	/** Turns the microphone on. */
	async speak() {
		this.wanted = true
		this.drop()
		this.mic ??= await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } })
		const pc = (this.pc = new RTCPeerConnection())
		pc.addTransceiver(this.mic.getAudioTracks()[0], { direction: 'sendonly' })
		await pc.setLocalDescription()
		const sdp = pc.localDescription?.sdp ?? ''
		const session = await sessionOf(sdp)
		const word = await this.signer.sign(voice(session, false))
		const answer = await ask(this.session + '/whip', {
			method: 'POST', body: sdp,
			headers: { 'Content-Type': 'application/sdp', 'Earshot-Voice': base64url(word) },
		})
		if (pc !== this.pc) return
		await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() })
		this.voice = session
		pc.addEventListener('connectionstatechange', () => {
			if (pc === this.pc && pc.connectionState === 'failed') this.speak().catch(() => this.hush())
		})
		this.become()
		await this.say(() => presence(this.name, true, this.door))
	}

	/** Turns the microphone off. */
	async hush() {
		this.wanted = false
		this.mic?.getTracks().forEach(track => track.stop())
		this.mic = null
		const { voice: session } = this
		this.voice = null
		try {
			if (!session) return
			await this.say(() => voice(session, true)) // before its connection ends: the room takes it from nobody else
			await this.say(() => presence(this.name, false, this.door))
		} finally {
			this.drop()
		}
	}

	/** Ends the connection that the voice went by. */
	drop() {
		this.pc?.close()
		this.pc = null
		this.voice = null
		this.become()
	}

	/** For good. */
	leave() {
		clearInterval(this.timer)
		this.wanted = false
		this.mic?.getTracks().forEach(track => track.stop())
		this.drop()
	}
}

/** @param {Uint8Array} b */
const base64url = b => btoa(String.fromCharCode(...b)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
