// @ts-check
/**
 * A room: the stage as a ring, the audience around it, what one can do.
 * @module
 */

import { get, inWords, post, roomPath } from './api.js'
import { Bar, icon } from './bar.js'
import { Captions } from './captions.js'
import { Chat } from './chat.js'
import { Deeds } from './deeds.js'
import { Demo } from './demo.js'
import { Door } from './door.js'
import { Hands } from './hands.js'
import { keys } from './keys.js'
import { Awaited, telling } from './later.js'
import { Law, whyAway } from './law.js'
import { Network } from './network.js'
import { sharing } from './opening.js'
import { about, marks, outside, shownName } from './person.js'
import { circle, drawFace } from './rings.js'
import { Reports } from './reports.js'
import { List, h, oneStop, say, set } from './view.js'
import { span, t } from './words.js'

/** @typedef {import('./live.js').Live} Live */
/** @typedef {import('./live.js').RoomView} RoomView */
/** @typedef {import('./live.js').Member} Member */
/** @typedef {import('./presence.js').Presence} Presence */

const mostDots = 48 // of the audience, on the outer ring

/** How many guests somebody has who did not say who they are. @param {Member} m @param {Member[]} all */
const nameless = (m, all) => m.guests && Math.max(0, m.guests - all.filter(g => g.guest_of === m.peer).length)
const levelsASecond = 20
const floor = 0.0018 // of a level: -55 dB, below which nobody speaks
const breath = 1500 // ms: a pause in which whoever speaks goes on speaking

/** @param {Member} m */
const onStage = m => !m.lost && (m.role === 'host' || m.role === 'moderator' || m.role === 'speaker' || m.speaking)

export class Room {
	/**
	 * @param {Live} live
	 * @param {Presence} presence
	 * @param {string} id
	 * @param {(sentence: string) => void} tell the polite voice of the page
	 * @param {() => void} settings shows them
	 */
	constructor(live, presence, id, tell, settings) {
		this.live = live
		this.presence = presence
		this.id = id
		this.tell = tell
		this.settings = settings
		/** @type {RoomView | undefined} */
		this.view = undefined
		/** @type {Map<string, Member>} its members, by peer */
		this.members = new Map()
		/** @type {import('./live.js').RoomLine | undefined} as the node told of it last */
		this.far = undefined
		this.listed = false // among those that the node tells of
		/** @type {import('./person.js').Card | undefined} that is open */
		this.card = undefined
		this.closed = false
		/** @type {Map<string, HTMLElement>} by peer */
		this.seats = new Map()
		/** @type {Map<string, number>} by peer: when they were heard last */
		this.heardAt = new Map()
		this.title = h('h1', { tabindex: '-1', dir: 'auto' })
		this.facts = h('p', { class: 'soft' })
		this.host = about(this)
		this.hostName = h('bdi')
		this.hosted = h('p', { class: 'soft hosted' })
		this.words = h('p', { class: 'state', role: 'status' })
		this.act = h('div', { class: 'acts' })
		this.stage = h('ul', { class: 'seats', 'aria-label': t('stage') })
		this.ears = h('div', { class: 'ears', 'aria-hidden': 'true' })
		this.ring = h('div', { class: 'ring', tabindex: '0', role: 'group', 'aria-label': t('stage') }, this.ears, this.stage)
		this.people = h('ul', { class: 'people' })
		this.stop = oneStop(this.people, '.about')
		this.talking = h('p', { class: 'soft talking' })
		this.network = new Network()
		this.law = new Law(this)
		this.telling = telling('room.tell', 'room.hush')
		this.law.house.append(this.telling.element)
		this.hands = new Hands(this)
		this.reports = new Reports(this)
		this.chat = new Chat(this)
		this.captions = new Captions(this)
		this.deeds = new Deeds(this)
		this.demo = new Demo(this)
		this.door = new Door(id)
		this.awaited = new Awaited(this)
		this.bar = new Bar(this)
		this.list = new List(this.stage, m => m.peer, () => this.seat())
		this.audience = new List(this.people, m => m.peer, () => this.person())
		this.recording = h('p', { class: 'notice' })
		this.element = h('div', { class: 'room' },
			h('div', { class: 'head' }, this.title, this.facts, this.hosted, this.law.facts, this.recording), this.law.still,
			h('div', { class: 'floor' }, this.words, this.act, this.demo.element, this.ring, this.talking, this.captions.now, this.captions.element),
			h('aside', {}, this.reports.element, this.hands.element, this.chat.element, (this.links = h('details', { hidden: true }, h('summary', {}, t('link')))), (this.listening = h('h2', { hidden: true }, t('audience'))), this.people, this.law.house),
			this.law.done, this.bar.element, this.network.element)
		this.offKeys = keys(this.ring, {
			Space: { down: () => this.bar.hold(true), up: () => this.bar.hold(false) },
			KeyM: { down: () => this.bar.toggle() },
			KeyR: { down: () => this.hands.toggle() },
			KeyN: { down: () => this.network.toggle() },
			KeyS: { down: () => this.sayWho() },
		})
		this.narrow = matchMedia('(max-width: 30rem)')
		this.narrow.onchange = () => this.show()
		this.beat = setInterval(() => this.showLevels(), 1000 / levelsASecond)
		this.fetch()
		this.show()
	}

	/** What the directory says of a room that this node is not in. */
	async fetch() {
		if (this.live.views.has(this.id)) return
		const far = await get(roomPath(this.id)).catch(() => null) // it may be known once it is joined
		if (!far || this.closed) return
		this.far = far
		if (far.room !== this.id) location.replace('#room/' + far.room) // its ID was cut short
		else this.show()
	}

	close() {
		this.closed = true
		this.card?.box.close()
		this.narrow.onchange = null
		clearInterval(this.beat)
		this.hands.close()
		this.captions.close()
		this.law.close()
		this.offKeys()
		this.element.remove()
	}

	/** @param {string} peer */
	nameOf(peer) {
		return this.members.get(peer)?.name || peer.slice(-6)
	}

	/** Shows the room as it is now. */
	show() {
		const before = this.view
		this.look()
		const { view, far: known } = this
		const hearing = this.presence.hearing?.room === this.id ? this.presence.hearing : null
		say(this.title, view?.title ?? known?.title ?? t('room', { id: this.id.slice(0, 6) }))
		this.title.lang = view?.language ?? known?.language ?? ''
		const members = (view?.members ?? []).filter(m => !m.lost)
		const stage = members.filter(onStage)
		const audience = members.filter(m => !onStage(m))
		const ears = audience.length + members.reduce((n, m) => n + nameless(m, members), 0)
		const state = view?.state ?? known?.state ?? ''
		if (known) say(this.facts, state === 'coming' ? '' : [t('onstage', { n: view ? stage.length : known.speakers ?? 0 }), t('listening', { n: view ? ears : known.listeners ?? 0 }), span(Date.now() - Date.parse(known.started))].join(' · '))
		this.showHost()
		this.card?.update(this.members.get(this.card.member.peer))
		this.law.show(view)
		this.telling.element.hidden = view?.host === this.live.node?.peer_id
		if (view) this.telling.update(view)
		this.reports.show(this.live.reports.get(this.id), view !== undefined)
		this.showPeople(stage, audience)
		this.drawEars(ears)
		const recorder = members.find(m => m.recording)
		this.recording.hidden = !recorder
		if (recorder) say(this.recording, t('recording', { name: recorder.name }))
		if (known && this.links.hidden) this.links.append(sharing(this.id, known.link), this.door.element)
		this.door.show(view, this.live.node)
		this.links.hidden = !known
		this.showState(hearing?.state, state === 'coming' ? 'coming' : known?.closed || hearing?.problem?.code === 'closed_room' ? 'ended' : '')
		this.bar.show(view, hearing !== null && hearing.state !== 'over')
		this.demo.show(view, this.live.node)
		this.chat.show(this.live.talks.get(this.id), view !== undefined)
		this.captions.show(this.live.talks.get(this.id))
		if (view) {
			this.deeds.follow(view)
			this.hands.show(view)
			this.network.show(view, this.live.node?.peer_id ?? '')
			if (before) this.announce(before, view)
		}
	}

	/** Whose room it is, to who is not in it and sees no seats. */
	showHost() {
		const { view, far } = this
		if (!far?.host || view || this.hosts) return this.hosted.replaceChildren()
		if (!this.hosted.firstChild) this.hosted.append(t('host') + ' ', this.hostName, this.host.element)
		const host = outside({ peer: far.host, name: '', petname: far.host_petname, you: this.hosts }, 'host')
		host.name = shownName(host)
		say(this.hostName, host.name)
		this.host.update(host)
	}

	/** Takes what the node told of the room last. */
	look() {
		const line = this.live.rooms.get(this.id) ?? this.live.coming.get(this.id)
		if (line) {
			this.far = line
			this.listed = true
		} else if (this.listed) {
			this.listed = false
			this.fetch() // has it ended?
		}
		this.view = this.live.views.get(this.id)
		this.members = new Map(this.view?.members.map(m => [m.peer, m]))
	}

	/**
	 * @param {Member[]} stage
	 * @param {Member[]} audience
	 */
	showPeople(stage, audience) {
		this.list.show(stage)
		const seated = new Set(stage.map(m => m.peer))
		for (const peer of this.seats.keys()) {
			if (seated.has(peer)) continue
			this.seats.delete(peer)
			this.heardAt.delete(peer)
		}
		this.place(stage.length)
		this.audience.show(audience)
		this.stop()
		this.listening.hidden = audience.length === 0
	}

	/**
	 * What one's own part in the room is, and the one thing to do about it.
	 * @param {string | undefined} state
	 * @param {string} closed why nobody is in it: ended, coming; '': it is open
	 */
	showState(state, closed) {
		const now = closed || (state ?? 'away')
		const before = this.act.dataset.state
		if (now === 'coming' && this.far) say(this.words, this.awaited.show(this.far))
		if (before === now) return
		this.act.dataset.state = now
		if (before === 'lost' && now === 'heard') this.tell(t('back'))
		const problem = this.presence.hearing?.problem
		const sentences = { away: t('join.ask'), joining: t('joining'), lost: t('lost'), full: t('full'), early: `${t('later.soon')} (${problem?.message})`, silenced: '', heard: '', ended: t('ended'), over: problem ? whyAway(problem) : t('join.ask') }
		if (now in sentences) say(this.words, sentences[/** @type {keyof typeof sentences} */ (now)])
		const button = (/** @type {string} */ key, /** @type {() => void} */ onclick) => h('button', { class: 'main', onclick }, t(key))
		this.act.replaceChildren(...{
			away: [button('listen', () => this.listen())],
			over: [button('listen', () => this.listen()), problem?.code === 'banned' && h('a', { class: 'button', href: '#' }, t('hall'))].filter(Boolean),
			silenced: [button('play', () => this.presence.hearing?.play())],
			ended: [h('a', { class: 'button', href: '#' }, t('hall')), this.hosts && button('reopen', () => this.reopen())].filter(Boolean),
			coming: [...this.awaited.buttons, this.hosts && h('button', { onclick: () => this.reopen() }, t('later.early'))].filter(Boolean),
		}[now] ?? [])
		if (before === 'coming') this.awaited.over(now === 'away')
	}

	/** Whether the room is this person's own. */
	get hosts() {
		return this.far !== undefined && this.far.host === this.live.node?.peer_id
	}

	listen() {
		this.presence.listen(this.id, this.far?.link)
		this.ring.focus()
	}

	/** Opens one's own room again, under the same link. */
	reopen() {
		post(roomPath(this.id, 'reopen')).catch(e => say(this.words, inWords(e)))
	}

	/** Somebody on stage. */
	seat() {
		const face = h('span', { class: 'face' })
		const name = h('bdi', { class: 'name' })
		const role = h('span', { class: 'role' })
		const loud = h('input', { type: 'range', min: '0', max: '1', step: '0.05', value: '1' })
		const off = h('span', { class: 'off', 'aria-hidden': 'true', hidden: true }, icon('off'))
		const card = about(this)
		const element = h('li', { class: 'seat' }, face, off, name, role, loud, card.element)
		face.addEventListener('click', () => element.toggleAttribute('data-open')) // where nothing hovers
		let peer = ''
		loud.addEventListener('input', () => {
			this.presence.hearing?.volumes.set(peer, Number(loud.value))
		})
		return {
			element,
			/** @param {Member} m */
			update: m => {
				if (peer !== m.peer) {
					loud.value = String(this.presence.hearing?.volumes.get(m.peer) ?? 1)
				}
				peer = m.peer
				drawFace(face, m)
				this.seats.set(peer, element)
				say(name, m.name)
				say(role, this.wordsOf(m))
				set(loud, { 'aria-label': t('volume', { name: m.name }) })
				loud.hidden = m.you || m.blocked
				off.hidden = !m.muted
				card.update(m)
				set(element, { 'data-speaking': m.speaking, 'data-blocked': m.blocked })
			},
		}
	}

	/** Somebody who listens. */
	person() {
		const face = h('span', { class: 'face' })
		const name = h('bdi')
		const role = h('span', { class: 'soft' })
		const card = about(this)
		const element = h('li', {}, face, name, role, card.element)
		return {
			element,
			/** @param {Member} m */
			update: m => {
				drawFace(face, m)
				card.update(m)
				say(name, m.name)
				say(role, this.wordsOf(m))
				set(element, { 'data-blocked': m.blocked })
			},
		}
	}

	/** What is said beside somebody's name. @param {Member} m */
	wordsOf(m) {
		const n = nameless(m, this.view?.members ?? [])
		const role = onStage(m) ? !(m.muted && m.role === 'speaker') && t(m.role) : m.role === 'carrier' && t('carrier')
		return [
			...marks(m), role, m.you && t('you'), m.silenced ? t('law.silenced') : m.muted && onStage(m) && t('muted'),
			m.guest_of && t('guest.of', { name: this.nameOf(m.guest_of) }), n > 0 && t('guests', { n }),
		].filter(Boolean).join(' · ')
	}

	/** Up to eight sit on the ring, three where it is small; more in rows. @param {number} n */
	place(n) {
		set(this.ring, { 'data-many': n > (this.narrow.matches ? 3 : 8), 'data-full': n > 5 })
		const places = n === 1 ? [{ x: 0, y: 0 }] : circle(n, n > 5 ? 35 : 33)
		;[...this.stage.children].forEach((seat, i) => {
			const at = places[i] ?? { x: 0, y: 0 }
			const style = /** @type {HTMLElement} */ (seat).style
			style.setProperty('--x', `${at.x}cqw`)
			style.setProperty('--y', `${at.y}cqw`)
		})
	}

	/** @param {number} n */
	drawEars(n) {
		if (this.ears.dataset.n === String(n)) return
		this.ears.dataset.n = String(n)
		const drawn = circle(Math.min(n, mostDots), 48.5)
		this.ears.replaceChildren(
			h('svg', { viewBox: '-50 -50 100 100' }, h('circle', { r: 48.5, class: 'arc' }), ...drawn.map(p => h('circle', { cx: p.x, cy: p.y, r: 0.9, class: 'ear' }))),
			n > mostDots ? h('span', {}, t('more', { n: n - mostDots })) : '')
	}

	/** Rings follow the level, as the page hears it. */
	showLevels() {
		const heard = this.presence.hearing?.room === this.id ? this.presence.hearing.levels() : new Map()
		/** @type {Map<string, number>} */
		const loud = new Map()
		for (const s of this.view?.sources ?? []) {
			const level = heard.get(s.source)
			if (level !== undefined) loud.set(s.peer, Math.max(loud.get(s.peer) ?? 0, level))
		}
		const own = this.presence.level(this.id)
		if (own > 0 && this.live.node) loud.set(this.live.node.peer_id, own)
		for (const [peer, seat] of this.seats) {
			const level = loud.get(peer) ?? 0
			const width = level < floor ? 0 : Math.max(0.1, Math.min(1, 1 + Math.log10(level) / 2.75))
			seat.style.setProperty('--level', width.toFixed(2))
			set(seat, { 'data-heard': width > 0 })
			if (width > 0) this.heardAt.set(peer, performance.now())
		}
		this.bar.showLevel(own)
		say(this.talking, this.whoSpeaks())
	}

	/** Who speaks now, in words; '': nobody. */
	whoSpeaks() {
		const since = performance.now() - breath
		const names = [...this.seats.keys()].filter(peer => (this.heardAt.get(peer) ?? 0) > since).map(peer => this.nameOf(peer))
		return names.length > 0 ? t('talking', { names: names.join(', ') }) : ''
	}

	/** Who speaks is written, and not announced; it can be asked for. */
	sayWho() {
		this.tell(this.whoSpeaks() || t('talking.none'))
	}

	/**
	 * @param {RoomView} before
	 * @param {RoomView} now
	 */
	announce(before, now) {
		const was = new Set(before.members.filter(onStage).map(m => m.peer))
		const is = new Set(now.members.filter(onStage).map(m => m.peer))
		for (const m of now.members) if (is.has(m.peer) && !was.has(m.peer) && !m.you && !m.blocked) this.tell(t('came', { name: m.name }))
		const recorder = now.members.find(m => m.recording)
		if (recorder && !before.members.some(m => m.recording)) this.tell(t('recording', { name: recorder.name }))
		this.hands.announce(before, now)
		this.law.announce(before, now)
		for (const m of before.members) if (was.has(m.peer) && !is.has(m.peer) && !m.you && !m.blocked) this.tell(t('went', { name: m.name }))
		if (before.relay && now.relay && before.relay !== now.relay) {
			const old = before.members.find(m => m.peer === before.relay)?.name ?? before.relay.slice(-6)
			const stays = now.members.some(m => m.peer === before.relay && !m.lost)
			const sentence = stays ? t('relay.now', { name: this.nameOf(now.relay) }) : t('relay.changed', { old, new: this.nameOf(now.relay) })
			this.tell(sentence)
			this.network.note(sentence)
		}
	}
}
