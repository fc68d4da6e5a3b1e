// @ts-check
/**
 * A room's own: what it is about, who may speak, its link, when it is live again.
 * @module
 */

import { inWords } from './api.js'
import { timeField } from './later.js'
import { choice, tongues } from './opening.js'
import { ask, h, say } from './view.js'
import { languageName, t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./law.js').Act} Act */

/**
 * Asks what is to be another way, and does that alone.
 * @param {RoomView} view
 * @param {(act: Act) => Promise<any>} does
 */
export function changeRoom(view, does) {
	const title = h('input', { required: true, maxlength: '120', autocomplete: 'off', dir: 'auto' })
	const topics = h('input', { maxlength: '64', autocomplete: 'off', dir: 'auto' })
	const tongue = h('select', {}, [...new Set([view.language, ...tongues])].map(l => h('option', { value: l, selected: l === view.language }, l ? languageName(l) : '–')))
	const pin = h('input', { maxlength: '200', autocomplete: 'off', inputmode: 'url', dir: 'auto' })
	const next = timeField(t('rules.next'), view.next ? new Date(view.next) : undefined)
	const problem = h('p', { class: 'problem', role: 'alert' })
	const done = h('button', { class: 'main' }, t('rules.save'))
	/** @type {[string, string][]} */
	const stages = [['host', t('law.stage.host')], ['open', t('law.stage.open')], ['moderators', t('law.stage.moderators')]]
	const form = h('form', { onsubmit: send },
		h('label', {}, t('title'), title), h('div', { class: 'pair' }, h('label', {}, t('language'), tongue), h('label', {}, t('topics'), topics)),
		choice('stage', t('who'), stages.sort((a, b) => Number(b[0] === view.stage) - Number(a[0] === view.stage))), // as it is now: chosen
		h('label', {}, t('rules.pin'), pin), next.element, problem,
		h('div', { class: 'acts' }, h('button', { type: 'button', onclick: () => box.close() }, t('cancel')), done))
	title.value = view.title
	topics.value = view.topics.join(', ')
	pin.value = view.pinned
	const before = new Map(wishes().map(a => [a.act, JSON.stringify(a)]))
	const box = ask(t('rules'), form)

	/** All that the form says, each as the act that makes it so. @returns {Act[]} */
	function wishes() {
		return [
			{ act: 'title', text: title.value.trim() },
			{ act: 'topics', topics: split(topics.value) },
			{ act: 'language', text: tongue.value },
			{ act: 'stage', text: String(new FormData(form).get('stage')) },
			{ act: 'pin', text: pin.value.trim() },
			{ act: 'next', at: next.at() },
		]
	}

	/** @param {SubmitEvent} event */
	async function send(event) {
		event.preventDefault()
		done.disabled = true
		try {
			for (const act of wishes()) {
				if (before.get(act.act) === JSON.stringify(act)) continue
				await does(act)
				before.set(act.act, JSON.stringify(act))
			}
			box.close()
		} catch (e) {
			say(problem, inWords(e))
			done.disabled = false
		}
	}
}

/**
 * Asks whether to end a room, and when it is live again.
 * @param {string | undefined} next as it is said now
 * @param {(at: string | undefined) => void} end
 */
export function endRoom(next, end) {
	const again = timeField(t('rules.next'), next ? new Date(next) : undefined)
	const form = h('form', { onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), box.close(), end(again.at())) },
		h('p', {}, t('end.ask')), again.element, h('p', { class: 'soft' }, t('end.next')),
		h('div', { class: 'acts' }, h('button', { type: 'button', onclick: () => box.close() }, t('cancel')), h('button', { class: 'danger' }, t('end'))))
	const box = ask(t('end'), form)
}

/** @param {string} topics */
function split(topics) {
	return topics.split(/[,，、]/).map(s => s.trim()).filter(Boolean)
}
