// @ts-nocheck: it runs where sound does, and knows nothing of the page.
/**
 * Hands a microphone's samples to the page, 20 ms at a time.
 * @module
 */

class Capture extends AudioWorkletProcessor {
	constructor({ processorOptions: { channels } }) {
		super()
		this.channels = channels
		this.size = Math.round(sampleRate / 50)
		this.filled = 0
		this.samples = new Float32Array(this.size * channels) // one channel after another
	}

	process([input]) {
		const block = input[0]?.length ?? 0
		for (let from = 0; from < block; ) {
			const run = Math.min(block - from, this.size - this.filled)
			for (let c = 0; c < this.channels; c++) {
				this.samples.set((input[c] ?? input[0]).subarray(from, from + run), c * this.size + this.filled)
			}
			from += run
			this.filled += run
			if (this.filled === this.size) {
				this.port.postMessage(this.samples)
				this.filled = 0
			}
		}
		return true
	}
}

registerProcessor('capture', Capture)
