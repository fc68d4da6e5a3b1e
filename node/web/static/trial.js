// @ts-check
/**
 * Trying one's microphone before anybody else hears it: its level, or one's own
 * voice a little later. No node takes part in it.
 * @module
 */

import { whyNot } from './presence.js'
import { Microphone } from './sound.js'
import { h, say, set } from './view.js'
import { t } from './words.js'

const beat = 50 // ms

/**
 * @typedef {{capture: () => import('./sound.js').Capture, start: string, stop: string, about: string, echo?: number}} Manner
 *   what the button says and what is said below it, by their keys; the voice comes back after `echo` seconds, if given
 */

export class Trial {
	/** @param {Manner} manner */
	constructor(manner) {
		this.manner = manner
		/** @type {object | null} what is wanted: another, or none, makes a microphone that comes late void */
		this.wanted = null
		/** @type {Microphone | null} */
		this.microphone = null
		this.word = h('span', {}, t(manner.start))
		this.line = h('span', { class: 'level' })
		this.button = h('button', { type: 'button', onclick: () => (this.wanted ? this.stop() : this.start()) }, this.word, this.line)
		this.trouble = h('span', { role: 'status' })
		this.element = h('div', { class: 'trial' }, this.button, h('p', { class: 'soft' }, t(manner.about), ' ', this.trouble))
	}

	async start() {
		const wanted = (this.wanted = {})
		const { capture, echo } = this.manner
		try {
			const microphone = await Microphone.open(capture())
			if (this.wanted !== wanted) return microphone.close()
			this.microphone = microphone
			if (echo) microphone.echo(echo)
			microphone.track.addEventListener('ended', () => this.stop(), { once: true }) // unplugged
			this.beat = setInterval(() => this.line.style.setProperty('--level', microphone.level().toFixed(2)), beat)
			say(this.trouble, '')
			this.show()
		} catch (e) {
			if (this.wanted !== wanted) return
			say(this.trouble, whyNot(e))
			this.stop()
		}
	}

	stop() {
		this.wanted = null
		clearInterval(this.beat)
		this.microphone?.close()
		this.microphone = null
		this.line.style.setProperty('--level', '0')
		this.show()
	}

	/** The lamp is for sound that flows: a level alone is none. */
	show() {
		const on = this.microphone !== null
		set(this.button, { 'data-live': on && this.manner.echo !== undefined })
		say(this.word, t(on ? this.manner.stop : this.manner.start))
	}
}
