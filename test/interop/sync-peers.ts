/**
 * The peers of locks and their friends: interactive programs in three languages with one set of commands, which
 * interop/c/sync_peer.c describes.
 */
import { fixture } from '../helpers/program.ts'
import { InteractivePeer } from './interactive-peer.ts'
import { python } from './peers.ts'
import { environment, root } from './ring-peers.ts'

export const peers = {
  Node: [process.execPath, fixture('sync-peer.mjs')],
  C: [`${root}/build-interop/sync-peer`],
  Python: [python, '-B', `${root}/interop/python/sync_peer.py`],
} as const
export type Language = keyof typeof peers

export type Kind =
  | 'lock'
  | 'rlock'
  | 'rwlock'
  | 'semaphore'
  | 'bounded'
  | 'condition'
  | 'event'
  | 'barrier'
  | 'value'
  | 'array'

export interface Answer {
  ok?: number
  error?: string
  /** The process that died while it held the lock, 0 for none. */
  died?: number
}

/** A peer with an object open. */
export class SyncPeer extends InteractivePeer<Answer> {
  /** `number` is what the kind is made with: permits, parties, a first value, a length. */
  static start(
    language: Language,
    how: 'open' | 'create',
    kind: Kind,
    name: string,
    number = 0,
  ): Promise<SyncPeer> {
    return new SyncPeer(peers[language], [how, kind, name, number], environment).opened()
  }

  /** Asks until the answer is this number. */
  async until(word: string, number: number): Promise<void> {
    while ((await this.ask(word)).ok !== number) await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
