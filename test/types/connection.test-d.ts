/** What must and must not compile of `ipckit/pipe`. */
import { json, raw, struct, u32 } from 'ipckit'
import { Connection, Listener, socketPair } from 'ipckit/pipe'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>) => {}

interface Job {
  id: number
}

const [ours, theirs] = socketPair({ codec: json<Job>() })
same<typeof ours, Connection<Job, Job>>(true)
same<Awaited<ReturnType<typeof theirs.recv>>, Job>(true)
same<ReturnType<typeof theirs.tryRecv>, Job | undefined>(true)
void ours.send({ id: 1 })
// @ts-expect-error: no number
void ours.send({ id: '1' })
// @ts-expect-error: an option that does not exist
void ours.recv({ timeout: 1 })
// @ts-expect-error: text is not bytes
void ours.sendBytes('text')

// Without a codec, JSON of the type that is named.
same<ReturnType<typeof socketPair<Job>>, [Connection<Job>, Connection<Job>]>(true)
const anything = socketPair()[0]
same<Awaited<ReturnType<typeof anything.recv>>, unknown>(true)

const [bytes] = socketPair({ codec: raw() })
same<Awaited<ReturnType<typeof bytes.recv>>, Buffer>(true)
void bytes.send(new Uint8Array(1))

const tick = Connection.fromFd(3, { codec: struct({ id: u32 }) })
void tick.recv().then(({ id }) => same<typeof id, number>(true))
// @ts-expect-error: a descriptor is a number
Connection.fromFd('3')

const listener = Listener.listen('/tmp/x', { codec: json<Job>(), mode: 0o600 })
same<Awaited<ReturnType<typeof listener.accept>>, Connection<Job, Job>>(true)
// @ts-expect-error: a mode is a number
Listener.listen('/tmp/x', { mode: '600' })
