// @ts-check
/**
 * Settings: microphone, keys, language, appearance.
 * @module
 */

import { keysOn, setKeys } from './keys.js'
import { tellMe } from './notify.js'
import { showPeople } from './people.js'
import { showProfile } from './profile.js'
import { Trial } from './trial.js'
import { h, set } from './view.js'
import { language, languages, setLanguage, t } from './words.js'

/** @typedef {import('./presence.js').Presence} Presence */

const keyWords = [['Space', 'keys.space'], ['M', 'keys.m'], ['R', 'keys.r'], ['S', 'keys.s'], ['N', 'keys.n'], ['?', 'keys.help']]

/** @param {string} value @param {string} name @param {boolean} selected @param {string} [lang] */
const option = (value, name, selected, lang) => h('option', { value, selected, lang }, name)

/**
 * Asks; what was chosen holds once the dialog closes.
 * @param {Presence} presence
 * @param {() => void} translated the language is another one now
 */
export async function settings(presence, translated) {
	const device = h('select', {}, option('', t('mic.usual'), true))
	const music = h('input', { type: 'checkbox', checked: presence.music })
	const push = h('input', { type: 'checkbox', checked: presence.push })
	const quiet = h('input', { type: 'checkbox', checked: presence.quiet })
	const single = h('input', { type: 'checkbox', checked: keysOn() })
	const tongue = h('select', {}, ...Object.entries(languages).map(([tag, name]) => option(tag, name, tag === language(), tag)))
	const theme = h('select', {}, ...['system', 'light', 'dark'].map(value => option(value, t('theme.' + value), value === currentTheme())))
	const check = new Trial({ capture: () => ({ device: device.value, music: music.checked }), start: 'mic.check', stop: 'mic.check.stop', about: 'mic.check.say' })
	const dialog = h('dialog', { class: 'settings', 'aria-labelledby': 'settings' },
		h('h2', { id: 'settings' }, t('settings')),
		h('div', { class: 'pair' }, h('button', { onclick: showProfile }, t('profile')), h('button', { onclick: showPeople }, t('people'))), tellMe(),
		h('label', {}, t('mic.device'), device), check.element,
		h('label', { class: 'option' }, music, t('mic.music')), h('label', { class: 'option' }, push, t('mic.push')), h('label', { class: 'option' }, quiet, t('sound.off')),
		h('h3', {}, t('keys')), h('label', { class: 'option' }, single, t('keys.on')),
		h('dl', { class: 'keys' }, ...keyWords.flatMap(([key, word]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, t(word))])),
		h('div', { class: 'pair' }, h('label', {}, t('language'), tongue), h('label', {}, t('theme'), theme)),
		h('div', { class: 'acts' }, h('button', { class: 'main', onclick: () => dialog.close() }, t('close'))))
	dialog.addEventListener('close', () => {
		check.stop()
		dialog.remove()
		setKeys(single.checked)
		setTheme(theme.value)
		presence.choose({ device: device.value, music: music.checked, push: push.checked, quiet: quiet.checked })
		if (tongue.value === language()) return
		setLanguage(tongue.value)
		translated()
	})
	document.body.append(dialog)
	dialog.showModal()
	for (const d of (await navigator.mediaDevices?.enumerateDevices()) ?? []) {
		if (d.kind === 'audioinput' && d.deviceId && d.deviceId !== 'default') device.append(option(d.deviceId, d.label || t('mic'), d.deviceId === presence.device))
	}
}

function currentTheme() {
	return localStorage.getItem('theme') ?? 'system'
}

/** @param {string} [theme] system, light or dark */
export function setTheme(theme = currentTheme()) {
	localStorage.setItem('theme', theme)
	set(document.documentElement, { 'data-theme': theme === 'system' ? false : theme })
}
