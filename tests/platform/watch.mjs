// Follows subscriptions, and remembers what they said of each run.

export class Watch {
  statuses = new Map(); // id -> the statuses that were seen, in order
  last = new Map(); // id -> the run as it was last seen
  error;
  #wake = [];

  constructor(subscription) {
    this.ended = this.#follow(subscription);
  }

  async #follow(subscription) {
    try {
      for await (const run of subscription) {
        const seen = this.statuses.get(run.id) ?? [];
        if (seen.at(-1) !== run.status) seen.push(run.status);
        this.statuses.set(run.id, seen);
        this.last.set(run.id, run);
        this.#announce();
      }
    } catch (error) {
      this.error = error;
    }
    this.#announce();
  }

  #announce() {
    for (const wake of this.#wake.splice(0)) wake();
  }

  // Waits until the run is seen so. The test that runs this bounds the wait.
  async until(id, ok) {
    while (!this.last.has(id) || !ok(this.last.get(id))) {
      if (this.error) throw this.error;
      await new Promise((resolve) => this.#wake.push(resolve));
    }
    return this.last.get(id);
  }
}
