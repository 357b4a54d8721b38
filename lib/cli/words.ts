/** What the library says to programs, said to people at a shell. Must load without the addon. */

/** Parts of the library's sentences, which a test looks for in it, and what the command says instead. */
export const phrases: readonly (readonly [library: string, command: string])[] = [
  ['such queue; create it first, or use openOrCreate', lists('send')],
  ['such semaphore; create it first, or use openOrCreate', lists('sem wait')],
  ['such semaphore set; create it first, or use openOrCreate', lists('sem wait')],
  ['such FIFO; create it first, or use openOrCreate', 'such FIFO; ipckit send --create makes one'],
  ['create it first, or use openOrCreate', 'ipckit ls lists what there is'],
  [
    'ask for less with `access`, or open it as its owner',
    'run this as its owner, or have the owner make it with a wider --mode',
  ],
  ['open it as its owner, or have', 'run this as its owner, or have'],
  ['have its owner widen it with set({ mode })', 'have its owner make it with a wider --mode'],
  ['open it with `readonly`, or have', 'have'],
  [', or change that with MessageQueue.set of ipckit/sysv', ''],
  [
    "if it is the right one, say whose it may be with `owner: uid` or `owner: 'any'`",
    'this command uses FIFOs of this user and of root alone',
  ],
  ['where they are trusted, open it with trustOthers', 'run this as its owner'],
  ['if you trust that user, open it with anyOwner: true', 'if you trust that user, give --any-owner'],
  ['or open it with anyMode: true', 'or give --any-owner'],
  ['open it with the codec of its other users', 'leave --codec and --struct out, or give that of its users'],
  ['or make it with a larger `participants`', 'or make it with more `participants` in a program'],
  ['stat().participants has its pid', 'ipckit stat tells its pid'],
]

function lists(command: string): string {
  const noun = command === 'send' ? 'queue' : 'semaphore'
  return `such ${noun}; ipckit ls lists those that there are, and ipckit ${command} --create makes one`
}

const optionOf: Record<string, string> = {
  priority: '--priority',
  type: '--type',
  maxType: '--max-type',
  except: '--except',
  capacity: '--capacity',
  capacityBytes: '--max-bytes',
  maxBytes: '--max-bytes',
  maxMessageBytes: '--max-message-bytes',
  mode: '--mode',
  timeoutMs: '--timeout',
}

/** A word in backticks may be an option; one that is written so can be nothing else. */
const optionWord = /`(\w+)`|(?<![/\w])(capacityBytes|maxMessageBytes)\b/g

/** Parameters of functions; on the command line there is one of them. */
const parameter = / for `(address|name|path)`/g

/** A sentence of the library in the words of the command. */
export function inShellWords(sentence: string): string {
  const said = phrases.reduce((text, [library, command]) => text.replace(library, command), sentence)
  return said.replace(parameter, '').replace(optionWord, (whole, quoted, bare) => {
    const name = quoted ?? bare
    return Object.hasOwn(optionOf, name) ? (optionOf[name] as string) : whole
  })
}
