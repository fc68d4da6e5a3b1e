// @ts-check
/**
 * What one says of oneself to all in the rooms that one is in.
 * @module
 */

import { get, inWords, post } from './api.js'
import { avatar } from './rings.js'
import { ask, h, say } from './view.js'
import { t } from './words.js'

const mostBytes = 160
const colours = ['', 'red', 'orange', 'amber', 'yellow', 'lime', 'green', 'teal', 'cyan', 'blue', 'indigo', 'violet', 'pink']

/** @param {string} text */
const bytes = text => new TextEncoder().encode(text.trim()).length

/** Asks what one wants to say of oneself. */
export async function showProfile() {
	const name = h('input', { required: true, maxlength: '64', autocomplete: 'off', dir: 'auto' })
	const count = h('span', { class: 'soft count', id: 'said', role: 'status' })
	const text = h('textarea', { rows: '3', dir: 'auto', 'aria-describedby': 'said', oninput: measure })
	const face = h('span', { class: 'face' })
	const problem = h('p', { class: 'problem', role: 'alert' })
	const done = h('button', { class: 'main', disabled: true }, t('rules.save'))
	const swatches = colours.map(c => h('input', { type: 'radio', name: 'colour', value: c }))
	const form = h('form', { onsubmit: send, onchange: draw },
		h('div', { class: 'says' }, face, h('label', {}, t('profile.name'), name)),
		h('label', {}, t('profile.text'), text), count,
		h('fieldset', { class: 'swatches' }, h('legend', {}, t('profile.colour')),
			...swatches.map((radio, i) => h('label', { class: colours[i] && 'hue-' + colours[i] }, radio, t('colour.' + (colours[i] || 'none'))))),
		problem, h('div', { class: 'acts' }, h('button', { type: 'button', onclick: () => box.close() }, t('cancel')), done))
	const box = ask(t('profile'), h('p', { class: 'soft' }, t('profile.say')), form)
	let peer = ''
	try {
		const mine = await get('/api/v1/profile')
		peer = mine.peer
		name.value = mine.name
		text.value = mine.text
		swatches[Math.max(0, colours.indexOf(mine.colour))].checked = true
	} catch (e) {
		return say(problem, inWords(e))
	}
	measure()
	draw()

	function measure() {
		const left = mostBytes - bytes(text.value)
		done.disabled = left < 0
		say(count, left < 0 ? t('profile.long') : t('profile.left', { n: left }))
	}

	function draw() {
		face.replaceChildren(avatar(peer, name.value, chosen()))
	}

	function chosen() {
		return String(new FormData(form).get('colour') ?? '')
	}

	/** @param {SubmitEvent} event */
	async function send(event) {
		event.preventDefault()
		try {
			await post('/api/v1/profile', { name: name.value, text: text.value.trim().replace(/\s+/g, ' '), colour: chosen() })
			box.close()
		} catch (e) {
			say(problem, inWords(e))
		}
	}
}
