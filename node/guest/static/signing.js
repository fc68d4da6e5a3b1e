// @ts-check
/**
 * What a guest says, under a key of their own: a RoomMessage of Earshot's protocol
 * (docs/protocol.md, sections 4, 9, 24 and 25), signed with Ed25519. This browser makes
 * the key, keeps it, and gives it to nobody.
 * @module
 */

const domain = 'earshot-room-message'
const letters = 'abcdefghijklmnopqrstuvwxyz234567' // RFC 4648

/** @param {number} n @returns {number[]} a varint */
const varint = n => (n < 128 ? [n] : [(n % 128) + 128, ...varint(Math.floor(n / 128))])
/** @param {number} field @param {number | boolean} n */
const number = (field, n) => (n ? [...varint(field * 8), ...varint(Number(n))] : [])
/** @param {number} field @param {Iterable<number>} b a field of bytes, also an empty one */
const part = (field, b, all = [...b]) => [...varint(field * 8 + 2), ...varint(all.length), ...all]
const utf8 = new TextEncoder()

/** @param {string} name @param {boolean} speaking @param {Uint8Array} door the key of the node */
export const presence = (name, speaking, door) => part(5, [...part(1, utf8.encode(name)), ...number(2, 1), ...number(3, speaking), ...part(12, door)])
/** @param {Uint8Array} session @param {boolean} ended */
export const voice = (session, ended) => part(7, [...part(1, session), ...number(2, ended)])
/** @param {boolean} up @param {number} raised which raising */
export const hand = (up, raised) => part(9, [...number(1, up), ...number(2, raised)])
/** @param {number} order @param {string} name @param {string} text */
export const chat = (order, name, text) => part(12, [...number(1, order), ...part(2, utf8.encode(name)), ...part(3, utf8.encode(text)), ...number(4, Date.now())])

/** @param {string} emoji */
export const reaction = emoji => part(14, part(1, utf8.encode(emoji)))

/** @param {string} hex */
export const unhex = hex => Uint8Array.from(hex.match(/../g) ?? [], b => parseInt(b, 16))
/** @param {Iterable<number>} b */
const hex = b => [...b].map(n => n.toString(16).padStart(2, '0')).join('')

/** @param {string} id a room's, in letters */
function roomBytes(id) {
	const bits = [...id.toLowerCase()].map(c => letters.indexOf(c).toString(2).padStart(5, '0')).join('')
	return Array.from({ length: 32 }, (_, i) => parseInt(bits.slice(8 * i, 8 * i + 8), 2))
}

/**
 * The session of a guest's voice: its connection's certificate, so that the signature
 * on it is good for nobody else's.
 * @param {string} sdp the offer
 */
export async function sessionOf(sdp) {
	const print = unhex((sdp.match(/a=fingerprint:sha-256 ([0-9a-f:]+)/i)?.[1] ?? '').replaceAll(':', ''))
	const sum = await crypto.subtle.digest('SHA-256', Uint8Array.of(...utf8.encode('earshot-guest-voice'), ...print))
	return new Uint8Array(sum).slice(0, 16)
}

/** Who signs. */
export class Signer {
	/** @param {string} room @param {CryptoKeyPair} pair @param {Uint8Array} key the public one */
	constructor(room, pair, key) {
		this.room = roomBytes(room)
		this.pair = pair
		this.key = key
		this.name = hex(key)
		this.sequence = 0
		this.boot = Math.max(Date.now(), Number(localStorage.getItem('boot')) + 1)
		localStorage.setItem('boot', String(this.boot))
	}

	/**
	 * A message, ready to be sent.
	 * @param {number[]} what
	 */
	async sign(what) {
		const body = [...number(1, this.boot), ...number(2, ++this.sequence), ...what]
		const signature = await crypto.subtle.sign('Ed25519', this.pair.privateKey, Uint8Array.of(...utf8.encode(domain), 0, ...this.room, ...body))
		return Uint8Array.of(...part(1, this.key), ...part(2, body), ...part(3, new Uint8Array(signature)))
	}
}

/**
 * A signer with this browser's key; null where it can't sign.
 * @param {string} room
 */
export async function signer(room) {
	try {
		const pair = await kept(() => crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']))
		return new Signer(room, pair, new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)))
	} catch {
		return null
	}
}

/**
 * What this browser keeps, made if it is not there.
 * @param {() => Promise<any>} make
 * @returns {Promise<CryptoKeyPair>}
 */
async function kept(make) {
	/** @param {IDBRequest} request @returns {Promise<any>} */
	const done = request => new Promise((yes, no) => {
		request.onsuccess = () => yes(request.result)
		request.onerror = () => no(request.error)
	})
	const opening = indexedDB.open('earshot')
	opening.onupgradeneeded = () => opening.result.createObjectStore('keys')
	const db = await done(opening)
	try {
		const keys = () => db.transaction('keys', 'readwrite').objectStore('keys')
		const before = await done(keys().get('guest'))
		if (before) return before
		const pair = await make()
		await done(keys().put(pair, 'guest'))
		return pair
	} finally {
		db.close()
	}
}
