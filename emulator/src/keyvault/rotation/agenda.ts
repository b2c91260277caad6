/**
 * What is due when: one time for each id, the earliest first. A binary heap beside a map: an entry that was replaced or
 * taken off stays in the heap until it comes to the top, and the heap is made anew before such entries outnumber the rest.
 */
export class Agenda {
  readonly #times = new Map<string, number>()
  #heap: { readonly at: number; readonly id: string }[] = []

  get size(): number {
    return this.#times.size
  }

  /** Puts an id on the agenda, in the place of what stood there; undefined takes it off. */
  set(id: string, at: number | undefined): void {
    if (at === undefined) {
      this.#times.delete(id)
      return
    }
    if (this.#times.get(id) === at) return
    this.#times.set(id, at)
    if (this.#heap.length > 2 * this.#times.size + 64) {
      this.#heap = [...this.#times].map(([each, time]) => ({ at: time, id: each })).sort((a, b) => a.at - b.at)
    } else {
      this.#push({ at, id })
    }
  }

  clear(): void {
    this.#times.clear()
    this.#heap = []
  }

  /** What is due first. */
  first(): { readonly at: number; readonly id: string } | undefined {
    for (;;) {
      const top = this.#heap[0]
      if (top === undefined || this.#times.get(top.id) === top.at) return top
      this.#pop()
    }
  }

  #push(entry: { readonly at: number; readonly id: string }): void {
    const heap = this.#heap
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (heap[parent]!.at <= entry.at) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      if (left >= heap.length) break
      const right = left + 1
      const child = right < heap.length && heap[right]!.at < heap[left]!.at ? right : left
      if (heap[child]!.at >= last.at) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
  }
}
