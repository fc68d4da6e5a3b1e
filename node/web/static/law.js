// @ts-check
/**
 * Who may do what in a room: what can be done about somebody and about all, how
 * it is undone, and what those are told whom it concerns.
 * @module
 */

import { Problem, inWords, post, roomPath } from './api.js'
import { showLog } from './log.js'
import { changeRoom } from './rules.js'
import { List, ask, h, say, set } from './view.js'
import { dayTime, t } from './words.js'

/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./live.js').Member} Member */
/**
 * An act of the API's; `lower`, which no log keeps, takes a hand down.
 * @typedef {{act: string, peer?: string, role?: string, may_unmute?: boolean, for_ms?: number, text?: string, topics?: string[], at?: string}} Act
 */

/**
 * Something that can be done about somebody: the word for it is `law.` and its
 * name, what is said then `law.did.` and its name. What asks first has a
 * question, `law.ask.` and its name, and the answers that lead on.
 * @typedef {{name: string, act?: Act, undo?: Act, answers?: {word: string, act: Act, undo?: Act}[]}} Choice
 */

const hour = 3_600_000 // ms
const undoFor = 10_000 // ms, and as long as somebody points at it
const turned = ['banned', 'removed', 'locked', 'paused', 'muted'] // codes of problems that people made on purpose

/** Whether somebody is muted still: who may end it does by speaking. @param {Member} m */
const muted = m => m.muted_by !== '' && (m.silenced || !m.speaking)

/**
 * What can be done about somebody here, in the menu's order: what can't wait first.
 * @param {Member} m
 * @param {string} stage who may speak in the room
 */
function choices(m, stage) {
	/** @param {string} act */
	const may = act => m.you_may.includes(act)
	const seated = m.role === 'speaker' || (stage === 'open' && m.speaking)
	const back = stage === 'open' ? { act: 'unmute' } : { act: 'grant', role: 'speaker' } // on an open stage it is a mute
	/** @type {(Choice | false)[]} */
	const all = [
		may('mute') && !m.silenced && { name: 'mute', act: { act: 'mute' }, undo: { act: 'unmute' } },
		may('mute') && !muted(m) && { name: 'hush', act: { act: 'mute', may_unmute: true }, undo: { act: 'unmute' } },
		may('unmute') && muted(m) && { name: 'unmute', act: { act: 'unmute' } },
		may('remove') && { name: 'remove', answers: [{ word: 'law.remove.go', act: { act: 'remove' } }] },
		may('ban') && { name: 'ban', answers: [{ word: 'law.ban.hour', act: { act: 'ban', for_ms: hour }, undo: { act: 'unban' } }, { word: 'law.ban.ever', act: { act: 'ban' }, undo: { act: 'unban' } }] },
		may('grant') && stage === 'host' && m.role !== 'speaker' && { name: 'seat', act: { act: 'grant', role: 'speaker' }, undo: { act: 'revoke', role: 'speaker' } },
		may('grant') && m.hand > 0 && { name: 'lower', act: { act: 'lower' } },
		may('revoke') && seated && { name: 'audience', act: { act: 'revoke' }, undo: back },
		may('grant') && m.guest_of === '' && { name: 'moderator', act: { act: 'grant', role: 'moderator' }, undo: { act: 'revoke', role: 'moderator' } },
		may('revoke') && m.role === 'moderator' && { name: 'member', act: { act: 'revoke', role: 'moderator' }, undo: { act: 'grant', role: 'moderator' } },
	]
	return all.filter(c => c !== false)
}

/**
 * Has the node do something in a room.
 * @param {string} room
 * @param {Act} act
 */
function does(room, act) {
	if (act.act !== 'lower') return post(roomPath(room, 'acts'), act)
	return post(roomPath(room, 'members/' + encodeURIComponent(act.peer ?? '')), { hand: false })
}

/**
 * Why one is not in a room, or not heard there, if people wanted that; else what
 * went wrong, and what to do.
 * @param {Problem} problem
 */
export function whyAway(problem) {
	return turned.includes(problem.code) ? t('why.' + problem.code) : inWords(problem)
}

export class Law {
	/** @param {import('./room.js').Room} room */
	constructor(room) {
		this.room = room
		this.still = h('p', { class: 'notice still', hidden: true }, (this.why = h('span')), (this.goOn = h('button', { onclick: () => (this.room.view?.paused ? this.pause() : this.hush()) })))
		this.mine = h('p', { class: 'notice mine', role: 'alert' })
		this.facts = h('div', { class: 'soft' }, (this.locked = h('p', {}, t('law.locked'))), (this.next = h('p')), (this.pinned = h('p')))
		this.word = h('span')
		this.button = h('button', { class: 'pause', hidden: true, 'aria-description': t('law.pause.say'), onclick: () => this.pause() }, icon('M-4 -8 v16 M4 -8 v16'), this.word)
		this.lock = h('button', { class: 'lock', onclick: () => this.turnKey() })
		this.quiet = h('button', { class: 'quieten', 'aria-describedby': 'quieten', onclick: () => this.hush() })
		this.stop = h('button', { 'aria-describedby': 'pausing', onclick: () => this.pause() })
		this.calm = h('div', { class: 'choices calm' }, this.quiet, h('p', { class: 'soft', id: 'quieten' }, t('law.quiet.say')), this.stop, h('p', { class: 'soft', id: 'pausing' }, t('law.paused')))
		this.change = h('button', { class: 'change', onclick: () => this.room.view && changeRoom(this.room.view, act => does(this.room.id, act)) }, t('rules'))
		this.house = h('section', { class: 'house', hidden: true }, h('h2', {}, t('law.house')),
			h('div', { class: 'choices' }, this.change, this.lock, this.calm, h('button', { class: 'look', onclick: () => this.look() }, t('log'))))
		this.sentence = h('span')
		this.undo = h('button', { onclick: () => this.takeBack() }, t('law.undo'))
		this.done = h('p', { class: 'done', hidden: true }, this.sentence, this.undo)
		/** @type {Act | undefined} what would undo the last act */
		this.back = undefined
	}

	close() {
		clearTimeout(this.fading)
	}

	/** @param {RoomView | undefined} view */
	show(view) {
		this.house.hidden = !view
		/** @param {string} act */
		const may = act => view?.you_may.includes(act) ?? false
		this.button.hidden = !may('pause')
		say(this.word, t(view?.paused ? 'law.resume' : 'law.pause'))
		this.lock.hidden = !may('lock')
		say(this.lock, t(view?.locked ? 'law.unlock' : 'law.lock'))
		this.showStill(view, may('pause'))
		this.change.hidden = !may('title')
		this.room.chat.text.disabled = view?.paused ?? false
		this.locked.hidden = !view?.locked
		this.next.hidden = !view?.next
		if (view?.next) say(this.next, t('law.next', { when: dayTime(view.next) }))
		this.showPin(view?.pinned ?? '')
		this.showMine(view)
	}

	/**
	 * Says to all that the room is still, and why; who may ends it there, or where
	 * it was begun.
	 * @param {RoomView | undefined} view
	 * @param {boolean} may
	 */
	showStill(view, may) {
		const [paused, by] = [view?.paused ?? false, view?.muted_all_by ?? '']
		const focused = this.still.contains(document.activeElement)
		this.still.hidden = !paused && !by
		if (this.still.hidden && focused) this.room.ring.focus()
		say(this.why, paused ? t('law.paused') : t('law.hushed', { name: this.room.nameOf(by) }))
		this.goOn.hidden = this.calm.hidden = !may
		say(this.goOn, t(paused ? 'law.resume' : 'law.loud'))
		say(this.quiet, t(by ? 'law.loud' : 'law.quiet'))
		say(this.stop, t(paused ? 'law.resume' : 'law.pause.room'))
	}

	/** The link that all are shown. It is whatever somebody wrote. @param {string} link */
	showPin(link) {
		this.pinned.hidden = link === ''
		if (this.pinned.dataset.link === link) return
		this.pinned.dataset.link = link
		const room = link.match(/^earshot:(room\/.+)$/)?.[1]
		const far = /^https?:\/\//i.test(link) && URL.canParse(link)
		const shown = room ? h('a', { href: '#' + room }, link) : far ? h('a', { href: link, target: '_blank', rel: 'noopener noreferrer' }, link) : h('bdi', {}, link)
		this.pinned.replaceChildren(t('law.pinned') + ' ', shown)
	}

	/** Tells somebody whom a moderator muted, until they speak again. @param {RoomView | undefined} view */
	showMine(view) {
		const you = view?.members.find(m => m.you)
		const told = you !== undefined && muted(you)
		const why = !you?.silenced ? 'law.mine.may' : you.muted_by === view?.muted_all_by ? 'law.mine.all' : 'law.mine'
		say(this.mine, told ? t(why, { name: this.room.nameOf(you.muted_by) }) : '')
		this.mine.hidden = !told
	}

	/**
	 * Says what has changed for everybody.
	 * @param {RoomView} before
	 * @param {RoomView} now
	 */
	announce(before, now) {
		if (before.paused !== now.paused) this.room.tell(t(now.paused ? 'law.paused' : 'law.resumed'))
		if (before.muted_all_by !== now.muted_all_by) this.room.tell(now.muted_all_by ? t('law.hushed', { name: this.room.nameOf(now.muted_all_by) }) : t('law.did.loud'))
		if (!before.locked && now.locked) this.room.tell(t('law.locked'))
		const was = before.members.find(m => m.you)?.role
		const is = now.members.find(m => m.you)?.role
		if (was && was !== is && is === 'moderator') this.note(t('law.you.moderator'))
		else if (was === 'moderator' && was !== is) this.note(t('law.you.member'))
	}

	/**
	 * Buttons for what can be done about somebody here, as long as their card is open;
	 * show says whether there are any. A question takes the card's place.
	 * @param {HTMLElement} card
	 * @param {() => void} close
	 */
	choicesAbout(card, close) {
		/** @type {Member} */
		let of
		/** @param {Choice} c @param {{act: Act, undo?: Act}} way */
		const go = (c, way) => {
			const { peer, name } = of
			close()
			this.carry({ ...way.act, peer }, t('law.did.' + c.name, { name }), way.undo && { ...way.undo, peer })
		}
		/** @param {Choice} c */
		const chosen = c => {
			if (c.act) return go(c, { act: c.act, undo: c.undo })
			const cancel = h('button', { onclick: close }, t('cancel'))
			card.replaceChildren(h('p', {}, t('law.ask.' + c.name, { name: of.name })),
				h('div', { class: 'choices' }, (c.answers ?? []).map(a => h('button', { class: 'danger', onclick: () => go(c, a) }, t(a.word))), cancel))
			cancel.focus()
		}
		const element = h('div', { class: 'choices' })
		/** @type {List<Choice>} */
		const list = new List(element, c => c.name, () => {
			/** @type {Choice} */
			let choice
			const button = h('button', { onclick: () => chosen(choice) })
			return {
				element: button,
				update: c => {
					choice = c
					say(button, t('law.' + c.name, { name: of.name }))
					set(button, { class: c.answers ? 'danger' : null })
				},
			}
		})
		return {
			element,
			/** @param {Member} m */
			show: m => {
				of = m
				const all = choices(m, this.room.view?.stage ?? '')
				list.show(all)
				return all.length > 0
			},
		}
	}

	/** Whether somebody here is to be told of another. @param {Member} m */
	hearsOf(m) {
		return !m.you && (this.room.view?.members ?? []).some(o => !o.you && o.peer !== m.peer && (o.role === 'host' || o.role === 'moderator'))
	}

	/** A dialog; focus stays in the room after what opened it has gone with somebody. @param {string} title @param {...any} children */
	open(title, ...children) {
		const box = ask(title, ...children)
		box.addEventListener('close', () => setTimeout(() => this.keepFocus()))
		return box
	}

	keepFocus() {
		if (document.activeElement === document.body) this.room.ring.focus()
	}

	/** Turns the microphones of all others off, or lets them be turned on again. */
	hush() {
		this.carry({ act: this.room.view?.muted_all_by ? 'unmute' : 'mute' })
	}

	pause() {
		this.carry({ act: this.room.view?.paused ? 'resume' : 'pause' })
	}

	turnKey() {
		const on = !this.room.view?.locked
		this.carry({ act: on ? 'lock' : 'unlock' }, t(on ? 'law.locked' : 'law.did.unlock'), { act: on ? 'unlock' : 'lock' })
	}

	look() {
		if (this.room.view) showLog(this.room.view)
	}

	/**
	 * Does it, says so unless that is seen anyway, and offers to undo it.
	 * @param {Act} act
	 * @param {string} [sentence]
	 * @param {Act} [undo]
	 */
	async carry(act, sentence, undo) {
		try {
			await does(this.room.id, act)
			if (sentence) this.note(sentence, undo)
		} catch (e) {
			this.note(inWords(e))
		}
	}

	takeBack() {
		const { back } = this
		this.room.ring.focus()
		if (back) this.carry(back, t('law.undone'))
	}

	/**
	 * @param {string} sentence
	 * @param {Act} [undo]
	 */
	note(sentence, undo) {
		this.back = undo
		this.undo.hidden = !undo
		say(this.sentence, sentence)
		this.done.hidden = false
		this.room.tell(sentence)
		clearTimeout(this.fading)
		this.fading = setTimeout(() => this.fade(), undoFor)
	}

	fade() {
		if (this.done.matches(':hover, :focus-within')) this.fading = setTimeout(() => this.fade(), undoFor)
		else this.done.hidden = true
	}
}

/** @param {string} d */
function icon(d) {
	return h('svg', { class: 'icon', viewBox: '-12 -12 24 24', 'aria-hidden': 'true' }, h('path', { d }))
}
