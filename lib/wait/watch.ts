/**
 * How those who wait at one place find out that it is time to try again: awake for a moment where that has paid, then
 * asleep, with one question asked at a time. Who they are, and in which order they are served, is the business of the
 * line that owns this (`attempt-line.ts`, `pipe/socket-writer.ts`).
 */
import { AdaptivePoll, giveWay } from './adaptive-poll.js'

/** What it needs to know of a line. */
export interface Watched {
  isWaiting(): boolean
  /** Tries for the oldest, then the next, as long as there is something: true when it found any, a part only too. */
  serve(): boolean
  /** Asks for one call of {@link Watch.onAnswer}. */
  ask(): void
  /** Nobody waits for that call any more. */
  forget(): void
  /** It could not be asked. */
  onFailure(error: unknown): void
}

export class Watch {
  readonly poll = new AdaptivePoll()
  readonly #watched: Watched
  #asked = false
  #polling = false
  #tidying = false

  constructor(watched: Watched) {
    this.#watched = watched
  }

  /** Begins a wait, if somebody waits and none has begun. */
  begin(): void {
    if (!this.#watched.isWaiting() || this.#polling || this.#asked) return
    if (this.poll.begin()) {
      this.#polling = true
      setImmediate(this.#look)
    } else {
      this.#ask()
    }
  }

  /** What was asked for has come. */
  onAnswer(): void {
    this.#asked = false
    this.poll.woken()
    this.#watched.serve()
    this.begin()
  }

  /** The last of the line has left. */
  emptied(): void {
    if (!this.#asked || this.#tidying) return
    // A call usually follows a call: the question is taken back only when none has come by the next turn.
    this.#tidying = true
    setImmediate(() => this.tidy())
  }

  /** Takes the question back when nobody waits any more. */
  tidy(): void {
    this.#tidying = false
    if (!this.#asked || this.#watched.isWaiting()) return
    this.#asked = false
    this.#watched.forget()
  }

  readonly #look = (): void => {
    giveWay()
    const found = this.#watched.serve()
    const waiting = this.#watched.isWaiting()
    if (waiting && !found && this.poll.goesOn()) {
      setImmediate(this.#look)
      return
    }
    this.#polling = false
    if (found) this.poll.hit()
    else this.poll.miss()
    if (found) this.begin()
    else if (waiting) this.#ask()
  }

  #ask(): void {
    if (this.#asked) return
    this.#asked = true
    try {
      this.#watched.ask()
    } catch (error) {
      this.#asked = false
      this.#watched.onFailure(error)
    }
  }
}
