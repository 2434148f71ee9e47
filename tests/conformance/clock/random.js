// Random numbers that come again with their seed.

/** Numbers of one seed: Marsaglia's xorshift with a multiplier, on 32 bits, after the seed was mixed. */
export class Random {
  #state;

  constructor(seed) {
    let state = 2166136261;
    for (const character of String(seed)) state = Math.imul(state ^ character.codePointAt(0), 16777619);
    this.#state = state >>> 0 || 1;
    for (let turn = 0; turn < 8; turn += 1) this.#next();
  }

  #next() {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return Math.imul(this.#state, 0x9e3779b1) >>> 0;
  }

  /** A whole number, `least` up to and with `most`. */
  whole(least, most) {
    const fraction = (this.#next() * 2 ** 21 + (this.#next() >>> 11)) / 2 ** 53;
    return least + Math.floor(fraction * (most - least + 1));
  }

  /** Whether something happens that happens so many times in a hundred. */
  chance(percent) {
    return this.whole(1, 100) <= percent;
  }

  /** One of a list. */
  one(list) {
    return list[this.whole(0, list.length - 1)];
  }
}
