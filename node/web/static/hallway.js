// @ts-check
/**
 * The hallway: what is live, in the order in which a person would want it.
 * @module
 */

import { inWords, post } from './api.js'
import { Later } from './later.js'
import { open } from './opening.js'
import { showPeople } from './people.js'
import { showProfile } from './profile.js'
import { glyph } from './rings.js'
import { Trial } from './trial.js'
import { List, h, say, set } from './view.js'
import { fold, isolate, language, languageName, span, t } from './words.js'

/** @typedef {import('./live.js').Live} Live */
/** @typedef {import('./live.js').RoomLine} RoomLine */

/** @typedef {{text: string, language: string, topic: string}} Filter */

/**
 * Rooms that a person may want, best first: those one is in, those one follows, or
 * people in them, those in one's own languages, then where most people are, then the
 * newest.
 * @param {RoomLine[]} rooms
 * @param {readonly string[]} languages
 * @param {Filter} filter
 */
export function arrange(rooms, languages, filter) {
	const own = new Set(languages.map(l => l.split('-')[0]))
	const rank = (/** @type {RoomLine} */ r) => [r.joined ? 0 : 1, r.following || r.followed?.length ? 0 : 1, own.has(r.language.split('-')[0]) ? 0 : 1, -Math.round(Math.log2(1 + r.listeners + 2 * r.speakers)), -Date.parse(r.started)]
	return rooms
		.filter(r => !r.closed || r.joined)
		.filter(r => fits(r, filter))
		.map(r => ({ r, rank: rank(r) }))
		.sort((a, b) => a.rank.reduce((d, v, i) => d || v - b.rank[i], 0) || (a.r.room < b.r.room ? -1 : 1))
		.map(({ r }) => r)
}

/** @param {RoomLine} r @param {Filter} filter */
function fits(r, { text, language, topic }) {
	return (!language || r.language === language) && (!topic || r.topics.some(x => fold(x) === topic)) && fold([r.title, ...r.topics].join(' ')).includes(fold(text))
}

export class Hallway {
	/**
	 * @param {Live} live
	 * @param {import('./presence.js').Presence} presence
	 * @param {(room: string) => boolean} go to a room, by ID or link; false: it is neither
	 * @param {import('./notify.js').Notices} notices
	 */
	constructor(live, presence, go, notices) {
		this.live = live
		this.notices = notices
		this.echo = new Trial({ capture: () => presence, start: 'try', stop: 'try.stop', about: 'try.say', echo: 1 })
		this.go = go
		/** @type {Filter} */
		this.filter = { text: '', language: '', topic: '' }
		this.rows = h('ul', { class: 'rows' })
		this.list = new List(this.rows, r => r.room, () => this.row())
		this.empty = h('div', { class: 'empty' })
		this.news = h('ul', { class: 'news', hidden: true })
		this.newsList = new List(this.news, n => n.key, newsItem)
		this.later = new Later()
		this.search = h('input', { type: 'search', 'aria-label': t('search'), placeholder: t('search'), autocomplete: 'off', oninput: () => this.narrow({ text: this.search.value }) })
		this.tongue = h('select', { 'aria-label': t('language'), onchange: () => this.narrow({ language: this.tongue.value }) })
		this.topic = h('select', { 'aria-label': t('topics'), onchange: () => this.narrow({ topic: this.topic.value }) })
		this.near = h('span', { class: 'soft' })
		this.name = h('bdi')
		this.element = h('div', { class: 'hallway' },
			h('section', { class: 'list', 'aria-labelledby': 'live' },
				h('div', { class: 'head' }, h('h1', { id: 'live', tabindex: '-1' }, t('live')), (this.filters = h('div', { class: 'filters' }, this.search, this.tongue, this.topic))),
				this.news, this.rows, this.empty, this.later.element),
			h('aside', {},
				h('button', { class: 'main', onclick: () => open(room => this.go(room)) }, t('open')),
				this.pasting(),
				h('section', { class: 'me' }, h('h2', {}, t('node')), h('p', {}, this.name, ' ', this.near),
					h('div', { class: 'choices' }, h('button', { onclick: showProfile }, t('profile')), h('button', { onclick: showPeople }, t('people'))))))
		this.show()
	}

	close() {
		this.echo.stop()
		this.element.remove()
	}

	/** The field for a link: pasting one is enough. */
	pasting() {
		const problem = h('p', { class: 'problem', role: 'alert' })
		const field = h('input', { required: true, 'aria-label': t('link.ask'), placeholder: t('link.ask'), autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off' })
		return h('form', {
			class: 'pasting',
			onsubmit: (/** @type {Event} */ e) => {
				e.preventDefault()
				say(problem, this.go(field.value.trim()) ? '' : t('link.bad'))
			},
		}, field, h('button', {}, t('link.go')), problem)
	}

	/** @param {Partial<Filter>} change */
	narrow(change) {
		Object.assign(this.filter, change)
		this.show()
	}

	/** Shows what is live now. */
	show() {
		const live = [...this.live.rooms.values()]
		const coming = [...this.live.coming.values()].filter(r => fits(r, this.filter))
		const all = [...live, ...this.live.coming.values()]
		const rooms = arrange(live, [language(), ...navigator.languages], this.filter)
		this.list.show(rooms)
		this.newsList.show(this.notices.shown)
		this.news.hidden = this.news.childElementCount === 0
		this.later.show(coming)
		this.filters.hidden = all.length === 0
		choices(this.tongue, t('language.any'), [...new Set(all.map(r => r.language).filter(Boolean))].map(l => [l, languageName(l)]), this.filter.language)
		choices(this.topic, t('topic.any'), [...new Map(all.flatMap(r => r.topics).map(x => [fold(x), x]))], this.filter.topic)
		say(this.name, this.live.node?.peer ?? '')
		say(this.near, t('node.near', { n: this.live.node?.neighbors ?? 0 }))
		this.showEmpty(all.length > 0, rooms.length > 0, coming.length > 0)
	}

	/** @param {boolean} some there are @param {boolean} shown live ones @param {boolean} later ones that come */
	showEmpty(some, shown, later) {
		const alone = !some && (this.live.node?.alone ?? this.live.node?.neighbors === 0)
		const hidden = this.live.rooms.size > 0 || (some && !later)
		const state = shown || !this.live.node ? '' : hidden ? 'search' : alone ? 'alone' : 'quiet'
		if (this.empty.dataset.state === state) return
		this.empty.dataset.state = state
		this.echo.stop()
		this.empty.replaceChildren(...{
			'': () => [],
			search: () => [h('p', {}, t('search.none')), h('button', { onclick: () => this.unsearch() }, t('clear'))],
			alone: () => [h('p', {}, t('alone')), ...this.ways(), this.echo.element],
			quiet: () => [h('p', {}, t('quiet'))],
		}[state]())
	}

	unsearch() {
		this.search.value = this.tongue.value = this.topic.value = ''
		this.narrow({ text: '', language: '', topic: '' })
		this.search.focus()
	}

	/** Ways out of being alone. */
	ways() {
		const result = h('p', { class: 'soft', role: 'status' })
		const look = async (/** @type {any} */ how) => {
			say(result, '…')
			try {
				const { found } = await post('/api/v1/meet', how)
				say(result, found > 0 ? t('look.found', { n: found }) : t('look.local.none'))
			} catch (e) {
				say(result, inWords(e))
			}
		}
		const ask = h('dialog', { 'aria-labelledby': 'strangers' },
			h('h2', { id: 'strangers' }, t('look.public')), h('p', {}, t('look.public.ask')),
			h('div', { class: 'acts' },
				h('button', { onclick: () => ask.close() }, t('cancel')),
				h('button', { class: 'main', onclick: () => (ask.close(), look({ public: true })) }, t('go.on'))))
		return [h('div', { class: 'acts' },
			h('button', { onclick: () => look({ local: true }) }, t('look.local')),
			h('button', { onclick: () => ask.showModal() }, t('look.public'))), result, ask]
	}

	/** A row for a room. */
	row() {
		const title = h('span', { class: 'title', dir: 'auto' })
		const facts = h('span', { class: 'facts' })
		const sign = h('span', { class: 'sign' })
		const link = h('a', {}, sign, h('span', { class: 'words' }, title, facts))
		return {
			element: h('li', { class: 'row' }, link),
			/** @param {RoomLine} r */
			update: r => {
				link.setAttribute('href', '#room/' + r.room)
				say(title, r.title)
				set(title, { lang: r.language, 'data-strange': !r.known })
				const lit = (this.live.views.get(r.room)?.sources ?? []).filter(s => s.hot).length
				const drawn = [r.speakers, r.listeners, lit].join()
				if (sign.dataset.drawn !== drawn) {
					sign.dataset.drawn = drawn
					sign.replaceChildren(glyph(r, lit))
				}
				say(facts, [
					r.following && t('follow.room'), ...(r.followed ?? []).map(f => t('follow.why', { name: f.petname || f.peer.slice(-6) })),
					t('onstage', { n: r.speakers }), t('listening', { n: r.listeners }),
					r.language && languageName(r.language), ...r.topics.map(isolate),
					span(Date.now() - Date.parse(r.started)),
					r.locked && t('later.locked'), !r.listed && t('unlisted'), r.closed && t('closed'),
				].filter(Boolean).join(' · '))
			},
		}
	}
}

/** What has happened, and where. */
function newsItem() {
	const link = h('a')
	return {
		element: h('li', {}, link),
		/** @param {import('./notify.js').Notice} n */
		update: n => {
			say(link, n.sentence)
			set(link, { href: '#room/' + n.room })
		},
	}
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} any
 * @param {[string, string][]} options
 * @param {string} chosen
 */
function choices(select, any, options, chosen) {
	const all = [['', any], ...options.sort((a, b) => a[1].localeCompare(b[1], language()))]
	const drawn = JSON.stringify(all)
	if (select.dataset.drawn !== drawn) {
		select.dataset.drawn = drawn
		select.replaceChildren(...all.map(([value, name]) => h('option', { value }, name)))
		select.value = chosen
	}
	select.hidden = options.length < 2
}
