// @ts-check
/**
 * The page: it trades its one-use key for a cookie, follows what is live, and
 * shows the hallway or a room, as the fragment of its address says.
 * @module
 */

import { Problem, post } from './api.js'
import { Hallway } from './hallway.js'
import { keysOn } from './keys.js'
import { Live } from './live.js'
import { Notices } from './notify.js'
import { Presence } from './presence.js'
import { mark } from './rings.js'
import { Room } from './room.js'
import { setTheme, settings } from './settings.js'
import { h, say, set } from './view.js'
import { chooseLanguage, isolate, t } from './words.js'

const voicePause = 3000 // ms between two sentences of the polite region
const welcome = 5000 // ms for which the page says that it is back

/** @param {string} id @returns {HTMLElement} */
const at = id => /** @type {HTMLElement} */ (document.getElementById(id))

/**
 * Trades the key in the fragment for a cookie; what follows it is where to go
 * then: `#key=KEY&room/ID`. False: there is no key, and no cookie either.
 */
async function enter() {
	const [, key, place = ''] = location.hash.match(/^#key=([\w-]+)(?:&(.*))?$/) ?? []
	if (key) {
		history.replaceState(null, '', location.pathname + (place && '#' + place))
		try {
			await post('/door', { key })
		} catch (e) {
			if (!(e instanceof Problem) || e.status === 0) throw e
		}
	}
	return (await fetch('/api/v1/node', { credentials: 'same-origin' })).ok
}

class Page {
	constructor() {
		this.live = new Live()
		this.presence = new Presence()
		/** @type {Hallway | Room | null} */
		this.shown = null
		/** @type {string[]} */
		this.sentences = []
		this.notices = new Notices(this.live, s => this.tell(s))
		this.live.addEventListener('change', () => this.show())
		this.live.addEventListener('standing', () => this.banner())
		this.presence.addEventListener('change', () => this.show())
		window.addEventListener('hashchange', () => this.route())
		window.addEventListener('keydown', e => {
			const typing = e.target instanceof HTMLElement && e.target.closest('input, select, textarea, dialog')
			if (e.key === '?' && keysOn() && !e.isComposing && !e.repeat && !typing) this.settings()
		})
		setInterval(() => this.show(), 30_000) // for how long things go on
		this.presence.resume()
		this.begin()
		this.live.start()
	}

	/** Draws what does not change but by language. */
	begin() {
		document.title = 'Earshot'
		at('top').replaceChildren(
			h('button', { class: 'skip', onclick: () => at('main').querySelector('h1')?.focus() }, t('skip')),
			h('a', { class: 'home', href: '#' }, mark(), 'Earshot'),
			(this.strip = h('a', { class: 'strip', hidden: true })),
			h('button', { onclick: () => this.settings() }, t('settings')))
		this.route()
	}

	settings() {
		settings(this.presence, () => this.begin())
	}

	/** Shows what the fragment names: `#room/ID`, with a link's hints after it or not, or the hallway. */
	route() {
		const [, room, hints] = location.hash.match(/^#room\/(\w+)(\/[\w-]+)?$/) ?? []
		if (room && hints) this.presence.links.set(room, `earshot:room/${room}${hints}`)
		if (this.shown instanceof Room) {
			if (this.shown.id === room && this.shown.element.isConnected && this.shown.element.lang === document.documentElement.lang) return
		}
		this.notices.see()
		this.shown?.close()
		this.shown = room ? new Room(this.live, this.presence, room, s => this.tell(s), () => this.settings()) : new Hallway(this.live, this.presence, to => this.go(to), this.notices)
		this.shown.element.lang = document.documentElement.lang
		at('main').replaceChildren(this.shown.element)
		this.shown.element.querySelector('h1')?.focus()
		this.show()
	}

	/**
	 * Goes to a room, by its ID, the beginning of it, or a link that somebody
	 * pasted with words around it. False: it is none of these.
	 * @param {string} to
	 */
	go(to) {
		const [, id, hints] = to.match(/(?:earshot:room|#room)\/(\w+)(\/[\w-]+)?/) ?? to.match(/^(\w{4,})$/) ?? []
		if (!id) return false
		if (hints) this.presence.links.set(id, `earshot:room/${id}${hints}`)
		location.hash = 'room/' + id
		return true
	}

	show() {
		this.presence.heed(this.live.views.get(this.presence.speaking?.room ?? this.presence.hearing?.room ?? ''))
		this.shown?.show()
		const { hearing, speaking } = this.presence
		if (hearing) hearing.owners = new Map(this.live.views.get(hearing.room)?.sources.map(s => [s.source, s.peer]))
		const away = hearing !== null && !(this.shown instanceof Room && this.shown.id === hearing.room)
		if (this.strip) {
			this.strip.hidden = !away
			this.strip.href = '#room/' + (hearing?.room ?? '')
			set(this.strip, { 'data-lit': hearing?.state === 'heard' && this.live.views.get(hearing.room)?.sources.some(s => s.hot) })
			say(this.strip, `${t('now')} ${isolate(this.live.rooms.get(hearing?.room ?? '')?.title ?? '')}${speaking ? ' · ' + t('mic') : ''}`)
		}
	}

	/** Says above everything else that the node is gone, and, for a while, that it is back. */
	banner() {
		const { standing } = this.live
		at('banner').hidden = false
		say(at('banner'), standing === 'live' ? t('back') : standing === 'locked' ? t('locked') : t(this.live.node?.demo ? 'demo.over' : 'stopped'))
		clearTimeout(this.unbanner)
		if (standing === 'live') this.unbanner = setTimeout(() => (at('banner').hidden = true), welcome)
	}

	/** Says a sentence politely: one in three seconds, and never more than a few behind. @param {string} sentence */
	tell(sentence) {
		this.sentences = [...this.sentences, sentence].slice(-3)
		if (this.voice === undefined) this.speakNext()
	}

	speakNext() {
		const sentence = this.sentences.shift()
		if (sentence) say(at('voice'), sentence)
		this.voice = sentence ? setTimeout(() => this.speakNext(), voicePause) : undefined
	}
}

async function start() {
	chooseLanguage()
	setTheme()
	if (await enter().catch(() => null)) new Page()
	else at('main').replaceChildren(h('div', { class: 'empty' }, h('h1', {}, 'Earshot'), h('p', {}, t('locked'))))
}

start()
