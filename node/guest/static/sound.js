// @ts-check
/**
 * Sound from the door: WHEP on three m-lines, onto which the node switches the
 * loudest speakers. A connection that breaks is made again until the guest leaves,
 * or the door says that no try will do.
 * @module
 */

import { keep, kept } from './keeping.js'

const slots = 3
const pauses = [500, 1000, 2000, 4000, 8000] // ms before another try
const fullPause = 10_000 // ms before another try where all places are taken
const silence = 4000 // ms: a connection that is lost for longer is made anew
const heardFor = 400 // ms: an older contributing source is over

/** What the door refused, by its code. */
export class Refused extends Error {
	/** @param {string} code */
	constructor(code) {
		super(code)
		this.code = code
	}
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
export async function ask(path, init) {
	const answer = await fetch(path, { redirect: 'error', credentials: 'omit', ...init })
	if (answer.ok) return answer
	const { code } = await answer.json().catch(() => ({ code: 'internal' }))
	throw new Refused(code)
}

/** @param {number} ms @param {AbortSignal} signal */
const wait = (ms, signal) => new Promise(done => {
	setTimeout(done, ms)
	signal.addEventListener('abort', done, { once: true })
})

/** What a guest listens to. Event: `state`. */
export class Hearing extends EventTarget {
	/** @param {string} room */
	constructor(room) {
		super()
		this.room = room
		this.state = 'joining'
		this.session = '' // its path; '': none now
		this.left = new AbortController()
		/** @type {RTCRtpReceiver[]} */
		this.receivers = []
		this.players = Array.from({ length: slots }, () => Object.assign(document.createElement('audio'), { autoplay: true }))
		this.gone = this.run()
	}

	/** @param {string} state */
	become(state) {
		this.state = state
		this.dispatchEvent(new Event('state'))
	}

	async run() {
		const { signal } = this.left
		for (let tries = 0; !signal.aborted; tries++) {
			const pc = new RTCPeerConnection()
			let session = null
			let pause = pauses[Math.min(tries, pauses.length - 1)]
			try {
				session = await this.connect(pc)
				this.session = session ?? ''
				tries = 0
				await this.play()
				await over(pc, this.receivers[0].transport, signal)
				if (!signal.aborted) this.become('lost')
			} catch (e) {
				const code = e instanceof Refused ? e.code : ''
				if (code === 'full_room') pause = fullPause
				const here = !signal.aborted
				if (code in final) this.left.abort()
				if (here) this.become(code === 'full_room' ? 'full' : final[code] ?? 'lost')
				if (code === 'removed') keep(this.room, '') // whoever comes again, comes anew
			}
			if (session && signal.aborted) await ask(session, { method: 'DELETE', keepalive: true }).catch(() => {}) // it ended with the node
			pc.close()
			this.session = ''
			if (!signal.aborted) await wait(pause, signal)
		}
	}

	/** @param {RTCPeerConnection} pc @returns {Promise<string | null>} the session's path */
	async connect(pc) {
		this.receivers = Array.from({ length: slots }, () => pc.addTransceiver('audio', { direction: 'recvonly' }).receiver)
		this.receivers.forEach((receiver, i) => (this.players[i].srcObject = new MediaStream([receiver.track])))
		// The door finds a guest by what comes from there: candidates are not waited for.
		await pc.setLocalDescription()
		const answer = await ask(`/api/rooms/${this.room}/whep`, {
			method: 'POST', headers: { 'Content-Type': 'application/sdp', 'Earshot-Session': kept(this.room) }, body: pc.localDescription?.sdp,
		})
		const session = answer.headers.get('Location')
		keep(this.room, session?.split('/').pop() ?? '')
		await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() })
		return session
	}

	/** Plays; a browser that wants a gesture first leaves it `silenced`. */
	async play() {
		const heard = await Promise.all(this.players.map(p => p.play())).then(() => true, () => false)
		if (!this.left.signal.aborted) this.become(heard ? 'heard' : 'silenced')
	}

	/** Who is heard now, by source. @returns {Set<number>} */
	heard() {
		/** @type {Set<number>} */
		const out = new Set()
		const now = performance.timeOrigin + performance.now()
		for (const receiver of this.receivers) {
			for (const { source, timestamp, audioLevel } of receiver.getContributingSources()) {
				// Browsers differ in what they count from.
				const fresh = Math.abs(now - timestamp) < heardFor || Math.abs(performance.now() - timestamp) < heardFor
				if (fresh && (audioLevel ?? 1) > 0.003) out.add(source)
			}
		}
		return out
	}

	leave() {
		this.receivers = []
		for (const p of this.players) p.srcObject = null
		this.left.abort()
	}
}

/** Refusals that no other try mends, and the state that each leads to. @type {Record<string, string>} */
const final = { unknown_room: 'over', door_shut: 'shut', removed: 'removed', banned: 'banned', locked: 'locked', household: 'household', bad_request: 'silent' }

/**
 * Resolves when a connection is over, or the guest has left.
 * @param {RTCPeerConnection} pc
 * @param {RTCDtlsTransport | null} transport whose end the node says
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function over(pc, transport, signal) {
	return new Promise(done => {
		/** @type {ReturnType<typeof setTimeout> | undefined} */
		let patience
		const look = () => {
			clearTimeout(patience)
			if (signal.aborted || ['failed', 'closed'].includes(pc.connectionState) || ['failed', 'closed'].includes(transport?.state ?? '')) done()
			else if (pc.connectionState === 'disconnected') patience = setTimeout(done, silence)
		}
		pc.addEventListener('connectionstatechange', look)
		transport?.addEventListener('statechange', look)
		signal.addEventListener('abort', look)
		look()
	})
}
