// @ts-check
/**
 * Opening a room: what about, who may speak, who can find it; then its link.
 * @module
 */

import { inWords, post, roomPath } from './api.js'
import { proposed, timeField } from './later.js'
import { h, say } from './view.js'
import { dayTime, language, languageName, t } from './words.js'

export const tongues = ['en', 'id', 'vi', 'zh', 'ar', 'es', 'fa', 'fr', 'hi', 'ja', 'ko', 'my', 'pt', 'ru', 'th', 'tr', 'uk']

/**
 * Asks, opens and shows the link.
 * @param {(room: string) => void} go into the room
 */
export function open(go) {
	const title = h('input', { name: 'title', required: true, maxlength: '120', autocomplete: 'off', dir: 'auto' })
	const topics = h('input', { name: 'topics', maxlength: '64', autocomplete: 'off', dir: 'auto' })
	const tongue = h('select', { name: 'language' }, ...tongues.map(l => h('option', { value: l, selected: l === language().split('-')[0] }, languageName(l))))
	const time = timeField(t('opens.at'), proposed())
	const when = choice('when', t('opens'), [['now', t('opens.now')], ['later', t('opens.later')]])
	when.append(time.element)
	when.addEventListener('change', timed)
	const problem = h('p', { class: 'problem', role: 'alert' })
	const done = h('button', { class: 'main' }, t('open'))
	const form = h('form', { onsubmit: send },
		h('h2', { id: 'opening' }, t('open')),
		h('label', {}, t('title'), title),
		choice('stage', t('who'), [['host', t('who.host')], ['open', t('who.open')]]),
		choice('find', t('find'), [['link', t('find.link')], ['all', t('find.all')]]),
		h('div', { class: 'pair' }, h('label', {}, t('language'), tongue), h('label', {}, t('topics'), topics)),
		when,
		problem,
		h('div', { class: 'acts' }, h('button', { type: 'button', onclick: () => dialog.close() }, t('cancel')), done))
	const dialog = h('dialog', { class: 'opening', 'aria-labelledby': 'opening', onclose: () => dialog.remove() }, form)
	document.body.append(dialog)
	dialog.showModal()
	timed()

	/** A time is asked for only if it is later. */
	function timed() {
		const later = new FormData(form).get('when') === 'later'
		time.element.hidden = !later
		time.field.required = later
		say(done, t(later ? 'opens.plan' : 'open'))
	}

	/** @param {SubmitEvent} event */
	async function send(event) {
		event.preventDefault()
		const words = new FormData(form)
		done.disabled = true
		try {
			const at = words.get('when') === 'later' ? time.at() : undefined
			const opened = await post('/api/v1/rooms', {
				at, title: title.value, language: tongue.value, stage: words.get('stage'), unlisted: words.get('find') === 'link',
				topics: topics.value.split(/[,，、]/).map((/** @type {string} */ s) => s.trim()).filter(Boolean),
			})
			dialog.replaceChildren(opening(opened, at, () => (dialog.close(), go(opened.room))))
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
 * The room's link, once it is open, or is to be.
 * @param {{room: string, link: string}} opened
 * @param {string | undefined} at
 * @param {() => void} enter
 */
function opening({ room, link }, at, enter) {
	return h('div', {}, h('h2', { id: 'opening' }, at ? t('opens.ready', { when: dayTime(at) }) : t('ready')), sharing(room, link), h('div', { class: 'acts' }, h('button', { class: 'main', onclick: enter }, t('enter'))))
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
