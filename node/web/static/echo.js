// @ts-check
/**
 * Trying it alone: one's own voice, a second later. No node takes part in it.
 * @module
 */

import { whyNot } from './presence.js'
import { Microphone } from './sound.js'
import { h, say, set } from './view.js'
import { t } from './words.js'

const delay = 1 // s
const beat = 50 // ms

export class Echo {
	/** @param {() => import('./sound.js').Capture} capture */
	constructor(capture) {
		this.capture = capture
		/** @type {object | null} what is wanted: another, or none, makes a microphone that comes late void */
		this.wanted = null
		/** @type {Microphone | null} */
		this.microphone = null
		this.word = h('span', {}, t('try'))
		this.line = h('span', { class: 'level' })
		this.button = h('button', { type: 'button', onclick: () => (this.wanted ? this.stop() : this.start()) }, this.word, this.line)
		this.trouble = h('span', { role: 'status' })
		this.element = h('div', { class: 'echo' }, this.button, h('p', { class: 'soft' }, t('try.say'), ' ', this.trouble))
	}

	async start() {
		const wanted = (this.wanted = {})
		try {
			const microphone = await Microphone.open(this.capture())
			if (this.wanted !== wanted) return microphone.close()
			this.microphone = microphone
			microphone.echo(delay)
			microphone.track.addEventListener('ended', () => this.stop(), { once: true }) // unplugged
			this.beat = setInterval(() => this.line.style.setProperty('--level', microphone.level().toFixed(2)), beat)
			say(this.trouble, '')
			this.show()
		} catch (e) {
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

	show() {
		set(this.button, { 'data-live': this.microphone !== null })
		say(this.word, this.microphone ? t('try.stop') : t('try'))
	}
}
