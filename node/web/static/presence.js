// @ts-check
/**
 * What the person does in rooms by this page: what is heard, what is spoken,
 * with which microphone. One tab of a browser holds the microphone.
 * @module
 */

import { Hearing, Microphone, Speaking } from './sound.js'
import { keysOn, setKeys } from './keys.js'
import { h, say, set } from './view.js'
import { language, languages, setLanguage, t } from './words.js'

const lock = 'earshot microphone'

export class Presence extends EventTarget {
	constructor() {
		super()
		/** @type {Hearing | null} */
		this.hearing = null
		/** @type {Speaking | null} */
		this.speaking = null
		this.push = localStorage.getItem('push') === 'on'
		this.device = localStorage.getItem('device') ?? ''
		this.music = localStorage.getItem('music') === 'on'
		this.held = false
		/** @type {Map<string, string>} by room: the link that the person has, which finds it where its ID does not */
		this.links = new Map()
		this.trouble = ''
		/** @type {(() => void) | null} */
		this.release = null // gives the microphone to other tabs
	}

	changed() {
		this.dispatchEvent(new Event('change'))
	}

	/** @param {string} room */
	listen(room) {
		if (this.hearing && this.hearing.room !== room) this.leave()
		if (this.hearing?.state === 'over') this.hearing = null
		if (!this.hearing) {
			this.hearing = new Hearing(room, this.links.get(room) ?? room)
			this.hearing.addEventListener('state', () => this.changed())
		}
		this.changed()
	}

	leave() {
		this.hush()
		this.hearing?.leave()
		this.hearing = null
		this.trouble = ''
		this.changed()
	}

	/** Turns the microphone on in a room. @param {string} room */
	async speak(room) {
		this.trouble = ''
		if (!(await this.take())) {
			this.trouble = t('mic.elsewhere')
			this.changed()
			return
		}
		try {
			const microphone = await Microphone.open(this)
			const speaking = (this.speaking = new Speaking(room, microphone, this.music))
			speaking.open(!this.push || this.held)
			speaking.addEventListener('state', () => {
				if (speaking.state === 'over') this.ended(speaking)
				this.changed()
			})
		} catch (e) {
			this.give()
			this.trouble = e instanceof DOMException && e.name === 'NotFoundError' ? t('mic.none') : t('mic.blocked')
		}
		this.changed()
	}

	/** @param {Speaking} speaking */
	ended(speaking) {
		if (this.speaking !== speaking) return
		this.speaking = null
		this.give()
		if (speaking.problem) this.trouble = [speaking.problem.message, speaking.problem.hint].filter(Boolean).join(' · ')
	}

	/** Turns it off. */
	hush() {
		this.speaking?.stop()
		this.speaking = null
		this.give()
		this.changed()
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
		else if (down) this.speak(room)
		this.changed()
	}

	/** How loud one's own live microphone is, 0 to 1. */
	level() {
		return this.speaking && (!this.push || this.held) ? this.speaking.microphone.level() : 0
	}

	/** Takes the microphone for this tab; false: another has it. */
	take() {
		return new Promise(answer => {
			navigator.locks.request(lock, { ifAvailable: true }, held => {
				answer(held !== null)
				return held && new Promise(done => (this.release = () => done(undefined)))
			})
		})
	}

	give() {
		this.release?.()
		this.release = null
	}

	/** Asks for device, manner, keys, language and appearance. */
	async settings() {
		const device = h('select', {}, h('option', { value: '' }, t('mic.usual')))
		const music = h('input', { type: 'checkbox', checked: this.music })
		const push = h('input', { type: 'checkbox', checked: this.push })
		const single = h('input', { type: 'checkbox', checked: keysOn() })
		const tongue = h('select', {}, ...Object.entries(languages).map(([value, name]) => h('option', { value, selected: value === language(), lang: value }, name)))
		const theme = h('select', {}, ...['system', 'light', 'dark'].map(value => h('option', { value, selected: (localStorage.getItem('theme') ?? 'system') === value }, t('theme.' + value))))
		const check = new Check(() => ({ device: device.value, music: music.checked }))
		const dialog = h('dialog', { class: 'settings', 'aria-labelledby': 'settings' },
			h('h2', { id: 'settings' }, t('settings')),
			h('label', {}, t('mic.device'), device), check.element,
			h('label', { class: 'option' }, music, t('mic.music')), h('label', { class: 'option' }, push, t('mic.push')),
			h('h3', {}, t('keys')), h('label', { class: 'option' }, single, t('keys.on')),
			h('dl', { class: 'keys' }, ...[['Space', 'keys.space'], ['M', 'keys.m'], ['S', 'keys.s'], ['N', 'keys.n'], ['?', 'keys.help']].flatMap(([key, word]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, t(word))])),
			h('div', { class: 'pair' }, h('label', {}, t('language'), tongue), h('label', {}, t('theme'), theme)),
			h('div', { class: 'acts' }, h('button', { class: 'main', onclick: () => dialog.close() }, t('close'))))
		dialog.addEventListener('close', () => {
			check.close()
			dialog.remove()
			this.device = device.value
			this.music = music.checked
			this.push = push.checked
			localStorage.setItem('device', this.device)
			localStorage.setItem('music', this.music ? 'on' : 'off')
			localStorage.setItem('push', this.push ? 'on' : 'off')
			setKeys(single.checked)
			setTheme(theme.value)
			if (tongue.value !== language()) {
				setLanguage(tongue.value)
				this.dispatchEvent(new Event('language'))
			}
			this.changed()
		})
		document.body.append(dialog)
		dialog.showModal()
		for (const d of await navigator.mediaDevices?.enumerateDevices() ?? []) {
			if (d.kind === 'audioinput' && d.deviceId && d.deviceId !== 'default') device.append(h('option', { value: d.deviceId, selected: d.deviceId === this.device }, d.label || t('mic')))
		}
	}
}

/** One's own level, before anybody else hears it. */
class Check {
	/** @param {() => import('./sound.js').Capture} capture */
	constructor(capture) {
		this.capture = capture
		this.word = h('p', { class: 'soft', role: 'status' })
		this.line = h('span', { class: 'level' })
		this.element = h('div', { class: 'check' }, h('button', { type: 'button', onclick: () => this.start() }, t('mic.check'), this.line), this.word)
	}

	async start() {
		this.close()
		try {
			this.microphone = await Microphone.open(this.capture())
			say(this.word, t('mic.check.say'))
			this.beat = setInterval(() => this.line.style.setProperty('--level', this.microphone?.level().toFixed(2) ?? '0'), 50)
		} catch (e) {
			say(this.word, e instanceof DOMException && e.name === 'NotFoundError' ? t('mic.none') : t('mic.blocked'))
		}
	}

	close() {
		clearInterval(this.beat)
		this.microphone?.close()
		this.microphone = undefined
	}
}

/** @param {string} theme system, light or dark */
export function setTheme(theme) {
	localStorage.setItem('theme', theme)
	set(document.documentElement, { 'data-theme': theme === 'system' ? false : theme })
}
