// @ts-check
/**
 * LocalEvent and LocalFrame of earshot.proto, as a socket carries them: just
 * enough of protobuf's wire format, read as strictly as the node reads it.
 * @module
 */

/**
 * @typedef {object} Frame
 * @property {number} source
 * @property {number} timestamp at 48 kHz
 * @property {number} counter
 * @property {number} level -dBov: 0 loudest, 127 silent (RFC 6464)
 * @property {number} marks
 * @property {Uint8Array} packet Opus
 */

const fields = /** @type {const} */ (['source', 'timestamp', 'counter', 'level', 'marks'])
const packetField = fields.length + 1
const varint = 0, fixed64 = 1, bytes = 2, groupStart = 3, groupEnd = 4, fixed32 = 5
const deepest = 64 // groups in groups, which nobody sends

class Reader {
	/** @param {Uint8Array} data */
	constructor(data) {
		this.data = data
		this.at = 0
	}

	get more() {
		return this.at < this.data.length
	}

	/** The lower half of a varint, and whether there is more of it. @returns {{low: number, high: number}} */
	varint() {
		let low = 0, high = 0
		for (let shift = 0; shift < 70; shift += 7) {
			const byte = this.data[this.at++]
			if (byte === undefined || (shift === 63 && byte > 1)) break
			const bits = byte & 0x7f
			if (shift < 32) low |= bits << shift
			if (shift > 28) high |= bits << (shift - 32)
			else if (shift === 28) high |= bits >> 4
			if (byte < 0x80) return { low: low >>> 0, high: high >>> 0 }
		}
		throw new RangeError('a number is cut or too large')
	}

	/** A number that has to fit into 32 bits. */
	number() {
		const { low, high } = this.varint()
		if (high !== 0) throw new RangeError('a number is too large')
		return low
	}

	/** @param {number} size */
	take(size) {
		if (size > this.data.length - this.at) throw new RangeError('a field is cut')
		this.at += size
		return this.data.subarray(this.at - size, this.at)
	}

	/** @returns {{field: number, type: number}} */
	tag() {
		const tag = this.number()
		if (tag < 8) throw new RangeError('there is no field 0')
		return { field: tag >>> 3, type: tag & 7 }
	}

	/**
	 * Leaves out a field that is not known.
	 * @param {{field: number, type: number}} tag
	 * @param {number} [deep]
	 */
	skip({ field, type }, deep = 0) {
		if (type === varint) this.varint()
		else if (type === fixed64) this.take(8)
		else if (type === bytes) this.take(this.number())
		else if (type === fixed32) this.take(4)
		else if (type !== groupStart || deep > deepest) throw new RangeError('a field has no such type')
		else {
			for (let tag = this.tag(); tag.type !== groupEnd || tag.field !== field; tag = this.tag()) this.skip(tag, deep + 1)
		}
	}
}

/** @returns {Frame} */
function empty() {
	return { source: 0, timestamp: 0, counter: 0, level: 0, marks: 0, packet: new Uint8Array() }
}

/**
 * @param {Frame} frame
 * @param {Uint8Array} data
 */
function fill(frame, data) {
	const from = new Reader(data)
	while (from.more) {
		const tag = from.tag()
		const name = fields[tag.field - 1]
		if (name && tag.type === varint) frame[name] = from.varint().low
		else if (tag.field === packetField && tag.type === bytes) frame.packet = from.take(from.number())
		else from.skip(tag)
	}
	return frame
}

/**
 * Reads a LocalEvent: a frame, or a JSON object as text, or neither. Throws if it
 * is malformed.
 * @param {Uint8Array} data
 * @returns {{frame: Frame | null, event: string | null}}
 */
export function readEvent(data) {
	const from = new Reader(data)
	/** @type {{frame: Frame | null, event: string | null}} */
	let read = { frame: null, event: null }
	while (from.more) {
		const tag = from.tag()
		if (tag.type !== bytes || tag.field > 2) from.skip(tag)
		else if (tag.field === 1) read = { frame: fill(read.frame ?? empty(), from.take(from.number())), event: null }
		else read = { frame: null, event: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(from.take(from.number())) }
	}
	return read
}

/** @param {number[]} to @param {number} value */
function put(to, value) {
	for (; value > 0x7f; value >>>= 7) to.push((value & 0x7f) | 0x80)
	to.push(value)
}

/** Writes a LocalFrame. @param {Partial<Frame>} frame @returns {Uint8Array<ArrayBuffer>} */
export function writeFrame(frame) {
	/** @type {number[]} */
	const head = []
	fields.forEach((name, i) => {
		const value = (frame[name] ?? 0) >>> 0
		if (value) put(head, ((i + 1) << 3) | varint), put(head, value)
	})
	const packet = frame.packet ?? new Uint8Array()
	if (packet.length) put(head, (packetField << 3) | bytes), put(head, packet.length)
	const out = new Uint8Array(head.length + packet.length)
	out.set(head)
	out.set(packet, head.length)
	return out
}
