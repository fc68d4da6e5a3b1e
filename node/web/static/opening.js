// @ts-check
/**
 * Opening a room: what about, who may speak, who can find it; then its link.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { h, say } from './view.js'
import { language, languageName, t } from './words.js'

export const tongues = ['en', 'id', 'vi', 'zh', 'ar', 'es', 'fa', 'fr', 'hi', 'ja', 'ko', 'my', 'pt', 'ru', 'th', 'tr', 'uk']

/**
 * Asks, opens and shows the link.
 * @param {(room: string) => void} go into the room
 */
export function open(go) {
	const title = h('input', { name: 'title', required: true, maxlength: '120', autocomplete: 'off', dir: 'auto' })
	const topics = h('input', { name: 'topics', maxlength: '64', autocomplete: 'off', dir: 'auto' })
	const tongue = h('select', { name: 'language' }, ...tongues.map(l => h('option', { value: l, selected: l === language().split('-')[0] }, languageName(l))))
	const problem = h('p', { class: 'problem', role: 'alert' })
	const done = h('button', { class: 'main' }, t('open'))
	const form = h('form', { onsubmit: send },
		h('h2', { id: 'opening' }, t('open')),
		h('label', {}, t('title'), title),
		choice('stage', t('who'), [['host', t('who.host')], ['open', t('who.open')]]),
		choice('find', t('find'), [['link', t('find.link')], ['all', t('find.all')]]),
		h('div', { class: 'pair' }, h('label', {}, t('language'), tongue), h('label', {}, t('topics'), topics)),
		problem,
		h('div', { class: 'acts' }, h('button', { type: 'button', onclick: () => dialog.close() }, t('cancel')), done))
	const dialog = h('dialog', { class: 'opening', 'aria-labelledby': 'opening', onclose: () => dialog.remove() }, form)
	document.body.append(dialog)
	dialog.showModal()

	/** @param {SubmitEvent} event */
	async function send(event) {
		event.preventDefault()
		const words = new FormData(form)
		done.disabled = true
		try {
			const opened = await post('/api/v1/rooms', {
				title: title.value, language: tongue.value, stage: words.get('stage'), unlisted: words.get('find') === 'link',
				topics: topics.value.split(/[,，、]/).map((/** @type {string} */ s) => s.trim()).filter(Boolean),
			})
			dialog.replaceChildren(opening(opened, () => (dialog.close(), go(opened.room))))
			dialog.querySelector('button.main')?.focus()
		} catch (e) {
			say(problem, inWords(e))
			done.disabled = false
		}
	}
}

/**
 * A choice of few: the first is chosen.
 * @param {string} name
 * @param {string} legend
 * @param {[string, string][]} options
 */
export function choice(name, legend, options) {
	return h('fieldset', {}, h('legend', {}, legend),
		...options.map(([value, text], i) => h('label', { class: 'option' }, h('input', { type: 'radio', name, value, checked: i === 0 }), text)))
}

/**
 * The room's link, once it is open.
 * @param {{room: string, link: string}} opened
 * @param {() => void} enter
 */
function opening({ room, link }, enter) {
	return h('div', {}, h('h2', { id: 'opening' }, t('ready')), sharing(room, link), h('div', { class: 'acts' }, h('button', { class: 'main', onclick: enter }, t('enter'))))
}

/**
 * A link to pass on: to read, to copy, to share, to point a phone at.
 * @param {string} room
 * @param {string} link
 * @param {string} [code] where it is drawn
 * @param {string} [about]
 */
export function sharing(room, link, code = roomPath(room, 'qr.svg'), about = t('link.say')) {
	const field = h('input', { readOnly: true, value: link, 'aria-label': t('link'), onfocus: () => field.select() })
	field.value = link
	const copy = h('button', {
		type: 'button',
		onclick: () => navigator.clipboard.writeText(link).then(() => say(copy, t('copied')), () => field.focus()), // which selects it, to copy by hand
	}, t('copy'))
	const share = 'share' in navigator && h('button', { type: 'button', onclick: () => navigator.share({ url: link, text: link }).catch(() => {}) }, t('share'))
	return h('div', { class: 'sharing' }, h('p', { class: 'soft' }, about), h('div', { class: 'pair' }, field, copy, share), h('img', { class: 'qr', src: code, alt: t('qr') }))
}
