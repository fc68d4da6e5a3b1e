// @ts-check
/**
 * Sound between this page and its node: WHEP (three m-lines, onto which the node
 * switches the loudest speakers) and WHIP. Who is heard, getContributingSources()
 * says. Where ICE has no way, a socket carries it. A connection that breaks is
 * made again until the person leaves.
 * @module
 */

import { Problem, negotiate, post, remove, roomPath } from './api.js'
import { Ear, Mouth, able } from './codecs.js'

/** @typedef {'joining' | 'heard' | 'silenced' | 'lost' | 'full' | 'early' | 'over'} State early: the room is not open yet */

const slots = 3
const balanced = 50 // ms between two looks at who is on which slot
const pauses = [250, 500, 1000, 2000, 4000] // ms before another try
const early = 20_000 // ms before another try where a room is not open yet
const heardFor = 400 // ms: an older contributing source is over
const silence = 3000 // ms: a connection that is lost for longer is made anew
const ended = ['failed', 'closed']
const tried = 4000 // ms that ICE may take to the same machine

/**
 * What a line has with the node for a while.
 * @typedef {{over: Promise<void>, end: () => Promise<void>}} Session
 */

/** ICE finds no way to the node. */
class NoWay extends Error {}

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
 * One session: offered, answered, connected.
 * @param {RTCPeerConnection} pc
 * @param {string} path
 * @param {(sdp: string) => string} [edit] of the answer
 * @returns {Promise<Session>}
 */
async function connect(pc, path, edit = sdp => sdp) {
	let session = ''
	const end = async () => {
		// One that is over ended with the node, or by it.
		if (session && !isOver(pc)) await remove(session).catch(() => {})
		pc.close()
	}
	try {
		await pc.setLocalDescription(await pc.createOffer())
		await gathered(pc)
		const offer = pc.localDescription?.sdp ?? ''
		if (!offer.includes('a=candidate:')) throw new NoWay()
		const made = await negotiate(path, offer)
		session = made.session
		await pc.setRemoteDescription({ type: 'answer', sdp: edit(made.answer) })
		await connected(pc)
		return { over: over(pc), end }
	} catch (e) {
		await end()
		throw e
	}
}

/**
 * Resolves when ICE and DTLS are through.
 * @param {RTCPeerConnection} pc
 * @returns {Promise<void>}
 */
function connected(pc) {
	return new Promise((done, fail) => {
		const none = () => fail(new NoWay())
		const late = setTimeout(none, tried)
		const look = () => {
			if (pc.connectionState === 'connected') done()
			else if (ended.includes(pc.connectionState)) none()
			else return
			clearTimeout(late)
		}
		pc.addEventListener('connectionstatechange', look)
		look()
	})
}

/** @param {RTCPeerConnection} pc of one transport for all it has */
function transportOf(pc) {
	return pc.getSenders().find(s => s.track)?.transport ?? pc.getReceivers()[0]?.transport
}

/**
 * Whether a connection is over. When the node ends a session it closes DTLS; the
 * connection's own state stays "connected" then.
 * @param {RTCPeerConnection} pc
 */
function isOver(pc) {
	return ended.includes(pc.connectionState) || ended.includes(transportOf(pc)?.state ?? '')
}

/**
 * Resolves when a connection is over. When the node dies, ICE is "disconnected"
 * long before it says "failed".
 * @param {RTCPeerConnection} pc
 * @returns {Promise<void>}
 */
function over(pc) {
	return new Promise(done => {
		/** @type {ReturnType<typeof setTimeout> | undefined} */
		let patience
		const look = () => {
			clearTimeout(patience)
			if (isOver(pc)) done()
			else if (pc.connectionState === 'disconnected') patience = setTimeout(done, silence)
		}
		pc.addEventListener('connectionstatechange', look)
		transportOf(pc)?.addEventListener('statechange', look)
		look()
	})
}

/**
 * A session with the node that is made again when it breaks, until the person
 * leaves or the node says that no try will do. Event: `state`.
 */
class Line extends EventTarget {
	/**
	 * @param {string} room its ID
	 * @param {string} name what the node finds it by: a link, or the ID again
	 */
	constructor(room, name) {
		super()
		this.room = room
		this.name = name
		/** @type {State} */
		this.state = 'joining'
		/** @type {Problem | null} that trying again does not mend, or not soon */
		this.problem = null
		this.held = false // it was up once
		this.left = new AbortController()
		/** @type {Promise<void>} that the session has ended, here and at the node */
		this.gone = Promise.resolve()
	}

	/** @param {State} state */
	become(state) {
		if (this.state === state || this.state === 'over') return
		this.state = state
		this.dispatchEvent(new Event('state'))
	}

	/**
	 * Asks the node for a session by ICE.
	 * @returns {Promise<Session>}
	 */
	async ask() {
		throw new Error('a line asks for something')
	}

	/**
	 * Asks for one over a socket.
	 * @returns {Promise<Session>}
	 */
	async askSocket() {
		throw new Error('a line asks for something')
	}

	/** The session is up. */
	begun() {
		this.become('heard')
	}

	async run() {
		const { signal } = this.left
		const left = new Promise(done => signal.addEventListener('abort', done, { once: true }))
		for (let tries = 0; !signal.aborted; tries++) {
			/** @type {Session | null} */
			let session = null
			try {
				session = await this.ask().catch(e => {
					if (e instanceof NoWay && able && !signal.aborted) return this.askSocket()
					throw e
				})
				if (!signal.aborted) {
					this.held = true
					this.problem = null
					tries = 0
					this.begun()
					await Promise.race([session.over, left])
				}
				if (!signal.aborted) this.become('lost')
			} catch (e) {
				this.failed(e)
			}
			await session?.end()
			const pause = this.state === 'early' ? early : pauses[Math.min(tries, pauses.length - 1)]
			await Promise.race([new Promise(done => setTimeout(done, pause)), left])
		}
		this.close()
		this.become('over')
	}

	/**
	 * A node that began anew does not know its rooms for a moment: one that was
	 * there is asked for again.
	 * @param {unknown} e
	 */
	failed(e) {
		const refused = e instanceof Problem && e.status >= 400 && e.status < 500
		if (e instanceof Problem && e.code === 'full_room') {
			this.become('full')
		} else if (e instanceof Problem && e.code === 'room_opens_later' && !this.held) {
			this.problem = e
			this.become('early')
		} else if (refused && !(this.held && e.code === 'unknown_room')) {
			this.problem = e
			this.left.abort()
		} else {
			this.become('lost')
		}
	}

	/** Ends what goes with it. */
	close() {}

	leave() {
		this.left.abort()
	}
}

/** What one listens to. */
export class Hearing extends Line {
	/**
	 * @param {string} room
	 * @param {string} name
	 */
	constructor(room, name) {
		super(room, name)
		/** @type {HTMLAudioElement[]} */
		this.players = Array.from({ length: slots }, () => Object.assign(document.createElement('audio'), { autoplay: true }))
		/** @type {RTCRtpReceiver[]} */
		this.receivers = []
		/** @type {Ear | null} in place of receivers */
		this.ear = null
		/** @type {object | null} another one for each session that is up */
		this.up = null
		/** @type {Map<string, number>} by peer: 0 to 1, for this person alone */
		this.volumes = new Map()
		/** @type {Map<number, string>} by source: whose it is */
		this.owners = new Map()
		this.quiet = false // nothing is played, and all the rest goes on
		this.balancing = setInterval(() => this.balance(), balanced) // whatever of the page is shown
		this.gone = this.run()
	}

	/** @override */
	async ask() {
		this.up = null
		const pc = new RTCPeerConnection()
		this.receivers = Array.from({ length: slots }, () => pc.addTransceiver('audio', { direction: 'recvonly' }).receiver)
		this.receivers.forEach((receiver, i) => (this.players[i].srcObject = new MediaStream([receiver.track])))
		return connect(pc, roomPath(this.name, 'whep'))
	}

	/** @override */
	async askSocket() {
		this.receivers = []
		const ear = (this.ear = await Ear.open(this.name))
		return { over: ear.over, end: () => this.deafen(ear) }
	}

	/** @param {Ear} ear */
	async deafen(ear) {
		if (this.ear === ear) this.ear = null
		await ear.end()
	}

	/** @override */
	begun() {
		this.up = {}
		this.play()
	}

	/** Plays; a browser that wants a gesture first leaves it `silenced`. */
	async play() {
		const { up } = this
		const heard = this.ear ? await this.ear.play() : await Promise.all(this.players.map(p => p.play())).then(() => true, () => false)
		if (up && up === this.up && !this.left.signal.aborted) this.become(heard ? 'heard' : 'silenced')
	}

	/** @override */
	close() {
		clearInterval(this.balancing)
	}

	/** Makes everybody as loud as the person wants them. */
	balance() {
		const volume = (/** @type {number} */ source) => (this.quiet ? 0 : this.volumes.get(this.owners.get(source) ?? '') ?? 1)
		for (const p of this.players) p.muted = this.quiet
		this.ear?.balance(volume)
		this.receivers.forEach((receiver, i) => {
			const on = newest(receiver)
			if (on) this.players[i].volume = volume(on.source)
		})
	}

	/**
	 * Who is heard now, and how loud (0 to 1), by source.
	 * @returns {Map<number, number>}
	 */
	levels() {
		if (this.ear) return this.ear.levels()
		const out = new Map()
		const now = performance.timeOrigin + performance.now()
		for (const receiver of this.receivers) {
			const on = newest(receiver)
			// Browsers differ in what they count from.
			if (on && (Math.abs(now - on.timestamp) < heardFor || Math.abs(performance.now() - on.timestamp) < heardFor)) {
				out.set(on.source, on.audioLevel ?? 0)
			}
		}
		return out
	}

	/** Nothing is played from now on. @override */
	leave() {
		this.receivers = []
		for (const p of this.players) p.srcObject = null
		this.ear?.end()
		super.leave()
	}
}

/**
 * Who is on a slot: the newest; older ones stay listed for 10 s.
 * @param {RTCRtpReceiver} receiver
 * @returns {RTCRtpContributingSource | undefined}
 */
function newest(receiver) {
	return receiver.getContributingSources().sort((a, b) => b.timestamp - a.timestamp)[0]
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
		this.source = this.context.createMediaStreamSource(stream)
		this.source.connect(this.analyser)
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

	/** Plays it to the person, so much later. @param {number} seconds */
	echo(seconds) {
		const later = new DelayNode(this.context, { delayTime: seconds, maxDelayTime: seconds })
		this.source.connect(later).connect(this.context.destination)
	}

	close() {
		this.track.stop()
		this.context.close()
	}
}

/** A live microphone in a room. */
export class Speaking extends Line {
	/**
	 * @param {string} room
	 * @param {string} name
	 * @param {Microphone} microphone closed with it
	 * @param {boolean} music
	 */
	constructor(room, name, microphone, music) {
		super(room, name)
		this.microphone = microphone
		this.music = music
		this.told = true // that the microphone is on
		this.telling = false
		microphone.track.addEventListener('ended', () => this.leave(), { once: true }) // unplugged
		this.gone = this.run()
	}

	/** @override */
	async ask() {
		const { track, stream } = this.microphone
		const pc = new RTCPeerConnection()
		pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] })
		return connect(pc, roomPath(this.name, 'whip'), sdp => withOpus(sdp, this.music))
	}

	/** @override */
	async askSocket() {
		return Mouth.open(this.name, this.microphone, this.music)
	}

	/** @override */
	begun() {
		this.told = true // what begins to speak is on
		super.begun()
		this.tell()
	}

	/** Sends, or is silent without ending: for push-to-talk. @param {boolean} open */
	open(open) {
		this.microphone.track.enabled = open
		this.tell()
	}

	/** Has the node say in the room whether the microphone is on, one word after the other. */
	async tell() {
		if (this.telling) return
		this.telling = true
		const { track } = this.microphone
		while (this.state === 'heard' && this.told !== track.enabled) {
			this.told = track.enabled
			await post(roomPath(this.room, 'mute'), { muted: !this.told }).catch(() => {}) // it has ended, or begins anew
		}
		this.telling = false
	}

	/** @override */
	close() {
		this.microphone.close()
	}

	/** Nothing of the microphone is sent from now on, however long the session takes to end. @override */
	leave() {
		this.microphone.track.enabled = false
		super.leave()
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
