// @ts-check
/**
 * What was done in a room: who did what, to whom, when, by which right; and who is
 * kept out.
 * @module
 */

import { get, inWords, post, roomPath } from './api.js'
import { ask, h, say, set } from './view.js'
import { language, languageName, span, t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/**
 * @typedef {{hash: string, at: string, actor: string, name: string, right: string, by: string, stands: boolean, ended_by?: string, act: string, peer: string,
 *   peer_name: string, role?: string, may_unmute?: boolean, for_ms?: number, text?: string, topics?: string[], next?: string}} Line
 * @typedef {{actions: Line[], host: string, banned: string[]}} Log
 */

/** @param {string | Date} at */
const when = at => new Date(at).toLocaleString(language(), { dateStyle: 'medium', timeStyle: 'short' })

/**
 * Shows a room's log, the newest first, and a way to save it.
 * @param {RoomView} view
 */
export function showLog(view) {
	const out = h('section', { hidden: true }, h('h3', {}, t('log.banned')))
	const list = h('ol', { class: 'deeds' })
	const problem = h('p', { class: 'problem', role: 'alert' })
	const box = ask(t('log'), h('p', { class: 'soft' }, t('log.say')), out, list, problem, h('div', { class: 'acts' },
		h('a', { class: 'button', href: roomPath(view.room, 'log/export'), download: `earshot-${view.room.slice(0, 8)}.log` }, t('log.save')),
		h('button', { class: 'main', onclick: () => box.close() }, t('close'))))
	fill()

	async function fill() {
		/** @type {Log} */
		let log
		try {
			log = await get(roomPath(view.room, 'log'))
		} catch (e) {
			return say(problem, inWords(e))
		}
		const called = names(view, log)
		list.replaceChildren(...log.actions.map(l => row(l, log.actions, called)).reverse(), first(view, called))
		out.hidden = log.banned.length === 0
		out.replaceChildren(out.firstChild, ...log.banned.map(peer => kept(peer, called(peer))))
	}

	/** Somebody who is kept out. @param {string} peer @param {string} name */
	function kept(peer, name) {
		const button = h('button', { onclick: () => post(roomPath(view.room, 'acts'), { act: 'unban', peer }).then(fill, e => say(problem, inWords(e))) }, t('law.unban'))
		set(button, { 'aria-label': `${t('law.unban')}: ${name}` })
		return h('p', { class: 'pair kept' }, h('bdi', {}, name), view.you_may.includes('unban') && button)
	}
}

/**
 * What people are called, those who have left too.
 * @param {RoomView} view
 * @param {Log} log
 * @returns {(peer: string) => string}
 */
export function names(view, log) {
	const known = new Map(log.actions.flatMap(l => [[l.actor, l.name], [l.peer, l.peer_name]]).filter(([, name]) => name).map(([peer, name]) => [peer, name]))
	for (const m of view.members) known.set(m.peer, m.name)
	return peer => known.get(peer) || peer.slice(-6)
}

/** The room was opened, before anything in its log. @param {RoomView} view @param {(peer: string) => string} called */
function first(view, called) {
	return h('li', {}, h('span', {}, t('log.opened', { who: called(view.host) })), h('small', { class: 'soft' }, when(view.started)))
}

/** One act. @param {Line} l @param {Line[]} all @param {(peer: string) => string} called */
function row(l, all, called) {
	const sentence = inSentence(l, called)
	const right = !l.stands ? whyVoid(l, all, called) : l.right === 'moderator' ? t('log.by', { name: called(l.by) }) : t('log.host')
	return h('li', {}, l.stands ? h('span', {}, sentence) : h('s', {}, sentence), h('small', { class: 'soft' }, `${when(l.at)} · ${right}`))
}

/**
 * Why an act does not stand: its author's moderating was ended, by somebody above
 * them or by themselves; or what made them a moderator is void, too.
 * @param {Line} l
 * @param {Line[]} all
 * @param {(peer: string) => string} called
 */
function whyVoid(l, all, called) {
	const who = called(l.actor)
	if (l.ended_by) return t(l.ended_by === l.actor ? 'log.void.self' : 'log.void.by', { name: called(l.ended_by), who })
	const named = all.some(o => o.peer === l.actor && o.stands && o.act === 'grant' && o.role === 'moderator')
	return t(named ? 'log.void' : 'log.void.named', { who })
}

/** @param {Line} l @param {(peer: string) => string} called */
export function inSentence(l, called) {
	const fill = { who: called(l.actor), whom: l.peer ? called(l.peer) : '', time: span(l.for_ms ?? 0), what: l.text ?? '' }
	switch (l.act) {
		case 'grant':
		case 'revoke':
			return t('log.' + l.act + '.' + l.role, fill)
		case 'mute':
		case 'unmute':
			return t('log.' + l.act + (l.peer ? '' : '.all'), fill)
		case 'ban':
			return t('log.' + l.act + (l.for_ms ? '' : '.ever'), fill)
		case 'stage':
			return t('log.stage', { ...fill, what: t('law.stage.' + l.text) })
		case 'language':
			return t('log.language', { ...fill, what: languageName(l.text ?? '') })
		case 'topics':
			return t('log.topics', { ...fill, what: (l.topics ?? []).join(', ') })
		case 'pin':
			return t(l.text ? 'log.pin' : 'log.pin.none', fill)
		case 'next':
			return t(l.next ? 'log.next' : 'log.next.none', { ...fill, what: l.next ? when(l.next) : '' })
	}
	return t('log.' + l.act, fill)
}
