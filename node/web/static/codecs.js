// @ts-check
/**
 * Sound between this page and its node without ICE: Opus by WebCodecs, over a
 * WebSocket. A machine with no network interface but loopback offers browsers no
 * candidate; this way is always there.
 * @module
 */

import { Problem, roomPath } from './api.js'
import { readEvent, writeFrame } from './frames.js'

/** @typedef {import('./frames.js').Frame} Frame */

const rate = 48000 // Hz, of timestamps
const buffered = 0.06 // s that a frame waits before it is played
const latest = 0.4 // s: one that would wait for longer begins anew
const discontinuous = 2 // bytes at most, of a packet that only says that there is nothing to hear
const voices = 8 // decoders kept: three are heard at a time
const heardFor = 400 // ms
const failed = 4000 // close codes above it: an HTTP status more
const backlog = 16384 // bytes not sent yet, beyond which a microphone's packets are dropped

/** Whether the browser can do it. */
export const able = 'AudioDecoder' in globalThis && 'AudioEncoder' in globalThis

/**
 * A socket to the node. What goes wrong before it may begin is thrown.
 * @param {string} name of the room
 * @param {'earshot-listen' | 'earshot-speak'} use
 * @param {(frame: Frame) => void} [heard]
 * @returns {Promise<{socket: WebSocket, over: Promise<void>}>}
 */
async function open(name, use, heard) {
	const url = new URL(roomPath(name, 'socket'), location.href)
	url.protocol = url.protocol.replace('http', 'ws')
	const socket = new WebSocket(url, use)
	socket.binaryType = 'arraybuffer'
	let told = { event: '', code: 'no_node', message: 'Earshot does not answer', hint: '' }
	/** @type {Promise<number>} */
	const closed = new Promise(done => socket.addEventListener('close', e => done(e.code), { once: true }))
	const begun = new Promise(done => socket.addEventListener('message', ({ data }) => {
		const { frame, event } = readEvent(new Uint8Array(data))
		if (frame) return heard?.(frame)
		told = JSON.parse(event ?? '{}')
		if (told.event !== 'error') done(0)
	}))
	const code = await Promise.race([begun, closed])
	if (code !== 0) throw new Problem(Math.max(0, code - failed), told.code, told.message, told.hint)
	return { socket, over: closed.then(() => {}) }
}

/** One source: decoded, and played when its time has come. */
class Voice {
	/**
	 * @param {AudioContext} context
	 * @param {number} timestamp of its first frame
	 */
	constructor(context, timestamp) {
		this.context = context
		this.gain = new GainNode(context)
		this.gain.connect(context.destination)
		this.level = 0
		this.heardAt = -Infinity
		this.timestamp = timestamp // newest, of 32 bits
		this.samples = 0 // from the first frame to it
		/** @type {number | null} when, on the context's clock, its first frame would have been played */
		this.began = null
		this.decoder = this.decoding()
	}

	decoding() {
		const decoder = new AudioDecoder({ output: data => this.play(data), error: () => {} })
		decoder.configure({ codec: 'opus', sampleRate: rate, numberOfChannels: 2 })
		return decoder
	}

	/** @param {Frame} frame */
	take({ timestamp, level, packet }) {
		this.samples += (timestamp - this.timestamp) | 0
		this.timestamp = timestamp
		if (packet.length <= discontinuous) return
		this.level = 10 ** (-level / 20)
		this.heardAt = performance.now()
		if (this.decoder.state === 'closed') this.decoder = this.decoding() // it met with what is no Opus
		this.decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp: (this.samples / rate) * 1e6, data: /** @type {Uint8Array<ArrayBuffer>} */ (packet) }))
	}

	/** @param {AudioData} data */
	play(data) {
		const { context } = this
		if (context.state === 'running') {
			const at = data.timestamp / 1e6, now = context.currentTime
			const waits = this.began === null ? -1 : this.began + at - now
			if (this.began === null || waits < 0 || waits > latest) this.began = now + buffered - at
			const buffer = context.createBuffer(data.numberOfChannels, data.numberOfFrames, data.sampleRate)
			for (let c = 0; c < data.numberOfChannels; c++) data.copyTo(buffer.getChannelData(c), { planeIndex: c, format: 'f32-planar' })
			const source = new AudioBufferSourceNode(context, { buffer })
			source.connect(this.gain)
			source.start(this.began + at)
		}
		data.close()
	}

	close() {
		if (this.decoder.state !== 'closed') this.decoder.close()
		this.gain.disconnect()
	}
}

/** What is heard over a socket. */
export class Ear {
	constructor() {
		this.context = new AudioContext({ sampleRate: rate, latencyHint: 'interactive' })
		/** @type {Map<number, Voice>} by source, the one heard last at the end */
		this.voices = new Map()
		/** @type {WebSocket | null} */
		this.socket = null
		this.over = Promise.resolve()
	}

	/** @param {string} name of the room */
	static async open(name) {
		const ear = new Ear()
		try {
			const { socket, over } = await open(name, 'earshot-listen', frame => ear.take(frame))
			ear.socket = socket
			ear.over = over
			return ear
		} catch (e) {
			ear.end()
			throw e
		}
	}

	/** @param {Frame} frame */
	take(frame) {
		const voice = this.voices.get(frame.source) ?? new Voice(this.context, frame.timestamp)
		this.voices.delete(frame.source)
		this.voices.set(frame.source, voice)
		voice.take(frame)
		if (this.voices.size <= voices) return
		const [[oldest, gone]] = this.voices
		gone.close()
		this.voices.delete(oldest)
	}

	/** Plays, if the browser lets it without a gesture. @returns {Promise<boolean>} */
	async play() {
		await Promise.race([this.context.resume(), new Promise(done => setTimeout(done, 300))])
		return this.context.state === 'running'
	}

	/** @param {(source: number) => number} volume 0 to 1 */
	balance(volume) {
		for (const [source, voice] of this.voices) voice.gain.gain.value = volume(source)
	}

	/** How loud who is heard is, by source, 0 to 1. */
	levels() {
		/** @type {Map<number, number>} */
		const out = new Map()
		for (const [source, voice] of this.voices) {
			if (performance.now() - voice.heardAt < heardFor) out.set(source, voice.level)
		}
		return out
	}

	async end() {
		this.socket?.close()
		for (const voice of this.voices.values()) voice.close()
		this.voices.clear()
		if (this.context.state !== 'closed') await this.context.close()
	}
}

/** A microphone that is sent over a socket. */
export class Mouth {
	/**
	 * @param {WebSocket} socket
	 * @param {Promise<void>} over
	 */
	constructor(socket, over) {
		this.socket = socket
		this.over = over
		this.samples = 0
		this.encoder = new AudioEncoder({ output: chunk => this.send(chunk), error: () => this.end() })
		/** @type {AudioWorkletNode | null} */
		this.capture = null
	}

	/**
	 * @param {string} name of the room
	 * @param {import('./sound.js').Microphone} microphone
	 * @param {boolean} music
	 */
	static async open(name, microphone, music) {
		const { socket, over } = await open(name, 'earshot-speak')
		const mouth = new Mouth(socket, over)
		try {
			await mouth.begin(microphone, music)
			return mouth
		} catch (e) {
			mouth.end()
			throw e
		}
	}

	/**
	 * @param {import('./sound.js').Microphone} microphone
	 * @param {boolean} music
	 */
	async begin({ context, source }, music) {
		const channels = music ? 2 : 1
		const opus = { application: music ? 'audio' : 'voip', frameDuration: 20000, usedtx: !music }
		this.encoder.configure(/** @type {AudioEncoderConfig} */ ({ codec: 'opus', sampleRate: context.sampleRate, numberOfChannels: channels, bitrate: music ? 128000 : 32000, opus }))
		await context.audioWorklet.addModule('/static/capture.js')
		const capture = (this.capture = new AudioWorkletNode(context, 'capture', { channelCount: channels, channelCountMode: 'explicit', processorOptions: { channels } }))
		capture.port.addEventListener('message', ({ data }) => this.encode(data, context.sampleRate, channels))
		capture.port.start()
		source.connect(capture).connect(context.destination) // silence: only what leads somewhere runs
	}

	/**
	 * @param {Float32Array<ArrayBuffer>} data one channel after another
	 * @param {number} sampleRate
	 * @param {number} channels
	 */
	encode(data, sampleRate, channels) {
		if (this.encoder.state !== 'configured') return
		const numberOfFrames = data.length / channels
		const audio = new AudioData({ format: 'f32-planar', sampleRate, numberOfFrames, numberOfChannels: channels, timestamp: (this.samples / sampleRate) * 1e6, data })
		this.samples += numberOfFrames
		this.encoder.encode(audio)
		audio.close()
	}

	/** @param {EncodedAudioChunk} chunk */
	send(chunk) {
		if (this.socket.readyState !== WebSocket.OPEN || this.socket.bufferedAmount > backlog) return
		const packet = new Uint8Array(chunk.byteLength)
		chunk.copyTo(packet)
		this.socket.send(writeFrame({ packet }))
	}

	async end() {
		this.capture?.disconnect()
		this.capture?.port.close()
		this.socket.close()
		if (this.encoder.state !== 'closed') this.encoder.close()
	}
}
