// @ts-check
/**
 * Telling who moderates the room of somebody in it.
 * @module
 */

import { Refused } from './sound.js'
import { t } from './words.js'

/** @typedef {import('./app.js').Room} Room */
/** @typedef {import('./talk.js').Line} Line */

/** Words for what the door answers. @type {Record<string, string>} */
const answers = { not_allowed: 'nobody', too_fast: 'toofast', full_room: 'many', bad_request: 'nowords' }

const mostBytes = 300 // of the reason

/** @param {string} id @returns {any} */
const at = id => document.getElementById(id)

export class Report {
	/** @param {(who: string, why: string) => Promise<{told: number, waiting: number} | null>} send null: the guest has no name yet */
	constructor(send) {
		this.send = send
		this.keeper = '' // of the door
		at('report').querySelector('summary').textContent = t('report')
		at('about').textContent = t('reportsay')
		at('whom').firstChild.textContent = t('reportwho')
		at('reason').firstChild.textContent = t('reportwhy')
		at('tell').textContent = t('reportsend')
		at('who-is-meant').addEventListener('change', () => this.check())
		at('report').querySelector('form').addEventListener('submit', (/** @type {SubmitEvent} */ e) => {
			e.preventDefault()
			this.tell()
		})
	}

	/**
	 * Offers those who are on stage or have written, but for oneself.
	 * @param {Room | null} room
	 * @param {Iterable<Line>} lines
	 * @param {string | undefined} own
	 */
	show(room, lines, own) {
		this.keeper = room?.keeper ?? ''
		/** @type {Map<string, string>} */
		const people = new Map()
		for (const { who, name } of [...lines, ...(room?.stage ?? [])]) if (who !== own) people.set(who, name)
		const names = [...people.values()]
		const select = at('who-is-meant')
		const shown = [...people].map(([who, name]) => [who, names.filter(n => n === name).length > 1 ? `${name} ·${who.slice(0, 4)}` : name])
		if (select.dataset.shown === JSON.stringify(shown)) return
		select.dataset.shown = JSON.stringify(shown)
		const chosen = select.value
		select.replaceChildren(...[['', ''], ...shown].map(([who, name]) => new Option(name, who, false, who === chosen)))
	}

	/** What who runs the door carries is no secret to them. */
	check() {
		const theirs = at('who-is-meant').value === this.keeper && this.keeper !== ''
		at('tell').disabled = theirs
		at('told').textContent = theirs ? t('reportkeeper') : ''
	}

	async tell() {
		const why = at('why').value.trim()
		if (new TextEncoder().encode(why).length > mostBytes) return (at('told').textContent = t('long'))
		at('tell').disabled = true
		try {
			const told = await this.send(at('who-is-meant').value, why)
			at('told').textContent = told ? t(told.told > 0 ? 'reported' : 'reportwaits') : ''
			if (told) at('why').value = at('who-is-meant').value = ''
		} catch (e) {
			at('told').textContent = t(e instanceof Refused ? answers[e.code] ?? 'failed' : 'failed')
		}
		at('tell').disabled = false
	}
}
