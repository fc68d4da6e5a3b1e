// @ts-check
/**
 * What the page says, in the person's language.
 * @module
 */

import en from './words/en.js'
import id from './words/id.js'
import vi from './words/vi.js'
import zh from './words/zh.js'

/** @typedef {Record<string, string>} Words */

/** Each language under its BCP 47 tag, by its own name. */
export const languages = { en: 'English', id: 'Bahasa Indonesia', vi: 'Tiếng Việt', 'zh-Hans': '简体中文' }

/** @typedef {keyof typeof languages} Language */

/** @type {Record<Language, Words>} */
const tables = { en, id, vi, 'zh-Hans': zh }

/** @type {Language} */
let current = 'en'

/** Chosen by the person, else by the browser. */
export function chooseLanguage() {
	const wanted = [localStorage.getItem('language') ?? '', ...navigator.languages]
	current = wanted.map(match).find(tag => tag !== undefined) ?? 'en'
	document.documentElement.lang = current
}

/** @param {string} tag @returns {Language | undefined} */
function match(tag) {
	if (tag in tables) return /** @type {Language} */ (tag)
	const base = tag.split('-')[0].toLowerCase()
	if (base === 'zh') return 'zh-Hans'
	return base in tables ? /** @type {Language} */ (base) : undefined
}

/** @returns {Language} */
export function language() {
	return current
}

/** @param {string} tag */
export function setLanguage(tag) {
	localStorage.setItem('language', tag)
	chooseLanguage()
}

/**
 * A text with its blanks filled in.
 * @param {string} key
 * @param {Record<string, string | number>} [fill]
 */
export function t(key, fill = {}) {
	const text = tables[current][key] ?? en[/** @type {keyof typeof en} */ (key)] ?? key
	return text.replace(/\{(\w+)\}/g, (whole, name) => (name in fill ? filling(fill[name]) : whole))
}

/** @param {string | number} v */
function filling(v) {
	return typeof v === 'number' ? new Intl.NumberFormat(current).format(v) : isolate(v)
}

/**
 * What people wrote, within a sentence: its direction is its own (UAX #9, FSI
 * and PDI).
 * @param {string} text
 */
export function isolate(text) {
	return `\u2068${text}\u2069`
}

/** Several names in a sentence. @param {string[]} names */
export function among(names) {
	return new Intl.ListFormat(current).format(names.map(isolate))
}

/**
 * How long something has gone on, in a few letters: 18 min, 2 h.
 * @param {number} ms
 */
export function span(ms) {
	const minutes = Math.floor(ms / 60000)
	if (minutes < 1) return t('span.soon')
	const [value, unit] = minutes < 60 ? [minutes, 'minute'] : minutes < 2880 ? [Math.floor(minutes / 60), 'hour'] : [Math.floor(minutes / 1440), 'day']
	return new Intl.NumberFormat(current, { style: 'unit', unit: String(unit), unitDisplay: 'short' }).format(Number(value))
}

/**
 * A time to come as people say it, in their own zone: tomorrow 19:00; from a week
 * on with its date.
 * @param {string | Date} at
 */
export function dayTime(at) {
	const time = new Date(at)
	const days = Math.round((new Date(time).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86_400_000)
	const hour = time.toLocaleTimeString(current, { timeStyle: 'short' })
	if (days < -1 || days > 6) return time.toLocaleString(current, { dateStyle: 'full', timeStyle: 'short' })
	const day = days < 2 ? new Intl.RelativeTimeFormat(current, { numeric: 'auto' }).format(days, 'day') : time.toLocaleDateString(current, { weekday: 'long' })
	return `${day} ${hour}`
}

/**
 * The name of a language in the person's own.
 * @param {string} tag
 */
export function languageName(tag) {
	try {
		return new Intl.DisplayNames(current, { type: 'language' }).of(tag) ?? tag
	} catch {
		return tag
	}
}

/**
 * A text as searching compares it: without case and accents. đ is a letter of
 * its own that normalisation leaves alone.
 * @param {string} text
 */
export function fold(text) {
	return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().replaceAll('đ', 'd')
}
