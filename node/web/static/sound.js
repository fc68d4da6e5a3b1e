// @ts-check
/**
 * Sound between this page and its node: WHEP (three m-lines, onto which the node
 * switches the loudest speakers) and WHIP. Who is heard, getContributingSources()
 * says. A connection that breaks is made again until the person leaves.
 * @module
 */

import { Problem, negotiate, remove, roomPath } from './api.js'

/** @typedef {'joining' | 'heard' | 'silenced' | 'lost' | 'full' | 'over'} State */

const slots = 3
const pauses = [250, 500, 1000, 2000, 4000] // ms before another try
const heardFor = 400 // ms: an older contributing source is over

/** @param {RTCPeerConnection} pc */
async function gathered(pc) {
	if (pc.iceGatheringState === 'complete') return
	await new Promise(done => {
		const look = () => pc.iceGatheringState === 'complete' && done(undefined)
		pc.addEventListener('icegatheringstatechange', look)
		setTimeout(done, 1000) // what is there by then has to do
	})
}

/**
 * One session: offered, answered, watched.
 * @param {RTCPeerConnection} pc
 * @param {string} path
 * @param {(sdp: string) => string} [edit] of the answer
 * @returns {Promise<string>} the session's path
 */
async function connect(pc, path, edit = sdp => sdp) {
	await pc.setLocalDescription(await pc.createOffer())
	await gathered(pc)
	const { answer, session } = await negotiate(path, pc.localDescription?.sdp ?? '')
	await pc.setRemoteDescription({ type: 'answer', sdp: edit(answer) })
	return session
}

/**
 * Resolves when a connection is over. When the node ends a session it closes
 * DTLS; the connection's own state stays "connected" then.
 * @param {RTCPeerConnection} pc
 * @param {RTCDtlsTransport | null | undefined} transport
 */
function over(pc, transport) {
	return new Promise(done => {
		const look = () => {
			if (['failed', 'closed'].includes(pc.connectionState) || ['failed', 'closed'].includes(transport?.state ?? '')) done(undefined)
		}
		pc.addEventListener('connectionstatechange', look)
		transport?.addEventListener('statechange', look)
	})
}

/** @param {number} ms @param {AbortSignal} signal */
function pause(ms, signal) {
	return new Promise(done => {
		const timer = setTimeout(done, ms)
		signal.addEventListener('abort', () => (clearTimeout(timer), done(undefined)))
	})
}

/**
 * What one listens to. Events: `state` (see the field), `problem` with a Problem
 * that trying again does not mend.
 */
export class Hearing extends EventTarget {
	/**
	 * @param {string} room its ID
	 * @param {string} name a link, or the ID again
	 */
	constructor(room, name) {
		super()
		this.room = room
		this.name = name
		/** @type {State} */
		this.state = 'joining'
		/** @type {Problem | null} */
		this.problem = null
		this.left = new AbortController()
		/** @type {HTMLAudioElement[]} */
		this.players = Array.from({ length: slots }, () => Object.assign(document.createElement('audio'), { autoplay: true }))
		/** @type {RTCRtpReceiver[]} */
		this.receivers = []
		/** @type {Map<number, number>} by source: 0 to 1, for this person alone */
		this.volumes = new Map()
		this.run()
	}

	/** @param {State} state */
	become(state) {
		if (this.state === state) return
		this.state = state
		this.dispatchEvent(new Event('state'))
	}

	/** Listens, and again, until leave. */
	async run() {
		const { signal } = this.left
		for (let tries = 0; !signal.aborted; tries++) {
			const pc = new RTCPeerConnection()
			let session = ''
			try {
				this.receivers = Array.from({ length: slots }, () => pc.addTransceiver('audio', { direction: 'recvonly' }).receiver)
				this.receivers.forEach((receiver, i) => (this.players[i].srcObject = new MediaStream([receiver.track])))
				session = await connect(pc, roomPath(this.name, 'whep'))
				const end = over(pc, this.receivers[0].transport)
				await this.play()
				tries = 0
				await Promise.race([end, new Promise(done => signal.addEventListener('abort', done))])
				if (!signal.aborted) this.become('lost')
			} catch (e) {
				if (e instanceof Problem && e.code === 'room_full') {
					this.become('full')
				} else if (e instanceof Problem && e.status >= 400 && e.status < 500) {
					this.problem = e
					this.become('over')
					this.left.abort()
				} else {
					this.become('lost')
				}
			}
			pc.close()
			if (session) remove(session).catch(() => {}) // it ended with the connection, or with the node
			await pause(pauses[Math.min(tries, pauses.length - 1)], signal)
		}
		this.players.forEach(p => (p.srcObject = null))
		this.become('over')
	}

	/** Plays; a browser that wants a gesture first leaves it `silenced`. */
	async play() {
		try {
			await Promise.all(this.players.map(p => p.play()))
			this.become('heard')
		} catch {
			this.become('silenced')
		}
	}

	/**
	 * Who is heard now, and how loud (0 to 1), by source.
	 * @returns {Map<number, number>}
	 */
	levels() {
		const out = new Map()
		const now = performance.timeOrigin + performance.now()
		this.receivers.forEach((receiver, i) => {
			// The newest says who is on the slot; older ones stay listed for 10 s.
			const newest = receiver.getContributingSources().reduce((a, b) => (a && a.timestamp > b.timestamp ? a : b), /** @type {any} */ (null))
			if (!newest) return
			this.players[i].volume = this.volumes.get(newest.source) ?? 1
			if (Math.abs(now - newest.timestamp) < heardFor || Math.abs(performance.now() - newest.timestamp) < heardFor) {
				out.set(newest.source, newest.audioLevel ?? 0)
			}
		})
		return out
	}

	leave() {
		this.left.abort()
	}
}

/**
 * @typedef {{device: string, music: boolean}} Capture
 */

/** @param {Capture} c @returns {MediaStreamConstraints} */
function constraints({ device, music }) {
	return {
		audio: {
			...(device ? { deviceId: { exact: device } } : {}),
			echoCancellation: !music,
			noiseSuppression: !music,
			autoGainControl: !music,
			channelCount: music ? 2 : 1,
		},
	}
}

/** A microphone with its level; nobody hears it by that alone. */
export class Microphone {
	/** @param {MediaStream} stream */
	constructor(stream) {
		this.stream = stream
		this.track = stream.getAudioTracks()[0]
		this.context = new AudioContext()
		this.analyser = new AnalyserNode(this.context, { fftSize: 1024 })
		this.context.createMediaStreamSource(stream).connect(this.analyser)
		this.samples = new Float32Array(this.analyser.fftSize)
	}

	/** @param {Capture} capture */
	static async open(capture) {
		return new Microphone(await navigator.mediaDevices.getUserMedia(constraints(capture)))
	}

	/** 0 to 1, as the ear goes: 60 dB. */
	level() {
		this.analyser.getFloatTimeDomainData(this.samples)
		const power = this.samples.reduce((sum, s) => sum + s * s, 0) / this.samples.length
		return Math.max(0, Math.min(1, 1 + (10 * Math.log10(power + 1e-9)) / 60))
	}

	close() {
		this.track.stop()
		this.context.close()
	}
}

/**
 * A live microphone in a room. `state` events as with Hearing.
 */
export class Speaking extends EventTarget {
	/**
	 * @param {string} room
	 * @param {Microphone} microphone closed with it
	 * @param {boolean} music
	 */
	constructor(room, microphone, music) {
		super()
		this.room = room
		this.microphone = microphone
		this.music = music
		/** @type {State} */
		this.state = 'joining'
		/** @type {Problem | null} */
		this.problem = null
		this.left = new AbortController()
		this.run()
	}

	/** @param {State} state */
	become(state) {
		if (this.state === state) return
		this.state = state
		this.dispatchEvent(new Event('state'))
	}

	async run() {
		const { signal } = this.left
		this.microphone.track.addEventListener('ended', () => this.stop()) // unplugged
		for (let tries = 0; !signal.aborted; tries++) {
			const pc = new RTCPeerConnection()
			let session = ''
			try {
				const sender = pc.addTransceiver(this.microphone.track, { direction: 'sendonly', streams: [this.microphone.stream] }).sender
				session = await connect(pc, roomPath(this.room, 'whip'), sdp => withOpus(sdp, this.music))
				this.become('heard')
				tries = 0
				await Promise.race([over(pc, sender.transport), new Promise(done => signal.addEventListener('abort', done))])
				if (!signal.aborted) this.become('lost')
			} catch (e) {
				if (e instanceof Problem && e.status >= 400 && e.status < 500) {
					this.problem = e
					this.left.abort()
				} else {
					this.become('lost')
				}
			}
			pc.close()
			if (session) remove(session).catch(() => {})
			await pause(pauses[Math.min(tries, pauses.length - 1)], signal)
		}
		this.microphone.close()
		this.become('over')
	}

	/** Sends, or is silent without ending: for push-to-talk. @param {boolean} open */
	open(open) {
		this.microphone.track.enabled = open
	}

	stop() {
		this.left.abort()
	}
}

/**
 * Tells the browser's encoder how to send: without packets for silence, or music
 * in stereo. The answer's fmtp is the place (RFC 7587 section 6.1).
 * @param {string} sdp
 * @param {boolean} music
 */
export function withOpus(sdp, music) {
	const type = sdp.match(/^a=rtpmap:(\d+) opus\//im)?.[1]
	if (!type) return sdp
	const wish = music ? 'stereo=1;sprop-stereo=1;maxaveragebitrate=128000' : 'usedtx=1;maxaveragebitrate=32000'
	return sdp.replace(new RegExp(`^(a=fmtp:${type} .*?)(\r?)$`, 'm'), `$1;${wish}$2`)
}
