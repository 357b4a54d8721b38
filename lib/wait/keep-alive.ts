/** What keeps the process alive while somebody waits on one handle, unless that handle was unref'd. */
import { hold, letGo } from './engine.js'

export class KeepAlive {
  readonly #isWaiting: () => boolean
  #wanted = true
  #holding = false

  constructor(isWaiting: () => boolean) {
    this.#isWaiting = isWaiting
  }

  /** Whether waits keep the process alive. */
  get wanted(): boolean {
    return this.#wanted
  }

  set wanted(wanted: boolean) {
    this.#wanted = wanted
    this.update()
  }

  /** The first has come, or the last has gone. */
  update(): void {
    const holding = this.#wanted && this.#isWaiting()
    if (holding === this.#holding) return
    this.#holding = holding
    if (holding) hold()
    else letGo()
  }
}
